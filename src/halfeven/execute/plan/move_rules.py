"""Instructions that move codes: another view of the same memory where strides can say it, else one copy."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from halfeven.execute.moved import kept, moved_shape, padded, resized, sliced
from halfeven.execute.plan import tables
from halfeven.execute.plan.calls import plainly, room
from halfeven.execute.plan.layout import Held, Shape, contiguous_strides, reshaped_strides
from halfeven.execute.plan.rules import take
from halfeven.execute.plan.stage import Stage
from halfeven.ir import moves as ir
from halfeven.ir.instructions import operands

MOST_RUNS = 16  # of neighbours, each a copy: more are looked up one by one


def _result_shape(i: ir.Move, stage: Stage) -> Shape | None:
    """Shape of the result; None where an operand is none of the engine's, or nothing is left: then it is known here."""
    shapes = [stage.any_shape(name) for name in operands(i)]
    found = [shape for shape in shapes if shape is not None]
    if len(found) != len(shapes):
        return None
    return moved_shape(i, found)


def _nothing(i: Any, stage: Stage, shape: Shape) -> bool:
    """Whether no element is left; then the result is known."""
    if 0 in shape:
        stage.fix(i.y, np.empty(shape, stage.dtype_of(operands(i)[0])))
    return 0 in shape


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
    if _nothing(i, stage, shape):
        return True
    x = stage.view(i.x)
    strides, begin = x.strides, 0
    for axis, start, stop, step in zip(i.axes, i.starts, i.stops, i.steps, strict=True):
        k = axis % len(x.shape)
        begin += sliced(x.shape[k], start, stop, step)[0] * x.strides[k]
        strides[k] = x.strides[k] * step
    stage.held[i.y] = x.seen_as(shape, strides, begin)
    return True


@take.register
def _expand(i: ir.Expand, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    if shape is None:
        return False
    if _nothing(i, stage, shape):
        return True
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
    if _nothing(i, stage, shape):
        return True
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
    stage.held[i.y] = reshaped(stage, picked(stage, x, axis, numbers), shape)
    return True


def picked(stage: Stage, x: Held, axis: int, numbers: Any) -> Held:
    """The elements of these numbers along an axis: one copy a run of neighbours, or one look-up an element."""
    cuts = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1), numbers.size]
    if len(cuts) - 1 > MOST_RUNS:
        return _looked_up(stage, x, axis, numbers)
    y = stage.tensor((*x.shape[:axis], int(numbers.size), *x.shape[axis + 1 :]), x.best_axis, x.dtype)
    for first, last in pairwise(cuts):
        part = Held(x.id, (*x.shape[:axis], int(last - first), *x.shape[axis + 1 :]), 0, x.dtype)
        place = x.place + int(numbers[first]) * x.strides[axis], int(first) * y.strides[axis]
        stage.copy((True, x.id), (True, y.id), part, x.strides, y.strides, offsets=place)
    return y


def _looked_up(stage: Stage, x: Held, axis: int, numbers: Any) -> Held:
    x = plainly(stage, x)
    y = room(stage, (*x.shape[:axis], int(numbers.size), *x.shape[axis + 1 :]), x.dtype)
    sizes = [prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :]) * x.itemsize]
    stage.plan.call_take([x.id, x.place, 0, 0], y.id, sizes, numbers.tolist())
    stage.steps.append("Take")
    return y


def _picked_along(i: Any, stage: Stage, along: list[Any]) -> bool:
    """Numbers along each axis."""
    x = stage.view(i.x)
    for axis, numbers in enumerate(along):
        if not np.array_equal(numbers, np.arange(x.shape[axis])):
            x = picked(stage, x, axis, numbers)
    stage.held[i.y] = x
    return True


@take.register
def _tile(i: ir.Tile, stage: Stage) -> bool:
    shape, x_shape = _result_shape(i, stage), stage.any_shape(i.x)
    if shape is None or x_shape is None:
        return False
    if _nothing(i, stage, shape):
        return True
    return _picked_along(i, stage, [np.tile(np.arange(n), r) for n, r in zip(x_shape, i.repeats, strict=True)])


@take.register
def _pad(i: ir.Pad, stage: Stage) -> bool:
    shape, x_shape = _result_shape(i, stage), stage.any_shape(i.x)
    if shape is None or x_shape is None:
        return False
    if _nothing(i, stage, shape):
        return True
    if i.mode != "constant":
        return _picked_along(i, stage, [padded(n, pads, i.mode) for n, pads in zip(x_shape, i.pads, strict=True)])
    x = stage.view(i.x)
    y = stage.tensor(shape, x.best_axis, x.dtype)
    bits = np.dtype(f"u{x.itemsize}")
    fill = stage.plan.constant((np.full(64, i.fill, x.dtype).view(bits) ^ bits.type(x.flip)).view(np.uint8))
    stage.copy((True, fill), (True, y.id), y, [0] * len(shape), y.strides)
    left = tuple(len(kept(n, pads)) for n, pads in zip(x_shape, i.pads, strict=True))
    places = [
        x.place + sum(max(-b, 0) * step for (b, _), step in zip(i.pads, x.strides, strict=True)),
        sum(max(b, 0) * step for (b, _), step in zip(i.pads, y.strides, strict=True)),
    ]
    if 0 not in left:
        part = Held(x.id, left, 0, x.dtype)
        stage.copy((True, x.id), (True, y.id), part, x.strides, y.strides, offsets=(places[0], places[1]))
    stage.held[i.y] = y
    return True


@take.register
def _depth_to_space(i: ir.DepthToSpace, stage: Stage) -> bool:
    shape, x_shape, b = _result_shape(i, stage), stage.any_shape(i.x), i.block
    if shape is None or x_shape is None:
        return False
    n, c, h, w = x_shape
    if i.columns_first:
        blocks, order = (n, b, b, c // (b * b), h, w), (0, 3, 4, 1, 5, 2)
    else:
        blocks, order = (n, c // (b * b), b, b, h, w), (0, 1, 4, 2, 5, 3)
    return _regrouped(i, stage, blocks, order, shape)


@take.register
def _space_to_depth(i: ir.SpaceToDepth, stage: Stage) -> bool:
    shape, x_shape, b = _result_shape(i, stage), stage.any_shape(i.x), i.block
    if shape is None or x_shape is None:
        return False
    n, c, h, w = x_shape
    return _regrouped(i, stage, (n, c, h // b, b, w // b, b), (0, 3, 5, 1, 2, 4), shape)


def _regrouped(i: Any, stage: Stage, blocks: Shape, order: tuple[int, ...], shape: Shape) -> bool:
    """Axes taken apart, exchanged and put together again."""
    x = reshaped(stage, stage.view(i.x), blocks)
    moved = x.seen_as(tuple(blocks[k] for k in order), [x.strides[k] for k in order])
    stage.held[i.y] = reshaped(stage, moved, shape)
    return True


@take.register
def _resize(i: ir.ResizeNearest, stage: Stage) -> bool:
    shape = _result_shape(i, stage)
    x_shape = stage.any_shape(i.x)
    if shape is None or x_shape is None:
        return False
    if _nothing(i, stage, shape):
        return True
    images = len(shape) > 2 and shape[:2] == x_shape[:2] and (i.scales is None or all(s == 1 for s in i.scales[:2]))  # noqa: PLR2004
    if not images or stage.shape_of(i.x) is None:
        return _picked_along(i, stage, resized(i, x_shape))
    x = stage.get(i.x, 1)
    numbers = tables.pixel_numbers(x)[np.ix_(np.arange(x_shape[0]), np.arange(1), *resized(i, x_shape)[2:])]
    y = stage.tensor(shape, 1, x.dtype)
    stage.plan.max_pool(x.id, y.id, [y.rows, y.channels, y.stride], np.ascontiguousarray(numbers).reshape(-1))
    stage.steps.append(f"Resize {i.name}")
    stage.held[i.y] = y
    return True
