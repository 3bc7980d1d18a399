"""Random instructions with operands that fit them: odd sizes, extreme codes and zero points, every type and method."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from draw import ACTIVATIONS, TARGETS, WEIGHTS, Array, Case, Draw, bias, farthest, weight_zero
from random_normalize import normalize
from random_pointwise import add_sums, divide, pair, slopes
from random_select import extreme, mask, reduce_extreme, reduce_sum, resize_linear, where
from random_tables import channel_table, float_average_pool, pair_table
from random_transposed import conv_transpose

from halfeven.ir import instructions as ir
from halfeven.ir import moves
from halfeven.ir.rescale import Accumulator
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import profiles
from halfeven.numerics.qtype import QType, int4, int32


def conv(d: Draw) -> Case:
    """Grouped, strided, dilated, padded; 1 to 3 spatial axes."""
    groups, inputs, outputs = d.one([(1, d.between(1, 40), d.between(1, 40)), (d.between(2, 4), 3, 5), (7, 2, 1)])
    return _conv(d, groups, inputs, outputs)


def depthwise(d: Draw) -> Case:
    """One channel a group, with channel multipliers."""
    return _conv(d, d.between(1, 20), 1, d.one([1, 1, 2, 3]))


def _conv(d: Draw, groups: int, inputs: int, outputs: int) -> Case:
    rank = d.one([1, 2, 2, 2, 3])
    sizes = [d.one([1, 2, 5, 7, 9, 16]) for _ in range(rank)]
    window = d.window(rank, sizes)
    qx, qw = d.one(ACTIVATIONS), d.one(WEIGHTS)
    channels = groups * outputs
    x = d.laid_out(d.codes(qx, (d.between(1, 2), groups * inputs, *sizes)))
    w = d.codes(qw, (channels, inputs, *window.kernel))
    x_zero, w_zero, b = d.zero(qx), weight_zero(d, qw, channels), bias(d, channels)
    centered = w.reshape(channels, -1).astype(np.int64) - w_zero.reshape(-1, 1)
    bound = Accumulator.of(np.abs(centered).sum(axis=1) * farthest(qx, x_zero) + np.abs(b))
    how = d.rescale(int(bound.bound.max()), channels)
    return ir.Conv("n", "x", "y", w, w_zero, b, x_zero, window, groups, bound, how), [x]


def linear(d: Draw) -> Case:
    """A constant matrix behind any number of leading axes."""
    depth, columns = d.one([1, 3, 31, 32, 33, 100, 700]), d.between(1, 40)
    qx, qw = d.one(ACTIVATIONS), d.one(WEIGHTS)
    lead = d.one([(), (1,), (5,), (2, 3), (37,), (0, 2)])
    x = d.laid_out(d.codes(qx, (*lead, depth)))
    w = d.codes(qw, (depth, columns))
    x_zero, w_zero, b = d.zero(qx), weight_zero(d, qw, columns), bias(d, columns)
    bound = Accumulator.of(np.abs(w.astype(np.int64) - w_zero).sum(axis=0) * farthest(qx, x_zero) + np.abs(b))
    how = d.rescale(int(bound.bound.max()), columns)
    return ir.Linear("n", "x", "y", w, w_zero, b, x_zero, bound, how), [x]


def matmul(d: Draw) -> Case:
    """Two activations, batches broadcasting; also vectors."""
    qa, qb = d.one(ACTIVATIONS), d.one(ACTIVATIONS)
    k = d.one([1, 2, 17, 64, 65])
    rows, columns = d.between(1, 35), d.between(1, 140)
    a_shape, b_shape = d.one(
        [
            ((rows, k), (k, columns)),
            ((2, 1, rows, k), (3, k, columns)),
            ((k,), (2, k, 3)),
            ((4, 2, k), (k,)),
            ((k,), (k,)),
        ]
    )
    a, b = d.laid_out(d.codes(qa, a_shape)), d.laid_out(d.codes(qb, b_shape))
    za, zb = d.zero(qa), d.zero(qb)
    how = d.rescale(k * farthest(qa, za) * farthest(qb, zb))
    return ir.MatMul("n", "a", "b", "y", za, zb, how), [a, b]


def add(d: Draw) -> Case:
    """Add and Sub, narrow and wide."""
    qa, qb, a, b = pair(d, ACTIVATIONS)
    top = 2**15 if d.chance(0.6) else 2**31 - 1
    m, n = d.between(0, top), d.between(0, top) * d.one([1, -1])
    za, zb, target = d.zero(qa), d.zero(qb), d.target()
    largest = farthest(qa, za) * m + farthest(qb, zb) * abs(n)
    fitting = max(largest.bit_length() - target.qtype.bits + d.between(-1, 4), 0)
    shift = d.one([fitting, fitting, fitting, 0, 1, 30, 31, 46])
    return ir.Add("n", "a", "b", "y", za, zb, m, n, min(shift, 46), target), [a, b]


def mul(d: Draw) -> Case:
    """Products of two activations, broadcasting."""
    qa, qb, a, b = pair(d, ACTIVATIONS)
    za, zb = d.zero(qa), d.zero(qb)
    how = d.rescale(farthest(qa, za) * farthest(qb, zb))
    return ir.Mul("n", "a", "b", "y", za, zb, how), [a, b]


def _shape(d: Draw) -> list[int]:
    return d.one([[], [0, 3], [1], [7], [2, 3, 5], [3, 1, 4, 2], [40_000]])


def requantize(d: Draw) -> Case:
    """Codes, int32 too, on another scale."""
    qtype = d.one([*ACTIVATIONS, int32])
    zero = d.zero(qtype)
    how = d.rescale(farthest(qtype, zero))
    return ir.Requantize("n", "x", "y", zero, how), [d.laid_out(d.codes(qtype, _shape(d)))]


def table(d: Draw) -> Case:
    """Full tables, and those of 4-bit codes in 8-bit storage."""
    qx, qy = d.one([*ACTIVATIONS, int4]), d.one(ACTIVATIONS)
    entries = d.codes(qy, (qx.levels,))
    return ir.Table("n", "x", "y", "f", qx.qmin, entries), [d.laid_out(d.codes(qx, _shape(d)))]


def _image(d: Draw) -> tuple[QType, ir.Window, Array]:
    rank = d.one([1, 2, 2, 2, 3])
    sizes = [d.one([1, 2, 5, 7, 8, 13]) for _ in range(rank)]
    window = d.window(rank, sizes, pool=True)
    qtype = d.one(ACTIVATIONS)
    return qtype, window, d.laid_out(d.codes(qtype, (d.between(0, 2), d.between(1, 9), *sizes)))


def max_pool(d: Draw) -> Case:
    """With padding, dilation and ceil_mode."""
    _, window, x = _image(d)
    return ir.MaxPool("n", "x", "y", window), [x]


def average_pool(d: Draw) -> Case:
    """Counts that vary at the borders, with and without padding in them. Every window holds an element."""
    qtype, window, x = _image(d)
    window = ir.Window(window.kernel, window.strides, window.pads, (1,) * len(window.kernel), window.ceil_mode)
    zero, count = d.zero(qtype), prod(window.kernel)
    how = d.mean_rescale(farthest(qtype, zero) * count, count)
    return ir.AveragePool("n", "x", "y", window, d.chance(0.5), zero, how), [x]


def reduce_mean(d: Draw) -> Case:
    """Any axes, in any order, none too."""
    qtype = d.one([*ACTIVATIONS, int32])
    shape = [d.between(1, 9) for _ in range(d.between(1, 4))]
    axes = tuple(int(k) for k in d.rng.permutation(len(shape))[: d.between(0, len(shape))])
    zero, count = d.zero(qtype), prod(shape[k] for k in axes)
    how = d.mean_rescale(farthest(qtype, zero) * count, count)
    return ir.ReduceMean("n", "x", "y", axes, d.chance(0.5), zero, how), [d.laid_out(d.codes(qtype, shape))]


def softmax(d: Draw) -> Case:
    """Along any axis; scales from nearly uniform to nearly one-hot."""
    qtype, target = d.one([*ACTIVATIONS, int4]), d.target(d.one(ACTIVATIONS))
    shape = d.one([[5], [1], [4, 10], [3, 1000], [2, 3, 7], [2, 5, 3, 4], [0, 3]])
    scale = 2.0 ** d.rng.uniform(-14, 3)
    e = np.rint(np.ldexp(np.exp(-np.arange(qtype.levels) * scale), 30)).astype(np.uint32)
    m = Multiplier.from_real(float(2.0 ** d.rng.uniform(4, 16)), 24)
    axis = d.between(-len(shape), len(shape) - 1)
    return ir.Softmax("n", "x", "y", axis, e, m, target), [d.laid_out(d.codes(qtype, shape))]


def quantize(d: Draw) -> Case:
    """Per tensor and per channel, every profile; values on and near the grid, far outside it, subnormal."""
    qtype, shape = d.one([*TARGETS, int4]), d.one([[], [0], [9], [3, 5], [2, 4, 3]])
    axis = d.between(0, len(shape) - 1) if prod(shape) and shape and d.chance(0.4) else None
    scale = np.exp2(d.rng.uniform(-12, 4, () if axis is None else shape[axis]))
    zero = np.vectorize(lambda _: d.zero(qtype), otypes=[np.int64])(scale)
    x = (d.rng.integers(-600, 600, shape) / 2 * scale.max()).astype(np.float32)
    x = np.where(d.rng.random(shape) < 0.1, d.one([np.inf, -np.inf, 1e-40, 1e20]), x).astype(np.float32)
    params = AffineParams(scale, zero, qtype, axis)
    return ir.Quantize("n", "x", "y", params, d.one(list(profiles.values()))), [d.laid_out(x)]


def dequantize(d: Draw) -> Case:
    """Per tensor and per channel, int32 too."""
    i, _ = quantize(d)
    assert isinstance(i, ir.Quantize)
    shape = [2, 3, 4]
    if i.params.axis is not None:
        shape[i.params.axis] = i.params.scale.size
    return ir.Dequantize("n", "x", "y", i.params), [d.laid_out(d.codes(i.params.qtype, shape))]


def concat(d: Draw) -> Case:
    """Two to four operands."""
    qtype, axis = d.one(TARGETS), d.between(-3, 2)
    shapes = []
    for _ in range(d.between(2, 4)):
        shape = [2, 3, 4]
        shape[axis] = d.between(0, 5)
        shapes.append(shape)
    arrays = [d.laid_out(d.codes(qtype, shape)) for shape in shapes]
    return moves.Concat("n", tuple(f"x{k}" for k in range(len(arrays))), "y", axis), arrays


def reshape(d: Draw) -> Case:
    """With 0 and -1."""
    shape, allowzero = d.one([((0, -1), False), ((4, 6), False), ((-1,), True), ((0, 3, 2, 2), False)])
    return moves.Reshape("n", "x", "y", shape, allowzero), [d.laid_out(d.codes(d.one(TARGETS), (2, 3, 4)))]


def flatten(d: Draw) -> Case:
    """Every axis."""
    return moves.Flatten("n", "x", "y", d.between(-3, 3)), [d.laid_out(d.codes(d.one(TARGETS), (2, 3, 4)))]


def transpose(d: Draw) -> Case:
    """Every permutation."""
    order = tuple(int(k) for k in d.rng.permutation(4))
    return moves.Transpose("n", "x", "y", order), [d.laid_out(d.codes(d.one(TARGETS), (2, 3, 4, 5)))]


def squeeze(d: Draw) -> Case:
    """Axes named, or all."""
    axes = d.one([(1,), (1, 3), None])
    return moves.Squeeze("n", "x", "y", axes), [d.laid_out(d.codes(d.one(TARGETS), (2, 1, 3, 1)))]


def unsqueeze(d: Draw) -> Case:
    """In front, between, at the end."""
    axes = d.one([(0,), (1, 3), (-1,), (0, -1)])
    return moves.Unsqueeze("n", "x", "y", axes), [d.laid_out(d.codes(d.one(TARGETS), (2, 3)))]


def slice_(d: Draw) -> Case:
    """Forward and backward, bounds within and beyond."""
    step = d.one([1, 2, -1, -3])
    start, stop = (d.between(-9, 9), d.between(-9, 9))
    big = 2**63 - 1
    start, stop = d.one([(start, stop), (-big, big) if step > 0 else (big, -big)])
    x = d.laid_out(d.codes(d.one(TARGETS), (2, 7)))
    return moves.Slice("n", "x", "y", (1,), (start,), (stop,), (step,)), [x]


def gather(d: Draw) -> Case:
    """One index, several, a matrix of them."""
    indices = d.rng.integers(-4, 4, d.one([(), (3,), (2, 2), (0,)]))
    x = d.laid_out(d.codes(d.one(TARGETS), (2, 4, 3)))
    return moves.Gather("n", "x", "y", 1, np.asarray(indices)), [x]


def expand(d: Draw) -> Case:
    """New axes and repeated ones."""
    shape = d.one([(2, 3, 4), (1, 1), (5, 1, 3, 1)])
    return moves.Expand("n", "x", "y", shape), [d.laid_out(d.codes(d.one(TARGETS), (3, 1)))]


def tile(d: Draw) -> Case:
    """Every axis."""
    repeats = (d.between(0, 3), d.between(1, 3))
    return moves.Tile("n", "x", "y", repeats), [d.laid_out(d.codes(d.one(TARGETS), (3, 2)))]


def pad(d: Draw) -> Case:
    """Growing, cropping, every mode."""
    qtype, mode = d.one(TARGETS), d.one(["constant", "reflect", "edge", "wrap"])
    low = -1 if mode == "constant" else 0
    pads = tuple((d.between(low, 2), d.between(low, 2)) for _ in range(2))
    fill = d.between(0, qtype.qmax)
    return moves.Pad("n", "x", "y", pads, mode, fill), [d.laid_out(d.codes(qtype, (4, 5)))]


def depth_to_space(d: Draw) -> Case:
    """Both modes."""
    x = d.laid_out(d.codes(d.one(TARGETS), (2, 12, 3, 2)))
    return moves.DepthToSpace("n", "x", "y", 2, d.one([True, False])), [x]


def space_to_depth(d: Draw) -> Case:
    """Blocks of 2."""
    return moves.SpaceToDepth("n", "x", "y", 2), [d.laid_out(d.codes(d.one(TARGETS), (2, 3, 4, 6)))]


def resize_nearest(d: Draw) -> Case:
    """Larger and smaller, by scale and by size."""
    scales, sizes = d.one([((1.0, 1.0, 2.0, 0.6), None), (None, (1, 2, 7, 3)), ((1.0, 1.0, 1.5, 2.3), None)])
    kind = d.one(["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
    rounding = d.one(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    x = d.laid_out(d.codes(d.one(TARGETS), (1, 2, 5, 4)))
    return moves.ResizeNearest("n", "x", "y", scales, sizes, kind, rounding), [x]


KINDS: dict[str, Callable[[Draw], Case]] = {
    f.__name__: f
    for f in (
        conv, depthwise, conv_transpose, linear, matmul, add, mul, divide, slopes, requantize, table, max_pool,
        average_pool, reduce_mean, softmax, normalize, quantize, dequantize, concat, reshape, flatten, transpose,
        squeeze, unsqueeze, slice_, gather, expand, tile, pad, depth_to_space, space_to_depth, resize_nearest,
        extreme, reduce_extreme, reduce_sum, where, mask, resize_linear, add_sums,
        pair_table, channel_table, float_average_pool,
    )
}  # fmt: skip


def cases(kind: str, count: int, first: int = 0) -> list[Case]:
    """``count`` cases of a kind, each from its own seed."""
    return [KINDS[kind](Draw(np.random.default_rng([seed, *kind.encode()]))) for seed in range(first, first + count)]
