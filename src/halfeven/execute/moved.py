"""The shape that codes have once moved, and the places that they come from, without moving any."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.execute.nearest import nearest
from halfeven.ir import moves as ir

Shape = tuple[int, ...]
Places = NDArray[np.int64]
IMAGE_AXES = 4


@singledispatch
def moved_shape(instruction: Any, shapes: Sequence[Shape]) -> Shape:
    """Shape of the result of a move, by the shapes of its operands.

    Raises
    ------
    ParameterError
        If they do not fit.
    """
    raise ParameterError(f"{type(instruction).__name__} moves nothing, given {len(shapes)} operands")


@moved_shape.register
def _concat(i: ir.Concat, shapes: Sequence[Shape]) -> Shape:
    first = shapes[0]
    if not -len(first) <= i.axis < len(first):
        raise ParameterError(f"there is no axis {i.axis} in shape {first}")
    axis = i.axis % len(first)
    for shape in shapes:
        if len(shape) != len(first) or (*shape[:axis], *shape[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]):
            raise ParameterError(f"shapes {first} and {shape} do not join along axis {i.axis}")
    return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])


@moved_shape.register
def _reshape(i: ir.Reshape, shapes: Sequence[Shape]) -> Shape:
    return reshaped(shapes[0], i)


def reshaped(shape: Shape, i: ir.Reshape) -> Shape:
    """The shape that a Reshape asks for, 0 and -1 resolved."""
    sizes = i.shape if i.allowzero else tuple(shape[k] if n == 0 else n for k, n in enumerate(i.shape))
    known = prod(n for n in sizes if n != -1)
    left = prod(shape) // known if known else 0
    result = tuple(left if n == -1 else n for n in sizes)
    if prod(result) != prod(shape):
        raise ParameterError(f"shape {shape} cannot become {i.shape}")
    return result


@moved_shape.register
def _flatten(i: ir.Flatten, shapes: Sequence[Shape]) -> Shape:
    (x,) = shapes
    axis = i.axis + len(x) if i.axis < 0 else i.axis
    return prod(x[:axis]), prod(x[axis:])


@moved_shape.register
def _transpose(i: ir.Transpose, shapes: Sequence[Shape]) -> Shape:
    (x,) = shapes
    if sorted(i.permutation) != list(range(len(x))):
        raise ParameterError(f"{i.permutation} does not permute the axes of shape {x}")
    return tuple(x[k] for k in i.permutation)


@moved_shape.register
def _squeeze(i: ir.Squeeze, shapes: Sequence[Shape]) -> Shape:
    (x,) = shapes
    if i.axes is None:
        return tuple(n for n in x if n != 1)
    if any(not -len(x) <= k < len(x) or x[k] != 1 for k in i.axes):
        raise ParameterError(f"axes {i.axes} of shape {x} are not all 1")
    dropped = {k % len(x) for k in i.axes}
    return tuple(n for k, n in enumerate(x) if k not in dropped)


@moved_shape.register
def _unsqueeze(i: ir.Unsqueeze, shapes: Sequence[Shape]) -> Shape:
    rank = len(shapes[0]) + len(i.axes)
    added = {k % rank for k in i.axes}
    left = iter(shapes[0])
    return tuple(1 if k in added else next(left) for k in range(rank))


@moved_shape.register
def _slice(i: ir.Slice, shapes: Sequence[Shape]) -> Shape:
    sizes = list(shapes[0])
    for axis, start, stop, step in zip(i.axes, i.starts, i.stops, i.steps, strict=True):
        sizes[axis] = len(sliced(sizes[axis], start, stop, step))
    return tuple(sizes)


def sliced(size: int, start: int, stop: int, step: int) -> range:
    """The places that a Slice takes along an axis."""
    return range(size)[part(size, start, stop, step)]


def part(size: int, start: int, stop: int, step: int) -> slice:
    """A Slice's bounds as Python takes them."""
    first, last, by = slice(start, stop, step).indices(size)
    return slice(first, None if last < 0 else last, by)  # a negative step may run to before 0


@moved_shape.register
def _gather(i: ir.Gather, shapes: Sequence[Shape]) -> Shape:
    (x,) = shapes
    size = x[i.axis]
    if i.indices.size and (i.indices.min() < -size or i.indices.max() >= size):
        raise ParameterError(f"indices reach outside axis {i.axis} of shape {x}")
    axis = i.axis % len(x)
    return (*x[:axis], *i.indices.shape, *x[axis + 1 :])


@moved_shape.register
def _expand(i: ir.Expand, shapes: Sequence[Shape]) -> Shape:
    try:
        return np.broadcast_shapes(shapes[0], i.shape)
    except ValueError:
        raise ParameterError(f"shape {shapes[0]} does not broadcast against {i.shape}") from None


@moved_shape.register
def _tile(i: ir.Tile, shapes: Sequence[Shape]) -> Shape:
    (x,) = shapes
    if len(i.repeats) != len(x):
        raise ParameterError(f"{len(i.repeats)} repeats do not fit shape {x}")
    return tuple(n * r for n, r in zip(x, i.repeats, strict=True))


@moved_shape.register
def _pad(i: ir.Pad, shapes: Sequence[Shape]) -> Shape:
    (x,) = shapes
    if len(i.pads) != len(x):
        raise ParameterError(f"{len(i.pads)} pairs of pads do not fit shape {x}")
    return tuple(len(kept(n, pads)) + max(pads[0], 0) + max(pads[1], 0) for n, pads in zip(x, i.pads, strict=True))


def kept(size: int, pads: tuple[int, int]) -> range:
    """The places that negative pads leave of an axis."""
    return range(size)[slice(max(-pads[0], 0), max(size - max(-pads[1], 0), 0))]


def padded(size: int, pads: tuple[int, int], mode: str) -> Places:
    """The place that each element of a padded axis comes from; modes reflect, edge, wrap."""
    grown = max(pads[0], 0), max(pads[1], 0)
    places = np.array(kept(size, pads), np.int64)
    if not places.size:
        raise ParameterError(f"an axis of {size} cropped by {pads} leaves nothing to repeat")
    return np.pad(places, grown, mode="reflect" if mode == "reflect" else "edge" if mode == "edge" else "wrap")


@moved_shape.register
def _depth_to_space(i: ir.DepthToSpace, shapes: Sequence[Shape]) -> Shape:
    n, c, h, w = _image(shapes[0])
    b = i.block
    if c % (b * b):
        raise ParameterError(f"{c} channels do not divide into blocks of {b} by {b}")
    return n, c // (b * b), h * b, w * b


@moved_shape.register
def _space_to_depth(i: ir.SpaceToDepth, shapes: Sequence[Shape]) -> Shape:
    n, c, h, w = _image(shapes[0])
    b = i.block
    if h % b or w % b:
        raise ParameterError(f"an image of {h} by {w} does not divide into blocks of {b} by {b}")
    return n, c * b * b, h // b, w // b


def _image(shape: Shape) -> Shape:
    if len(shape) != IMAGE_AXES:
        raise ParameterError(f"shape {shape} is not (N, C, H, W)")
    return shape


@moved_shape.register
def _resize(i: ir.ResizeNearest, shapes: Sequence[Shape]) -> Shape:
    return tuple(int(places.size) for places in resized(i, shapes[0]))


def resized(i: ir.ResizeNearest, shape: Shape) -> list[Places]:
    """The place that each element of each axis comes from."""
    scales = i.scales or (None,) * len(shape)
    sizes = i.sizes or (None,) * len(shape)
    lines = zip(shape, sizes, scales, strict=True)
    return [nearest(*line, i.coordinates, i.rounding) for line in lines]
