"""Instructions that move codes: another view of the same memory where strides can say it, else one copy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from halfeven.execute.moves import move
from halfeven.execute.plan import tables
from halfeven.execute.plan.layout import Held, Shape, contiguous_strides, reshaped_strides, usual_axis
from halfeven.execute.plan.rules import take
from halfeven.execute.plan.stage import Stage
from halfeven.ir import moves as ir
from halfeven.ir.instructions import operands


def _result_shape(i: ir.Move, stage: Stage) -> Shape | None:
    """Shape of the result; None where an operand is none of the engine's, or the result is empty."""
    shapes = [stage.any_shape(name) for name in operands(i)]
    if any(shape is None or not shape for shape in shapes):
        return None
    moved = move(i, [np.broadcast_to(np.int8(0), shape) for shape in shapes if shape])[0].shape
    return moved if moved and 0 not in moved else None


@take.register
def _transpose(i: ir.Transpose, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    if shape is None:
        return False
    x = stage.view(i.x)
    stage.held[i.y] = x.seen_as(shape, [x.strides[k] for k in i.permutation])
    return True


@take.register(ir.Reshape)
@take.register(ir.Flatten)
@take.register(ir.Squeeze)
@take.register(ir.Unsqueeze)
def _reshape(i: Any, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    if shape is None:
        return False
    stage.held[i.y] = reshaped(stage, stage.view(i.x), shape)
    return True


def reshaped(stage: Stage, x: Held, shape: Shape) -> Held:
    """The elements of ``x`` under another shape, if need be by way of the order that a reshape is defined in."""
    strides = reshaped_strides(x.shape, x.strides, shape)
    if strides is not None:
        return x.seen_as(shape, strides)
    flat = stage.plan.tensor(int(np.prod(shape, dtype=np.int64)) * x.itemsize)
    place = contiguous_strides(x.shape, x.itemsize)
    stage.copy((True, x.id), (True, flat), x, x.strides, place, offsets=(x.place, 0))
    whole = Held(flat, x.shape, 0, x.dtype)
    return whole.seen_as(shape, contiguous_strides(shape, x.itemsize))


@take.register
def _concat(i: ir.Concat, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    if shape is None:
        return False
    parts = [stage.view(name) for name in i.xs]
    if len({part.dtype for part in parts}) != 1:
        return False
    axis = max((part for part in parts), key=lambda part: part.rows * part.channels).best_axis
    y = stage.tensor(shape, axis, parts[0].dtype)
    along, offset = i.axis % len(shape), 0
    for part in parts:
        place = part.place, offset * y.strides[along]
        stage.copy((True, part.id), (True, y.id), part, part.strides, y.strides, offsets=place)
        offset += part.shape[along]
    stage.held[i.y] = y
    return True


@take.register
def _slice(i: ir.Slice, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    if shape is None:
        return False
    x = stage.view(i.x)
    strides, begin = x.strides, 0
    for axis, start, stop, step in zip(i.axes, i.starts, i.stops, i.steps, strict=True):
        k = axis % len(x.shape)
        picked = move(ir.Slice("", "", "", (0,), (start,), (stop,), (step,)), [np.arange(x.shape[k])])[0]
        begin += int(picked[0]) * x.strides[k]
        strides[k] = x.strides[k] * step
    stage.held[i.y] = x.seen_as(shape, strides, begin)
    return True


@take.register
def _expand(i: ir.Expand, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    if shape is None:
        return False
    x = stage.view(i.x)
    missing = len(shape) - len(x.shape)
    sizes, strides = (1,) * missing + x.shape, [0] * missing + x.strides
    strides = [0 if n == 1 else step for n, step in zip(sizes, strides, strict=True)]
    stage.held[i.y] = x.seen_as(shape, strides)
    return True


@take.register
def _gather(i: ir.Gather, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    x_shape = stage.any_shape(i.x)
    if shape is None or x_shape is None:
        return False
    axis = i.axis % len(x_shape)
    numbers = np.where(i.indices < 0, i.indices + x_shape[axis], i.indices).reshape(-1)
    gaps = np.diff(numbers)
    x = stage.view(i.x)
    if gaps.size and (gaps != gaps[0]).any():
        return _picked(i, stage, x, shape, axis, numbers)
    step = int(gaps[0]) * x.strides[axis] if gaps.size else 0
    inner = reshaped_strides((numbers.size,), [step], i.indices.shape) if numbers.size > 1 else [0] * i.indices.ndim
    if inner is None:
        return False
    strides = [*x.strides[:axis], *inner, *x.strides[axis + 1 :]]
    stage.held[i.y] = x.seen_as(shape, strides, int(numbers[0]) * x.strides[axis])
    return True


def _picked(i: ir.Gather, stage: Stage, x: Held, shape: Shape, axis: int, numbers: Any) -> bool:
    """One copy a run of neighbours."""
    flat = (*x.shape[:axis], numbers.size, *x.shape[axis + 1 :])
    y = stage.tensor(flat, usual_axis(flat), x.dtype)
    cuts = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1), numbers.size]
    for first, last in pairwise(cuts):
        part = Held(x.id, (*x.shape[:axis], int(last - first), *x.shape[axis + 1 :]), 0, x.dtype)
        place = x.place + int(numbers[first]) * x.strides[axis], int(first) * y.strides[axis]
        stage.copy((True, x.id), (True, y.id), part, x.strides, y.strides, offsets=place)
    stage.held[i.y] = reshaped(stage, y, shape)
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
