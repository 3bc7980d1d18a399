"""Functions of one code: tables of all codes, filled by the reference itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute import reference
from halfeven.execute.plan.folded import stored
from halfeven.execute.plan.layout import Held, image_axis, last_axis
from halfeven.execute.plan.stage import BYTES, Stage
from halfeven.ir import instructions as ir
from halfeven.ir.select import Extreme
from halfeven.ir.slopes import Divide, Slopes
from halfeven.ir.tables import ChannelTable, PairTable

CODES = 256
CODED = (*BYTES, np.dtype(np.int16), np.dtype(np.uint16))
Pair = ir.Add | ir.Mul | Divide | Extreme | PairTable


def all_codes(dtype: Any) -> NDArray[Any]:
    """Every code of a type of 8 or 16 bits, in the order of what stands for them in memory."""
    kind = np.dtype(dtype)
    first = 0 if kind.itemsize == 1 else -0x8000
    return (np.arange(CODES**kind.itemsize) + first - stored(0, kind)).astype(kind)


def entries_of(y: Held, codes: NDArray[Any]) -> NDArray[Any]:
    """``codes`` as y stores them."""
    kind = np.dtype(f"u{y.itemsize}")
    entries: NDArray[Any] = codes.view(kind) ^ kind.type(y.flip)
    return entries


def emit_look_up(stage: Stage, x: Held, y: Held, codes: NDArray[Any]) -> None:
    """Emit ``y = codes[x]``, one entry a code of x."""
    entries = entries_of(y, codes)
    if x.itemsize == y.itemsize == 1:
        stage.plan.table(x.id, y.id, x.nbytes, entries)
    else:
        rows = [x.rows, x.channels, x.stride]
        stage.plan.look_up(x.id, y.id, rows, y.stride, x.itemsize, y.itemsize, entries.view(np.uint8))


def _coded(stage: Stage, name: str) -> bool:
    return stage.any_shape(name) is not None and stage.dtype_of(name) in CODED


def take_function(i: ir.Table | ir.Requantize | Slopes, stage: Stage) -> bool:
    """Emit a function of one code that is the same for all channels."""
    if not _coded(stage, i.x):
        return False
    if isinstance(i, ir.Table) and i.table.size != CODES ** stage.dtype_of(i.x).itemsize:
        return False
    if isinstance(i, ir.Requantize) and i.rescale.multiplier.m0.size != 1:
        return False
    if isinstance(i, Slopes) and i.shape:
        return False
    return _look_up(i, stage, i.x, reference.step(i, [all_codes(stage.dtype_of(i.x))])[0])


def take_with_scalar(i: Pair, stage: Stage) -> bool:
    """Emit an instruction on a tensor and one constant code, as a function of the other code."""
    a, b = stage.any_shape(i.a), stage.any_shape(i.b)
    if a is None or b is None:
        return False
    for name, other, shape, rank in ((i.a, i.b, a, len(b)), (i.b, i.a, b, len(a))):
        if other not in stage.constants or stage.arrays[other].size != 1 or rank > len(shape):
            continue
        if not _coded(stage, name) or not shape:
            continue
        codes, scalar = all_codes(stage.dtype_of(name)), stage.arrays[other].reshape(1)
        return _look_up(i, stage, name, reference.step(i, [codes, scalar] if name == i.a else [scalar, codes])[0])
    return False


def _look_up(i: Any, stage: Stage, name: str, codes: NDArray[Any]) -> bool:
    if codes.dtype.itemsize not in {1, 2, 4}:
        return False
    x = stage.get(name)
    if _fused(stage, name, x, codes):
        stage.held[i.y] = replace(x, dtype=codes.dtype)
        return True
    y = stage.tensor(x.shape, x.axis, codes.dtype)
    emit_look_up(stage, x, y, codes)
    stage.steps.append(f"Table {i.name}")
    stage.held[i.y] = y
    return True


def _fused(stage: Stage, name: str, x: Held, codes: NDArray[Any]) -> bool:
    """Whether the steps that make x now look up what they write: no one else reads x, and all can."""
    alone = all(stage.uses.get(other) == 1 for other, held in stage.held.items() if held.id == x.id)
    if not alone or stage.held.get(name) != x or not x.itemsize == codes.dtype.itemsize == 1:
        return False
    made = Held(x.id, x.shape, x.axis, codes.dtype)
    writers = stage.plan.follow_with(x.id, entries_of(made, codes))
    for k in writers:
        kind, _, of = stage.steps[k].partition(" ")
        if not kind.endswith("Table"):
            stage.steps[k] = f"{kind}+Table {of}"
    return bool(writers)


def take_channel_table(i: ChannelTable, stage: Stage) -> bool:
    """Emit a function of one code for each channel."""
    return _look_up_by_channel(i, stage, i.axis, i.table)


def take_slopes(i: Slopes, stage: Stage) -> bool:
    """Emit products with constants, as a function for each channel."""
    shape = stage.shape_of(i.x)
    if shape is None or len(i.shape) != 1:
        return take_function(i, stage)
    axis = len(shape) - i.inner - 1
    if axis < 0 or shape[axis] != i.shape[0]:
        return False
    codes = np.broadcast_to(all_codes(stage.dtype_of(i.x)), (*i.shape, CODES))
    return _look_up_by_channel(i, stage, axis, reference.step(replace(i, inner=1), [codes])[0])


def _look_up_by_channel(i: ChannelTable | Slopes, stage: Stage, axis: int, table: NDArray[Any]) -> bool:
    """``table`` holds, for each channel, what becomes of the codes from the lowest on."""
    shape = stage.shape_of(i.x)
    if not shape or table.dtype not in BYTES or not 0 <= axis < len(shape) or table.shape != (shape[axis], CODES):
        return False
    x, order = stage.view(i.x), list(range(len(shape)))
    if axis in {image_axis(shape), last_axis(shape)}:
        x = stage.laid_out(x, axis)
    else:  # the channels go last, and back behind the look-up
        order = [*order[:axis], *order[axis + 1 :], axis]
        moved = x.seen_as(tuple(shape[k] for k in order), [x.strides[k] for k in order])
        x = stage.laid_out(moved, last_axis(shape))
    y = stage.tensor(x.shape, x.axis, table.dtype)
    entries = np.ascontiguousarray(table).view(np.uint8) ^ np.uint8(y.offset)
    stage.plan.channel_table(x.id, y.id, [y.rows, y.channels, y.stride], entries.reshape(-1))
    stage.steps.append(f"{type(i).__name__} {i.name}")
    back = [order.index(k) for k in range(len(shape))]
    stage.held[i.y] = y.seen_as(shape, [y.strides[k] for k in back]) if order != sorted(order) else y
    return True
