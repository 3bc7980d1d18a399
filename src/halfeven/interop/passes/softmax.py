"""Softmax over the last axis, wrapped in Flatten and Reshape, unwrapped."""

from __future__ import annotations

import onnx_ir as ir

from halfeven.interop.rewrite import replace
from halfeven.interop.values import is_op, made_by, rank


def unwrap_softmax(model: ir.Model) -> int:
    """``Reshape(Softmax(Flatten(x, last axis)), Shape(x))`` -> ``Softmax(x)``; also LogSoftmax and Hardmax.

    This is how a Softmax before opset 13 reads in later opsets while the rank of x is unknown.
    """
    return sum(_unwrap(node) for node in list(model.graph) if is_op(node, "Reshape"))


def _unwrap(node: ir.Node) -> bool:
    inner = made_by(node.inputs[0], "Softmax", "LogSoftmax", "Hardmax")
    flat = made_by(inner.inputs[0], "Flatten") if inner is not None else None
    if inner is None or flat is None or inner.attributes.get_int("axis", -1) not in (-1, 1):
        return False
    x = flat.inputs[0]
    axes = rank(x)
    if axes is None or flat.attributes.get_int("axis", 1) % axes != axes - 1 or not _restores(node, x):
        return False
    replace(node, inner.op_type, [x], {"axis": -1})
    return True


def _restores(node: ir.Node, x: ir.Value | None) -> bool:
    shape, y = made_by(node.inputs[1], "Shape"), node.outputs[0]
    if shape is not None:
        return shape.inputs[0] is x and not shape.attributes
    return x is not None and x.shape is not None and not x.shape.has_unknown_dim() and x.shape == y.shape
