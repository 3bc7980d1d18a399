"""Spelled-out LayerNormalization."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from halfeven.interop.names import add_constant
from halfeven.interop.rewrite import graph_of, replace
from halfeven.interop.values import Array, constant, given, is_op, made_by, only_reader, scalar


def recognise_layer_norm(model: ir.Model) -> int:
    """Put LayerNormalization in the place of the operators that spell it out.

    ``d = x - mean(x)``, ``d / sqrt(mean(d^2) + eps) * scale + bias`` over the last axes, with ``d^2`` as Pow or Mul,
    and with or without scale and bias -> ``LayerNormalization(x, scale, bias, axis, epsilon)``.
    """
    return sum(_replace(node) for node in list(model.graph) if is_op(node, "Div"))


def _replace(node: ir.Node) -> bool:
    centred, root = made_by(node.inputs[0], "Sub"), made_by(node.inputs[1], "Sqrt")
    add = made_by(root.inputs[0], "Add") if root is not None else None
    if centred is None or add is None:
        return False
    x, d = centred.inputs[0], centred.outputs[0]
    mean = made_by(centred.inputs[1], "ReduceMean")
    axes = _mean_axes(mean, x)
    square, epsilon = _square_mean(add)
    if x is None or axes is None or epsilon is None or square is None or _mean_axes(square, square.inputs[0]) != axes:
        return False
    return _is_square(square.inputs[0], d) and _write(node, x, axes[0], epsilon)


def _mean_axes(mean: ir.Node | None, x: ir.Value | None) -> tuple[int, ...] | None:
    """The last axes of ``x`` that the ReduceMean averages, kept as size 1, counted from the front."""
    if mean is None or x is None or mean.inputs[0] is not x or x.shape is None:
        return None
    axes = constant(given(mean, 1))
    if axes is None or not mean.attributes.get_int("keepdims", 1):
        return None
    rank = len(x.shape)
    found = tuple(sorted(int(axis) % rank for axis in axes.reshape(-1)))
    return found if found == tuple(range(rank - len(found), rank)) and found else None


def _square_mean(add: ir.Node) -> tuple[ir.Node | None, float | None]:
    for value, epsilon in (add.inputs, add.inputs[::-1]):
        if scalar(epsilon) is not None:
            return made_by(value, "ReduceMean"), scalar(epsilon)
    return None, None


def _is_square(value: ir.Value | None, d: ir.Value) -> bool:
    node = made_by(value, "Pow", "Mul")
    if node is None or node.inputs[0] is not d:
        return False
    return scalar(node.inputs[1]) == 2 if node.op_type == "Pow" else node.inputs[1] is d  # noqa: PLR2004 - the square


def _write(node: ir.Node, x: ir.Value, axis: int, epsilon: float) -> bool:
    dims = list(x.shape or ())[axis:]
    if not all(isinstance(dim, int) for dim in dims) or x.dtype is None:
        return False
    sizes = tuple(dim for dim in dims if isinstance(dim, int))
    last, scale = _next(node, "Mul", sizes)
    last, bias = _next(last, "Add", sizes)
    graph, name = graph_of(node), last.outputs[0].name
    weight = np.ones(sizes, x.dtype.numpy()) if scale is None else scale
    inputs: list[ir.Value | None] = [x, add_constant(graph, f"{name}_scale", ir.tensor(weight))]
    if bias is not None:
        inputs.append(add_constant(graph, f"{name}_bias", ir.tensor(bias)))
    replace(last, "LayerNormalization", inputs, {"axis": axis, "epsilon": epsilon})
    return True


def _next(node: ir.Node, op_type: str, sizes: tuple[int, ...]) -> tuple[ir.Node, Array | None]:
    """The reader of ``node`` and its constant, broadcast to ``sizes``, if it is that operator; else node, None."""
    reader = only_reader(node.outputs[0])
    if reader is None or not is_op(reader, op_type):
        return node, None
    other = reader.inputs[1] if reader.inputs[0] is node.outputs[0] else reader.inputs[0]
    array = constant(other)
    extra = 0 if array is None else max(0, array.ndim - len(sizes))
    if array is None or any(d != 1 for d in array.shape[:extra]):
        return node, None
    trimmed = array.reshape(array.shape[extra:])
    try:
        return reader, np.ascontiguousarray(np.broadcast_to(trimmed, sizes))
    except ValueError:
        return node, None
