"""Random products with constants, and quotients."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from draw import ACTIVATIONS, Array, Case, Draw, farthest

from halfeven.ir import instructions as ir
from halfeven.ir.rescale import Target
from halfeven.ir.slopes import Factors
from halfeven.ir.sums import AddSums
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.qtype import QType, int32


def pair(d: Draw, types: Sequence[QType]) -> tuple[QType, QType, Array, Array]:
    """Two operands that broadcast against each other, with their types."""
    qa, qb = d.one(types), d.one(types)
    full = [d.between(1, 5) for _ in range(d.between(0, 4))]
    if d.chance(0.2):
        full = [d.one([1, 700, 20_000])]
    shapes = []
    for _ in range(2):
        shape = [1 if d.chance(0.3) else n for n in full]
        shapes.append(shape[d.between(0, len(shape)) :] if d.chance(0.3) else shape)
    return qa, qb, d.laid_out(d.codes(qa, shapes[0])), d.laid_out(d.codes(qb, shapes[1]))


def slopes(d: Draw) -> Case:
    """One factor, one a channel, one for each of several axes; negative ones and zero."""
    qx = d.one(ACTIVATIONS)
    shape, inner = d.one([((), 0), ((3,), 2), ((7,), 0), ((64,), 0), ((2, 3), 1), ((1,), 1), ((600,), 0)])
    lead = d.one([(), (1,), (4,), (0,), (2, 8), (37,)])
    x = d.laid_out(d.codes(qx, (*lead, *shape, *(d.one([1, 5, 600]) for _ in range(inner)))))
    zero, target = d.zero(qx), d.target()
    method = d.method(farthest(qx, zero))
    sides = [_factors(d, target, farthest(qx, zero), () if d.chance(0.3) else (prod(shape),)) for _ in range(2)]
    return ir.Slopes("n", "x", "y", zero, shape, inner, *sides, target, method), [x]


def _factors(d: Draw, target: Target, largest: int, shape: tuple[int, ...]) -> Factors:
    real = np.array([0.0 if d.chance(0.1) else d.ratio(target, largest) for _ in range(prod(shape))]).reshape(shape)
    return Factors(Multiplier.from_real(real, d.one([24, 31])), d.rng.choice([-1, 1], shape).astype(np.int64))


def divide(d: Draw) -> Case:
    """Divisors of zero, quotients far beyond the codes, ties."""
    qa, qb, a, b = pair(d, ACTIVATIONS)
    za, zb, target = d.zero(qa), d.zero(qb), d.target(d.one(ACTIVATIONS))
    m = Multiplier.from_real(float(2.0 ** d.rng.uniform(-12, 12)))
    if d.chance(0.3):
        m = Multiplier.from_real(float(2.0 ** d.between(-13, 30)))
    return ir.Divide("n", "a", "b", "y", za, zb, m, target), [a, b]


def add_sums(d: Draw) -> Case:
    """Codes, or sums, added to sums; multipliers of either sign, one or one a channel; ties."""
    shape, axis, channels = d.one(
        [((2, 3, 4, 5), 1, 3), ((7, 600), -1, 600), ((1, 1), -1, 1), ((2, 3, 700), 1, 3), ((0, 3, 2), 1, 3)]
    )
    a = d.laid_out(d.codes(int32, shape))
    qb = d.one([*ACTIVATIONS, int32])
    b_shape = [n if d.chance(0.7) else 1 for n in shape]
    b = d.laid_out(d.codes(qb, b_shape[d.between(0, len(shape)) :] if d.chance(0.3) else b_shape))
    zero, factors = 0 if qb is int32 else d.zero(qb), () if d.chance(0.3) else (channels,)
    most = 2**29 if qb is int32 else 2**40
    m = d.rng.integers(-(2**30), 2**30, factors)
    n = d.rng.integers(-most, most, factors)
    if d.chance(0.3):
        m, n = np.full(factors, 2 ** d.between(0, 29)), np.full(factors, 2 ** d.between(0, 29))
    shift = d.rng.integers(0, 62, factors) if d.chance(0.5) else d.rng.integers(40, 62, factors)
    made = AddSums("n", "a", "b", "y", zero, axis, *(np.asarray(v, np.int64) for v in (m, n, shift)), d.target())
    return made, [a, b]
