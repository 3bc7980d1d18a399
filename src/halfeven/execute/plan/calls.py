"""What has no step of its own: kernels over whole arrays in C order, elements as stored."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from halfeven import _native
from halfeven.errors import ParameterError
from halfeven.execute import float_steps, reference, windows
from halfeven.execute.linear import MOST_AXES, Taps, taps_of, total_of
from halfeven.execute.normalize import rows_of
from halfeven.execute.plan.arguments import native_window, sum_bits
from halfeven.execute.plan.folded import stored, stored_rescale
from halfeven.execute.plan.layout import Held, Shape, contiguous_strides
from halfeven.execute.plan.lookups import all_codes
from halfeven.execute.plan.stage import Stage
from halfeven.execute.plan.wide import CODES, STORED_TYPES
from halfeven.execute.reference_select import check_some
from halfeven.ir import instructions as ir
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.normalize import Normalize
from halfeven.ir.rescale import Rescale, Target
from halfeven.ir.select import ReduceExtreme, ReduceSum, ResizeLinear

ALL_CODES = (*CODES, np.dtype(np.int32))
ORDERED = (*ALL_CODES, np.dtype(np.bool_))  # what can be compared: of truth values the larger is "or"
MOST_SUM = 2**62


def known(stage: Stage, *names: str, kinds: Sequence[Any] = ALL_CODES) -> bool:
    """Whether the engine holds these tensors, of such a type."""
    return all(stage.any_shape(n) is not None and stage.dtype_of(n) in kinds for n in names)


def plain(stage: Stage, name: str) -> Held:
    """The tensor in C order."""
    return plainly(stage, stage.view(name))


def plainly(stage: Stage, x: Held) -> Held:
    """The same elements in C order."""
    order = contiguous_strides(x.shape, x.itemsize)
    if all(n == 1 or a == b for n, a, b in zip(x.shape, x.strides, order, strict=True)):
        return x
    key = x.id, x.shape, x.steps, x.place, "plain"
    if key not in stage.relaid:
        y = room(stage, x.shape, x.dtype)
        stage.copy((True, x.id), (True, y.id), x, x.strides, order, offsets=(x.place, 0))
        stage.relaid[key] = y
    return stage.relaid[key]


def room(stage: Stage, shape: Shape, dtype: Any) -> Held:
    """A tensor in C order."""
    kind = np.dtype(dtype)
    flat = Held(stage.plan.tensor(prod(shape) * kind.itemsize), shape, 0, kind)
    return flat.seen_as(shape, contiguous_strides(shape, kind.itemsize))


def array(x: Held, zero: int = 0) -> list[int]:
    """A tensor as the calls take it."""
    return [x.id, x.place, STORED_TYPES[x.itemsize], stored(zero, x.dtype)]


def clamp(to: Target) -> list[int]:
    """Zero point and range, as stored."""
    return [stored(q, to.qtype.storage) for q in (to.zero_point, to.qmin, to.qmax)]


def farthest(x: Held, zero: int) -> int:
    """The largest ``|q - Z|`` over all codes of the type."""
    info = np.iinfo(x.dtype)
    return max(zero - int(info.min), int(info.max) - zero)


def call_softmax(i: ir.Softmax, stage: Stage) -> bool:
    """Along any axis, codes of any width."""
    if not known(stage, i.x) or not stage.any_shape(i.x):
        return False
    x = plain(stage, i.x)
    axis = i.axis % len(x.shape)
    reference.check_softmax(i, x.shape[axis])
    e = np.ascontiguousarray(i.exponentials, np.uint32)
    y = room(stage, x.shape, i.target.qtype.storage)
    sizes = [prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])]
    m = i.multiplier
    stage.plan.call_softmax(array(x), array(y), sizes, e, int(m.m0), int(m.shift), clamp(i.target))
    return holds(stage, i, y)


def call_normalize(i: Normalize, stage: Stage) -> bool:
    """Of rows that any axes make."""
    if not known(stage, i.x):
        return False
    x = plain(stage, i.x)
    rows = rows_of(i, x.shape)
    outer, groups, channels, inner = rows.shape
    gain, offset = (np.ascontiguousarray(a, np.int64).reshape(-1) for a in (i.gain, i.offset))
    y = room(stage, x.shape, i.target.qtype.storage)
    fixed = [groups, rows.half_fraction, rows.epsilon, i.fraction, i.shift]
    sizes = [outer * groups, channels, inner]
    stage.plan.call_normalize(array(x), array(y), sizes, fixed, gain, offset, clamp(i.target))
    return holds(stage, i, y)


def _over(stage: Stage, name: str, axes: Sequence[int]) -> tuple[Held, list[int]]:
    """The tensor as (outer, elements over ``axes``, inner) in C order."""
    x = stage.view(name)
    if not axes:
        return plain(stage, name), [prod(x.shape), 1, 1]
    first, last = min(axes), max(axes) + 1
    if sorted(axes) == list(range(first, last)):
        sizes = [prod(x.shape[:first]), prod(x.shape[first:last]), prod(x.shape[last:])]
        return plain(stage, name), sizes
    order = [*(k for k in range(len(x.shape)) if k not in axes), *axes]
    shape = tuple(x.shape[k] for k in order)
    y = room(stage, shape, x.dtype)
    moved = x.seen_as(shape, [x.strides[k] for k in order])
    stage.copy((True, x.id), (True, y.id), moved, moved.strides, y.strides, offsets=(moved.place, 0))
    count = prod(x.shape[k] for k in axes)
    return y, [prod(x.shape) // count, count, 1]


def _kept(i: ir.ReduceMean | ReduceSum | ReduceExtreme, shape: Shape) -> Shape:
    return tuple(1 if k in i.axes else n for k, n in enumerate(shape) if i.keepdims or k not in i.axes)


def call_reduce(i: ir.ReduceMean | ReduceSum, stage: Stage) -> bool:
    """Sums and means over any axes."""
    shape = stage.any_shape(i.x)
    if shape is None or not known(stage, i.x):
        return False
    how = i.rescale
    m = how.multiplier if isinstance(how, Rescale) else how.multiplier(count_over(i.axes, shape))
    x, sizes = _over(stage, i.x, i.axes)
    y = room(stage, _kept(i, shape), how.target.qtype.storage)
    stage.plan.call_reduce(array(x, i.x_zero), array(y), sizes, stored_rescale(m, how.target, how.method))
    return holds(stage, i, y)


def count_over(axes: Sequence[int], shape: Shape) -> int:
    """Elements that each sum is made of."""
    return prod(shape[k] for k in axes)


def call_reduce_extreme(i: ReduceExtreme, stage: Stage) -> bool:
    """The largest or smallest code over any axes."""
    shape = stage.any_shape(i.x)
    if shape is None or not known(stage, i.x, kinds=ORDERED):
        return False
    check_some(i.axes, shape)
    x, sizes = _over(stage, i.x, i.axes)
    y = room(stage, _kept(i, shape), x.dtype)
    stage.plan.call_reduce_extreme(array(x), array(y), sizes, i.largest)
    return holds(stage, i, y)


def _window(i: ir.MaxPool | ir.AveragePool | FloatAveragePool, shape: Shape) -> tuple[Shape, _native.Window]:
    out = windows.output_sizes(shape[2:], i.window)
    return out, native_window(shape[2:], out, i.window)


def call_max_pool(i: ir.MaxPool, stage: Stage) -> bool:
    """Codes of any width."""
    shape = stage.any_shape(i.x)
    if shape is None or not known(stage, i.x):
        return False
    out, window = _window(i, shape)
    x = plain(stage, i.x)
    y = room(stage, (*shape[:2], *out), x.dtype)
    stage.plan.call_max_pool(array(x), array(y), prod(shape[:2]), window)
    return holds(stage, i, y)


def call_average_pool(i: ir.AveragePool, stage: Stage) -> bool:
    """Codes of any width."""
    shape, how = stage.any_shape(i.x), i.rescale
    if shape is None or not known(stage, i.x):
        return False
    out, window = _window(i, shape)
    counts = windows.counts(shape[2:], i.window, include_pad=i.count_include_pad)
    same = bool((counts == counts.flat[0]).all())
    m = how.multiplier(int(counts.flat[0]) if same else counts)
    x = plain(stage, i.x)
    largest = farthest(x, i.x_zero) * prod(i.window.kernel)
    bits = sum_bits(largest)
    y = room(stage, (*shape[:2], *out), how.target.qtype.storage)
    rescale = stored_rescale(m, how.target, how.method)
    stage.plan.call_average_pool(array(x, i.x_zero), array(y), prod(shape[:2]), window, bits, rescale)
    return holds(stage, i, y)


def holds(stage: Stage, i: Any, y: Held) -> bool:
    """Keep the result."""
    stage.held[i.y] = y
    stage.steps.append(f"{type(i).__name__} {i.name}")
    return True


def call_float_average_pool(i: FloatAveragePool, stage: Stage) -> bool:
    """Averages in float32 steps."""
    shape = stage.any_shape(i.x)
    if shape is None or not known(stage, i.x):
        return False
    kind = stage.dtype_of(i.x)
    codes = all_codes(kind).astype(np.int64) - i.first
    counts = np.ascontiguousarray(float_steps.counts(i, shape[2:]), np.float32).reshape(-1)
    out, window = _window(i, shape)
    x = plain(stage, i.x)
    y = room(stage, (*shape[:2], *out), i.target.qtype.storage)
    reals = np.zeros(codes.size, np.float32)  # codes that are none of the type never come
    inside = (codes >= 0) & (codes < i.reals.size)
    reals[inside] = i.reals[codes[inside]]
    ends = array(x), array(y), prod(shape[:2]), window
    stage.plan.call_float_average_pool(*ends, reals, counts, i.y_scale, float(i.added), clamp(i.target))
    return holds(stage, i, y)


def call_resize_linear(i: ResizeLinear, stage: Stage) -> bool:
    """Linear interpolation along up to three axes; the kernel sees those behind all others."""
    shape, how = stage.any_shape(i.x), i.rescale
    if shape is None or not known(stage, i.x):
        return False
    taps = taps_of(i, shape)
    along = [k for k, t in enumerate(taps) if t is not None]
    spare = [k for k in range(len(shape))[::-1] if k not in along][: MOST_AXES - len(along)]
    along = sorted([*along, *spare])
    order = [*(k for k in range(len(shape)) if k not in along), *along]
    x = stage.view(i.x)
    x = plainly(stage, x.seen_as(tuple(shape[k] for k in order), [x.strides[k] for k in order]))
    missing = MOST_AXES - len(along)
    columns = [_columns(None, 1)] * missing + [_columns(taps[k], shape[k]) for k in along]
    largest = farthest(x, i.x_zero)
    for column in columns:
        largest *= max(a + b for a, b in zip(column[2], column[3], strict=True))
    if largest >= MOST_SUM:
        raise ParameterError("the weighted sums must stay below 2^62")
    out = [shape[k] if (t := taps[k]) is None else int(t.low.size) for k in order]
    y = room(stage, tuple(out), how.target.qtype.storage)
    rescale = stored_rescale(how.multiplier(total_of(taps)), how.target, how.method)
    sizes = [prod(x.shape[: len(order) - len(along)]), *[1] * missing, *(shape[k] for k in along)]
    stage.plan.call_resize_linear(array(x, i.x_zero), array(y), sizes, columns, sum_bits(largest), rescale)
    back = [order.index(k) for k in range(len(shape))]
    return holds(stage, i, y.seen_as(tuple(out[k] for k in back), [y.strides[k] for k in back]))


def _columns(taps: Taps | None, size: int) -> list[list[int]]:
    if taps is not None:
        return [a.tolist() for a in (taps.low, taps.high, taps.low_weight, taps.high_weight)]
    same = list(range(size))
    return [same, same, [1] * size, [0] * size]
