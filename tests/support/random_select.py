"""Random comparisons, choices, sums and interpolations."""

from __future__ import annotations

from math import prod

import numpy as np
from draw import ACTIVATIONS, TARGETS, Case, Draw, farthest
from random_pointwise import pair

from halfeven.ir import select
from halfeven.numerics.qtype import int32


def extreme(d: Draw) -> Case:
    """Both ways, broadcasting; of truth values "and" and "or"."""
    _, _, a, b = pair(d, [d.one(ACTIVATIONS)])
    if d.chance(0.2):
        a, b = a > 0, b > 0
    return select.Extreme("n", "a", "b", "y", d.chance(0.5)), [a, b]


def _axes(d: Draw) -> tuple[list[int], tuple[int, ...]]:
    shape = [d.between(1, 9) for _ in range(d.between(1, 4))]
    return shape, tuple(int(k) for k in d.rng.permutation(len(shape))[: d.between(0, len(shape))])


def reduce_extreme(d: Draw) -> Case:
    """Any axes, none too; of truth values "all" and "any"."""
    shape, axes = _axes(d)
    x = d.codes(d.one(TARGETS), shape)
    x = d.laid_out(x > 0 if d.chance(0.2) else x)
    return select.ReduceExtreme("n", "x", "y", axes, d.chance(0.5), d.chance(0.5)), [x]


def reduce_sum(d: Draw) -> Case:
    """Any axes, none too."""
    qtype = d.one([*ACTIVATIONS, int32])
    shape, axes = _axes(d)
    zero, count = d.zero(qtype), prod(shape[k] for k in axes)
    how = d.rescale(farthest(qtype, zero) * count)
    return select.ReduceSum("n", "x", "y", axes, d.chance(0.5), zero, how), [d.laid_out(d.codes(qtype, shape))]


def where(d: Draw) -> Case:
    """Conditions that broadcast against the operands, and the other way round."""
    _, _, a, b = pair(d, [d.one(ACTIVATIONS)])
    shape = [n if d.chance(0.6) else 1 for n in np.broadcast_shapes(a.shape, b.shape)]
    return select.Where("n", "c", "a", "b", "y"), [d.rng.random(shape) < 0.5, a, b]


def mask(d: Draw) -> Case:
    """Filled where the condition holds, or where it does not."""
    qtype = d.one(ACTIVATIONS)
    x = d.laid_out(d.codes(qtype, [2, 3, 4]))
    condition = d.rng.random(d.one([(2, 3, 4), (4,), (3, 1), (), (5, 1, 1, 1)])) < 0.5
    return select.Mask("n", "c", "x", "y", d.chance(0.5), d.code(qtype)), [condition, x]


def resize_linear(d: Draw) -> Case:
    """Larger and smaller, by scale and by size, along one to three axes, first, last or in the middle."""
    shape, scales, sizes = d.one(
        [
            ((1, 2, 5, 4), (1.0, 1.0, 2.0, 2.0), None),
            ((2, 3, 5, 4), (1.0, 1.0, 0.6, 1.7), None),
            ((1, 2, 7), None, (1, 2, 13)),
            ((1, 2, 4, 4), None, (1, 2, 9, 1)),
            ((1, 2, 1, 1), None, (1, 2, 5, 3)),
            ((1, 5, 4, 3), (1.0, 2.0, 0.5, 1.0), None),
            ((1, 2, 3, 4, 5), (1.0, 1.0, 2.0, 1.5, 1.1), None),
            ((1, 3, 4, 5, 2), (1.0, 2.0, 2.0, 1.3, 1.0), None),
            ((3, 4), (1.0, 1.0), None),
            ((0, 1, 4, 4), (1.0, 1.0, 2.0, 2.0), None),
            ((700,), None, (997,)),
        ]
    )
    kinds = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"]
    qtype = d.one(ACTIVATIONS)
    zero, count = d.zero(qtype), d.one([1, 16, 2**20])
    how = d.mean_rescale(farthest(qtype, zero) * count, count)
    x = d.laid_out(d.codes(qtype, shape))
    return select.ResizeLinear("n", "x", "y", scales, sizes, d.one(kinds), zero, how), [x]
