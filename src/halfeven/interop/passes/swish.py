"""Spelled-out Swish, marked: the operator itself exists from opset 24 on."""

from __future__ import annotations

import onnx_ir as ir

from halfeven.interop.marks import FUNCTION
from halfeven.interop.values import is_op, made_by, read_once


def mark_swish(model: ir.Model) -> int:
    """Mark ``Mul(x, Sigmoid(x))``: both nodes carry ``halfeven.function`` = "Swish"."""
    return sum(_mark(node) for node in model.graph if is_op(node, "Mul"))


def _mark(node: ir.Node) -> bool:
    for x, gate in (node.inputs, node.inputs[::-1]):
        sigmoid = made_by(gate, "Sigmoid")
        if sigmoid is None or gate is None or sigmoid.inputs[0] is not x or not read_once(gate):
            continue
        if FUNCTION in node.metadata_props:
            return False
        node.metadata_props[FUNCTION] = sigmoid.metadata_props[FUNCTION] = "Swish"
        return True
    return False
