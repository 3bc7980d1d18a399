"""Instructions that move codes, in NumPy: for the reference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.execute.moved import moved_shape, part, reshaped
from halfeven.execute.nearest import nearest
from halfeven.ir import moves as ir

Array = NDArray[Any]


def moved(instruction: ir.Move, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """The operands' elements, moved; ParameterError where their shapes do not fit."""
    moved_shape(instruction, [a.shape for a in arrays])
    return move(instruction, arrays)


@singledispatch
def move(instruction: Any, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """The operands' elements, moved."""
    raise ParameterError(f"{type(instruction).__name__} moves nothing, given {len(arrays)} operands")


@move.register
def _concat(i: ir.Concat, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (np.concatenate(arrays, axis=i.axis),)


@move.register
def _reshape(i: ir.Reshape, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (arrays[0].reshape(reshaped(arrays[0].shape, i)),)


@move.register
def _flatten(i: ir.Flatten, arrays: Sequence[Array]) -> tuple[Array, ...]:
    x = arrays[0]
    axis = i.axis + x.ndim if i.axis < 0 else i.axis
    return (x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:])),)


@move.register
def _transpose(i: ir.Transpose, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (arrays[0].transpose(i.permutation),)


@move.register
def _squeeze(i: ir.Squeeze, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (np.squeeze(arrays[0], i.axes),)


@move.register
def _unsqueeze(i: ir.Unsqueeze, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (np.expand_dims(arrays[0], i.axes),)


@move.register
def _slice(i: ir.Slice, arrays: Sequence[Array]) -> tuple[Array, ...]:
    x = arrays[0]
    chosen = [slice(None)] * x.ndim
    for axis, start, stop, by in zip(i.axes, i.starts, i.stops, i.steps, strict=True):
        chosen[axis] = part(x.shape[axis], start, stop, by)
    return (x[tuple(chosen)],)


@move.register
def _gather(i: ir.Gather, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (np.take(arrays[0], i.indices, axis=i.axis),)


@move.register
def _expand(i: ir.Expand, arrays: Sequence[Array]) -> tuple[Array, ...]:
    x = arrays[0]
    return (np.broadcast_to(x, moved_shape(i, [x.shape])),)


@move.register
def _tile(i: ir.Tile, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (np.tile(arrays[0], i.repeats),)


@move.register
def _pad(i: ir.Pad, arrays: Sequence[Array]) -> tuple[Array, ...]:
    x = arrays[0]
    kept = tuple(slice(max(-b, 0), n - max(-e, 0)) for n, (b, e) in zip(x.shape, i.pads, strict=True))
    grown = [(max(b, 0), max(e, 0)) for b, e in i.pads]
    if i.mode == "constant":
        return (np.pad(x[kept], grown, constant_values=i.fill),)
    return (np.pad(x[kept], grown, mode="reflect" if i.mode == "reflect" else "edge" if i.mode == "edge" else "wrap"),)


@move.register
def _depth_to_space(i: ir.DepthToSpace, arrays: Sequence[Array]) -> tuple[Array, ...]:
    n, c, h, w = arrays[0].shape
    b = i.block
    if i.columns_first:
        moved = arrays[0].reshape(n, b, b, c // (b * b), h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        moved = arrays[0].reshape(n, c // (b * b), b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    return (moved.reshape(n, c // (b * b), h * b, w * b),)


@move.register
def _space_to_depth(i: ir.SpaceToDepth, arrays: Sequence[Array]) -> tuple[Array, ...]:
    n, c, h, w = arrays[0].shape
    b = i.block
    moved = arrays[0].reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4)
    return (moved.reshape(n, c * b * b, h // b, w // b),)


@move.register
def _resize(i: ir.ResizeNearest, arrays: Sequence[Array]) -> tuple[Array, ...]:
    x = arrays[0]
    for axis, size in enumerate(x.shape):
        scale = None if i.scales is None else i.scales[axis]
        target = None if i.sizes is None else i.sizes[axis]
        x = np.take(x, nearest(size, target, scale, i.coordinates, i.rounding), axis=axis)
    return (x,)
