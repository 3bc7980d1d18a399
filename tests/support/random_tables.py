"""Random tables of two inputs and of channels, and averages in float32 steps."""

from __future__ import annotations

import numpy as np
from draw import ACTIVATIONS, TARGETS, Case, Draw
from random_pointwise import pair

from halfeven.ir import instructions as ir
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.numerics import affine
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import int4, int8, uint4, uint8


def pair_table(d: Draw) -> Case:
    """Broadcasting; also codes of 4 bits, and results of any type."""
    qa, qb, a, b = pair(d, [int8, uint8, int8, uint8, int4, uint4])
    table = d.codes(d.one(TARGETS), (qa.levels, qb.levels))
    return PairTable("n", "a", "b", "y", "f", qa.qmin, qb.qmin, table), [a, b]


def channel_table(d: Draw) -> Case:
    """Channels on any axis; also codes of 4 bits, and results of any type."""
    qx, qy = d.one([int8, uint8, int4]), d.one(ACTIVATIONS)
    shape = d.one([(2, 5, 7, 3), (4, 6), (0, 5, 2), (1, 2, 300), (9,), (2, 70, 3)])
    axis = d.between(0, len(shape) - 1)
    if not shape[axis]:
        axis = 1
    table = d.codes(qy, (shape[axis], qx.levels))
    return ChannelTable("n", "x", "y", "f", qx.qmin, axis, table), [d.laid_out(d.codes(qx, shape))]


def float_average_pool(d: Draw) -> Case:
    """Counts that vary at the borders, with and without padding in them."""
    rank = d.one([1, 2, 2, 3])
    sizes = [d.one([1, 2, 5, 7, 13]) for _ in range(rank)]
    window = d.window(rank, sizes, pool=True)
    window = ir.Window(window.kernel, window.strides, window.pads, (1,) * rank, window.ceil_mode)
    qx, target = d.one([int8, uint8, int4]), d.target(d.one([int8, uint8]))
    x = d.laid_out(d.codes(qx, (d.between(0, 2), d.between(1, 5), *sizes)))
    px = AffineParams(float(d.rng.choice([0.1, 0.3, 0.0123])), d.zero(qx), qx)
    reals = affine.dequantize(np.arange(qx.qmin, qx.qmax + 1).astype(qx.storage), px)
    added = target.zero_point + d.one([0, 128])
    scale, include = float(d.rng.choice([0.1, 0.05, 0.7])), d.chance(0.4)
    return FloatAveragePool("n", "x", "y", window, include, qx.qmin, reals, scale, added, target), [x]
