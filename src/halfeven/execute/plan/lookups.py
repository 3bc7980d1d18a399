"""Functions of one code: tables of all codes, filled by the reference itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute import reference
from halfeven.execute.plan.folded import stored
from halfeven.execute.plan.layout import image_axis, last_axis
from halfeven.execute.plan.stage import BYTES, Stage
from halfeven.ir import instructions as ir
from halfeven.ir.select import Extreme
from halfeven.ir.slopes import Divide, Slopes
from halfeven.ir.tables import ChannelTable, PairTable

CODES = 256
Pair = ir.Add | ir.Mul | Divide | Extreme | PairTable


def all_codes(dtype: Any) -> NDArray[Any]:
    """Every 8-bit code of the type, in the order of the bytes that store them."""
    return (np.arange(CODES) - stored(0, dtype)).astype(dtype)


def take_function(i: ir.Table | ir.Requantize | Slopes, stage: Stage) -> bool:
    """Emit a function of one code that is the same for all channels."""
    if stage.shape_of(i.x) is None:
        return False
    if isinstance(i, ir.Table) and i.table.size != CODES:
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
        if stage.shape_of(name) is None or not shape:
            continue
        codes, scalar = all_codes(stage.dtype_of(name)), stage.arrays[other].reshape(1)
        return _look_up(i, stage, name, reference.step(i, [codes, scalar] if name == i.a else [scalar, codes])[0])
    return False


def _look_up(i: Any, stage: Stage, name: str, codes: NDArray[Any]) -> bool:
    if codes.dtype not in BYTES:
        return False
    x = stage.get(name)
    y = stage.tensor(x.shape, x.axis, codes.dtype)
    stage.plan.table(x.id, y.id, x.nbytes, codes.view(np.uint8) ^ np.uint8(y.offset))
    stage.steps.append(f"Table {i.name}")
    stage.held[i.y] = y
    return True


def take_channel_table(i: ChannelTable, stage: Stage) -> bool:
    """Emit a function of one code for each channel."""
    shape = stage.shape_of(i.x)
    if not shape or i.table.dtype not in BYTES or i.table.shape != (shape[i.axis], CODES):
        return False
    if i.axis not in {image_axis(shape), last_axis(shape)}:
        return False
    x = stage.get(i.x, i.axis)
    y = stage.tensor(shape, i.axis, i.table.dtype)
    entries = np.ascontiguousarray(i.table).view(np.uint8) ^ np.uint8(y.offset)
    stage.plan.channel_table(x.id, y.id, [y.rows, y.channels, y.stride], entries.reshape(-1))
    stage.steps.append(f"ChannelTable {i.name}")
    stage.held[i.y] = y
    return True
