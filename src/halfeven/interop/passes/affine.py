"""``scale * x + shift`` a channel: what BatchNormalization and Mul, Div, Add, Sub by constants have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.values import Array, constant, is_op, is_real

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Channels:
    """Where the channels of a value are: ``count`` of them along ``axis`` of ``rank`` axes (None: unknown)."""

    count: int
    axis: int
    rank: int | None


@dataclass(frozen=True)
class Affine:
    """``scale * x + shift``, each a number () or one a channel (C,)."""

    x: ir.Value
    scale: F64
    shift: F64


def affine_of(node: ir.Node, x: ir.Value | None, channels: Channels) -> Affine | None:
    """Read the node as an affine map of its input ``x``; None if it is not one, or not by finite constants.

    BatchNormalization (inference): ``scale = gamma / sqrt(var + eps)``, ``shift = beta - mean * scale``.
    """
    if x is None:
        return None
    if is_op(node, "BatchNormalization"):
        found = _batch_norm(node, channels)
    elif is_op(node, "Mul", "Div", "Add", "Sub") and len(node.inputs) == 2:  # noqa: PLR2004 - two operands
        found = _arithmetic(node, x, channels)
    else:
        return None
    if found is None or not all(np.isfinite(part).all() for part in found):
        return None
    return Affine(x, *found)


def _batch_norm(node: ir.Node, channels: Channels) -> tuple[F64, F64] | None:
    arrays = [constant(value) for value in node.inputs[1:5]]
    if node.attributes.get_int("training_mode", 0) or channels.axis != 1 or len(node.outputs) != 1:
        return None
    if any(a is None or a.shape != (channels.count,) or not is_real(a) for a in arrays):
        return None
    gamma, beta, mean, var = (a.astype(np.float64) for a in arrays if a is not None)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = gamma / np.sqrt(var + node.attributes.get_float("epsilon", 1e-5))
        return scale, beta - mean * scale


def _arithmetic(node: ir.Node, x: ir.Value, channels: Channels) -> tuple[F64, F64] | None:
    reverse = node.inputs[1] is x
    other = node.inputs[0] if reverse else node.inputs[1]
    array = constant(other)
    c = None if array is None or other is x else per_channel(array, channels)
    if c is None:
        return None
    one, none = np.float64(1), np.float64(0)
    if node.op_type == "Mul":
        return c, np.asarray(none)
    if node.op_type == "Add":
        return np.asarray(one), c
    if node.op_type == "Sub":
        return (np.asarray(-one), c) if reverse else (np.asarray(one), -c)
    if reverse or not c.all():
        return None
    return 1 / c, np.asarray(none)


def per_channel(array: Array, channels: Channels) -> F64 | None:
    """The constant as a number () or one a channel (C,), if it broadcasts so and does not add axes."""
    if array.size == 0 or not is_real(array):
        return None
    if channels.rank is None:  # channels stand last; more than one axis could widen a value of fewer
        return _along(array.astype(np.float64), array.ndim - 1, channels.count) if array.ndim <= 1 else None
    if array.ndim > channels.rank:
        return None
    padded = array.reshape((1,) * (channels.rank - array.ndim) + array.shape)
    return _along(padded.astype(np.float64), channels.axis % channels.rank, channels.count)


def _along(array: F64, axis: int, count: int) -> F64 | None:
    if array.size == 1:
        return array.reshape(())
    if array.size != count or array.shape[axis] != count:
        return None
    return array.reshape(-1)
