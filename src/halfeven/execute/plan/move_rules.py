"""Instructions that move codes: the same bytes under another shape where the layout allows, else one copy."""

from __future__ import annotations

from typing import Any

import numpy as np

from halfeven.execute.moves import move
from halfeven.execute.plan import tables
from halfeven.execute.plan.layout import Held, Shape, contiguous_strides, image_axis, last_axis
from halfeven.execute.plan.rules import take
from halfeven.execute.plan.stage import Stage
from halfeven.ir import moves as ir
from halfeven.ir.instructions import operands


def _result_shape(i: ir.Move, stage: Stage) -> Shape | None:
    """Shape of the result; None where an operand is none of the engine's, or the result is empty."""
    shapes = [stage.shape_of(name) for name in operands(i)]
    if any(shape is None or not shape for shape in shapes):
        return None
    moved = move(i, [np.broadcast_to(np.int8(0), shape) for shape in shapes if shape])[0].shape
    return moved if moved and 0 not in moved else None


def _same_bytes(x: Held, strides: list[int], shape: Shape) -> Held | None:
    """``x`` as a tensor of ``shape`` if its bytes, ``strides`` apart, are just where that has them."""
    for axis in (image_axis(shape), last_axis(shape)):
        y = Held(x.id, shape, axis, x.dtype)
        steps = zip(shape, strides, y.strides, strict=True)
        if y.channels == x.channels and all(n == 1 or a == b for n, a, b in steps):
            return y
    return None


@take.register
def _transpose(i: ir.Transpose, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    if shape is None:
        return False
    x = stage.get(i.x)
    strides = [x.strides[k] for k in i.permutation]
    y = _same_bytes(x, strides, shape)
    if y is None:
        y = stage.tensor(shape, image_axis(shape) if len(shape) > 3 else last_axis(shape), x.dtype)  # noqa: PLR2004
        stage.copy((True, x.id), (True, y.id), list(shape), strides, y.strides)
    stage.held[i.y] = y
    return True


@take.register(ir.Reshape)
@take.register(ir.Flatten)
@take.register(ir.Squeeze)
@take.register(ir.Unsqueeze)
def _reshape(i: Any, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    if shape is None:
        return False
    x = stage.get(i.x)
    stage.held[i.y] = _renamed(x, shape) or _rewritten(stage, x, shape)
    return True


def _renamed(x: Held, shape: Shape) -> Held | None:
    """The same pixels and channels, in the same order of memory."""
    inner = [n for n in x.shape[x.axis + 1 :] if n != 1]
    if not inner:  # in C order already, but for what pads a pixel
        for axis in (image_axis(shape), last_axis(shape)):
            if shape[axis] == x.channels and all(n == 1 for n in shape[axis + 1 :]):
                return x.seen_as(shape, axis)
    if x.axis == 1 and len(shape) > 1 and shape[:2] == x.shape[:2]:
        return x.seen_as(shape, 1)
    return None


def _rewritten(stage: Stage, x: Held, shape: Shape) -> Held:
    """By way of the order that the reshape is defined in."""
    flat = stage.plan.tensor(int(np.prod(shape, dtype=np.int64)))
    stage.copy((True, x.id), (True, flat), list(x.shape), x.strides, contiguous_strides(x.shape))
    y = stage.tensor(shape, image_axis(shape) if len(shape) > 3 else last_axis(shape), x.dtype)  # noqa: PLR2004
    stage.copy((True, flat), (True, y.id), list(shape), contiguous_strides(shape), y.strides)
    return y


@take.register
def _concat(i: ir.Concat, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    if shape is None:
        return False
    axis = stage.get(i.xs[0]).axis
    parts = [stage.get(name, axis) for name in i.xs]
    if len({part.dtype for part in parts}) != 1:
        return False
    y = stage.tensor(shape, axis, parts[0].dtype)
    along, offset = i.axis % len(shape), 0
    for part in parts:
        sizes, place = list(part.shape), (0, offset * y.strides[along])
        stage.copy((True, part.id), (True, y.id), sizes, part.strides, y.strides, offsets=place)
        offset += part.shape[along]
    stage.held[i.y] = y
    return True


@take.register
def _slice(i: ir.Slice, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    if shape is None:
        return False
    x = stage.get(i.x)
    strides, begin = list(x.strides), 0
    for axis, start, stop, step in zip(i.axes, i.starts, i.stops, i.steps, strict=True):
        k = axis % len(x.shape)
        picked = move(ir.Slice("", "", "", (0,), (start,), (stop,), (step,)), [np.arange(x.shape[k])])[0]
        begin += int(picked[0]) * x.strides[k]
        strides[k] = x.strides[k] * step
    y = stage.tensor(shape, x.axis, x.dtype)
    stage.copy((True, x.id), (True, y.id), list(shape), strides, y.strides, offsets=(begin, 0))
    stage.held[i.y] = y
    return True


@take.register
def _resize(i: ir.ResizeNearest, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    x_shape = stage.shape_of(i.x)
    if shape is None or x_shape is None or len(shape) < 3 or shape[:2] != x_shape[:2]:  # noqa: PLR2004
        return False
    if i.scales is not None and any(s != 1 for s in i.scales[:2]):
        return False
    x = stage.get(i.x, 1)
    one = (
        i
        if i.sizes is None
        else ir.ResizeNearest(i.name, i.x, i.y, i.scales, (i.sizes[0], 1, *i.sizes[2:]), i.coordinates, i.rounding)
    )
    numbers = move(one, [tables.pixel_numbers(x)])[0]
    y = stage.tensor(shape, 1, x.dtype)
    stage.plan.max_pool(x.id, y.id, [y.rows, y.channels, y.stride], np.ascontiguousarray(numbers).reshape(-1))
    stage.steps.append(f"Resize {i.name}")
    stage.held[i.y] = y
    return True
