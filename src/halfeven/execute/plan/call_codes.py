"""Functions of single codes, and the way in and out, for types, channels and tables that have no step of their own."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute.plan.arguments import broadcast
from halfeven.execute.plan.call_pairs import elements, walk
from halfeven.execute.plan.calls import array, holds, known, plain, room
from halfeven.execute.plan.folded import stored, stored_rescale
from halfeven.execute.plan.layout import Held, Shape
from halfeven.execute.plan.stage import Stage
from halfeven.execute.slopes import layout
from halfeven.execute.tables import check_channels
from halfeven.ir import instructions as ir
from halfeven.ir.slopes import Factors, Slopes
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.numerics.affine import as_codes, as_float32
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams

RAW_TYPES = {np.dtype(t): k for k, t in enumerate((np.int8, np.uint8, np.int16, np.uint16, np.int32))}
SHORT_ROW = 512  # elements below which a row of channels is not worth a call of the kernel


def _channels(params: AffineParams, shape: Shape) -> tuple[list[int], NDArray[np.float32], NDArray[np.int32]]:
    """``shape`` as (outer, channels, inner), with the scale and zero point of each channel."""
    scale = np.ascontiguousarray(params.scale).reshape(-1)
    zero = np.ascontiguousarray(params.zero_point).reshape(-1)
    if params.axis is None:
        return [1, 1, prod(shape)], scale, zero
    axis = params.normalized_axis(shape)
    return [prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])], scale, zero


def _turned(stage: Stage, x: Held) -> Held:
    """Codes as they are become codes as stored, or the other way round."""
    if not x.flip:
        return x
    y = room(stage, x.shape, x.dtype)
    stage.copy((True, x.id), (True, y.id), x, x.strides, y.strides, offsets=(x.place, 0), flip=x.flip)
    return y


def call_quantize(i: ir.Quantize, stage: Stage) -> bool:
    """Any type of codes, by channel too, of what comes from outside or was made here."""
    kind, p = stage.dtype_of(i.x), i.params
    as_float32(np.empty(0, kind))  # refuses what is not real
    if i.x not in stage.held and kind != np.float32:
        proxy = np.broadcast_to(np.float32(0), stage.known_shape(i.x))
        stage.held[i.x] = stage.brought_in(i.x, proxy, max(proxy.ndim - 1, 0))
    x = plain(stage, i.x)
    sizes, scale, zero = _channels(p, x.shape)
    y = room(stage, x.shape, p.qtype.storage)
    rule = int(i.profile.scaling), int(i.profile.zero_point) == 0, int(i.profile.rounding)
    bounds = [p.qtype.qmin, p.qtype.qmax]
    counter = stage.plan.call_quantize(x.id, y.id, sizes, scale, zero, bounds, *rule, RAW_TYPES[y.dtype])
    stage.quantized[counter] = i.x
    stage.steps.append(f"Quantize {i.name}")
    stage.held[i.y] = _turned(stage, y)
    return True


def call_dequantize(i: ir.Dequantize, stage: Stage) -> bool:
    """Any type of codes, by channel too; real values that stay here."""
    if not known(stage, i.x):
        return False
    as_codes(np.empty(0, stage.dtype_of(i.x)), i.params)  # refuses another type
    x = plain(stage, i.x)
    sizes, scale, zero = _channels(i.params, x.shape)
    codes, y = _turned(stage, x), room(stage, x.shape, np.float32)
    stage.plan.call_dequantize(codes.id, y.id, sizes, scale, zero, RAW_TYPES[x.dtype])
    return holds(stage, i, y)


def call_requantize(i: ir.Requantize, stage: Stage) -> bool:
    """Codes of any type."""
    how = i.rescale
    if not known(stage, i.x) or how.multiplier.m0.size != 1:
        return False
    x = plain(stage, i.x)
    y = room(stage, x.shape, how.target.qtype.storage)
    rescale = stored_rescale(how.multiplier, how.target, how.method)
    stage.plan.call_rescale(array(x, i.x_zero), array(y), prod(x.shape), rescale)
    return holds(stage, i, y)


def call_slopes(i: Slopes, stage: Stage) -> bool:
    """Factors along any axes, codes of any type."""
    if not known(stage, i.x):
        return False
    x = plain(stage, i.x)
    outer, channels, inner = layout(i, x.shape)
    times = _repeats(outer, channels) if inner == 1 else 1
    y = room(stage, x.shape, i.target.qtype.storage)
    above, below = _side(i, i.above, times), _side(i, i.below, times)
    stage.plan.call_slopes(array(x, i.x_zero), array(y), [outer // times, channels * times, inner], *above, *below)
    return holds(stage, i, y)


def _repeats(outer: int, channels: int) -> int:
    """How many short rows are taken as one."""
    times = 1
    while outer % (2 * times) == 0 and 2 * times * channels <= SHORT_ROW:
        times *= 2
    return times


def _side(i: Slopes, factors: Factors, times: int) -> tuple[list[int], _native.Rescale]:
    m, sign = factors.multiplier, factors.sign.reshape(-1)
    if sign.size > 1:
        m, sign = Multiplier(np.tile(m.m0, times), np.tile(m.shift, times), m.bits), np.tile(sign, times)
    return sign.tolist(), stored_rescale(m, i.target, i.method)


def _entries(table: NDArray[Any], y: Held) -> NDArray[np.uint8]:
    """A table's entries as stored, in bytes."""
    bits = np.dtype(f"u{y.itemsize}")
    stored_: NDArray[np.uint8] = (np.ascontiguousarray(table).view(bits) ^ bits.type(y.flip)).reshape(-1).view(np.uint8)
    return stored_


def _domain(x: Held, first: int, size: int) -> list[int]:
    """The first code as stored, how many there are, and what is stored above the code."""
    return [stored(first, x.dtype), size, stored(0, x.dtype)]


def call_table(i: ir.Table, stage: Stage) -> bool:
    """Tables of some of the codes of their type; of others the run says that they have no entry."""
    if not known(stage, i.x):
        return False
    x = plain(stage, i.x)
    y = room(stage, x.shape, i.table.dtype)
    domain = _domain(x, i.first, i.table.size)
    stage.plan.call_look_up(array(x), array(y), [prod(x.shape), 1, 1], domain, _entries(i.table, y), False)
    return holds(stage, i, y)


def call_channel_table(i: ChannelTable, stage: Stage) -> bool:
    """A table a channel of any axis."""
    if not known(stage, i.x):
        return False
    x = plain(stage, i.x)
    check_channels(i, x.shape)
    y = room(stage, x.shape, i.table.dtype)
    sizes = [prod(x.shape[: i.axis]), x.shape[i.axis], prod(x.shape[i.axis + 1 :])]
    domain = _domain(x, i.first, i.table.shape[1])
    stage.plan.call_look_up(array(x), array(y), sizes, domain, _entries(i.table, y), True)
    return holds(stage, i, y)


def call_pair_table(i: PairTable, stage: Stage) -> bool:
    """Any two shapes that broadcast."""
    if not known(stage, i.a, i.b):
        return False
    a, b = stage.view(i.a), stage.view(i.b)
    shape = broadcast(a.shape, b.shape)
    y = room(stage, shape, i.table.dtype)
    rows, columns = i.table.shape
    domain = [*_domain(a, i.a_first, rows), *_domain(b, i.b_first, columns)]
    steps = elements(walk(shape, a, b), a, b)
    stage.plan.call_look_up_pairs(array(a), array(b), array(y), steps, domain, _entries(i.table, y))
    return holds(stage, i, y)
