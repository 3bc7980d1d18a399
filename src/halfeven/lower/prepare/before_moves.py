"""QuantizeLinear goes before what only moves values.

``Q`` is monotone and acts on one element at a time. A move hands on elements, or the largest or smallest of some, so
``Q(move(x)) = move(Q(x))``, and ``Q(DQ(q)) = q``: the codes are the same, and what made x now ends in codes.
"""

from __future__ import annotations

from collections import deque

import onnx_ir as ir

from halfeven.interop.qdq import DEQUANTIZE, QUANTIZE, read_quantize
from halfeven.interop.rewrite import graph_of
from halfeven.interop.values import is_op
from halfeven.lower.match import consumers
from halfeven.lower.site import constant_of

FIRST = (
    "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "GlobalMaxPool", "Identity", "MaxPool",
    "ReduceMax", "ReduceMin", "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
)  # fmt: skip
"""Operators that move their first operand."""


def quantize_before_moves(model: ir.Model) -> int:
    """``Q(move(x))`` -> ``Q(move(DQ(Q(x))))`` wherever x is not codes already; return how many moves this reached."""
    waiting = deque(n for n in model.graph if is_op(n, QUANTIZE))
    count = 0
    while waiting:
        quantize = waiting.popleft()
        made = _raised(quantize)
        waiting.extend(made)
        count += bool(made)
    return count


def moved_operands(node: ir.Node) -> list[int]:
    """Which operands a move hands on; none for any other operator."""
    if is_op(node, *FIRST):
        return [0]
    if is_op(node, "Resize"):
        mode = node.attributes.get("mode")
        return [0] if mode is None or mode.as_string() == "nearest" else []
    if is_op(node, "Pad"):
        return [0, 2] if len(node.inputs) > 2 and node.inputs[2] is not None else [0]  # noqa: PLR2004
    if is_op(node, "Concat"):
        return list(range(len(node.inputs)))
    return [1, 2] if is_op(node, "Where") else []


def _raised(quantize: ir.Node) -> list[ir.Node]:
    """The QuantizeLinear nodes put before the move that this one follows."""
    value = quantize.inputs[0]
    move = None if value is None else value.producer()
    if value is None or move is None or read_quantize(quantize).axis is not None:
        return []
    bare = [k for k in moved_operands(move) if _is_bare(move.inputs[k])]
    if not bare:
        return []
    if consumers(value) > 1 or len(move.outputs) > 1:
        move = _copied(move, quantize, value)
    return [made for k in bare if (made := _coded(move, k, quantize)) is not None]


def _is_bare(value: ir.Value | None) -> bool:
    producer = None if value is None else value.producer()
    return value is not None and not is_op(producer, DEQUANTIZE)


def _copied(move: ir.Node, quantize: ir.Node, value: ir.Value) -> ir.Node:
    """A move of its own for one of several readers."""
    name = f"{move.name}/for {quantize.name}"
    made = ir.node(move.op_type, move.inputs, dict(move.attributes), name=name, num_outputs=len(move.outputs))
    for old, new in zip(move.outputs, made.outputs, strict=True):
        new.name, new.dtype, new.shape = f"{old.name}/for {quantize.name}", old.dtype, old.shape
    graph_of(move).insert_before(quantize, made)
    quantize.replace_input_with(0, made.outputs[value.index() or 0])
    return made


def _coded(move: ir.Node, index: int, quantize: ir.Node) -> ir.Node | None:
    """Put Q and DQ before an operand; the Q, if it is new and follows something that computes."""
    value = move.inputs[index]
    if value is None:
        return None
    twin = _twin(value, quantize)
    graph = graph_of(move)
    label = f"{quantize.name}/before {move.name}/{index}"
    node = twin or ir.node(QUANTIZE, [value, *quantize.inputs[1:]], dict(quantize.attributes), name=label)
    if twin is None:
        codes = node.outputs[0]
        codes.name, codes.dtype, codes.shape = f"{label}/codes", quantize.outputs[0].dtype, value.shape
        graph.insert_before(move, node)
    elif _is_behind(twin, move):
        graph.remove(twin)
        graph.insert_before(move, twin)
    real = ir.node(DEQUANTIZE, [node.outputs[0], *quantize.inputs[1:]], name=f"{label}/dequantize")
    real.outputs[0].name, real.outputs[0].dtype = f"{label}/real", ir.DataType.FLOAT
    real.outputs[0].shape = value.shape
    graph.insert_before(move, real)
    move.replace_input_with(index, real.outputs[0])
    return node if twin is None and constant_of(value) is None else None


def _is_behind(node: ir.Node, other: ir.Node) -> bool:
    """Whether the node comes later in the graph's order."""
    return next(n for n in graph_of(node) if n is node or n is other) is other


def _twin(value: ir.Value, quantize: ir.Node) -> ir.Node | None:
    """A QuantizeLinear of the value that is there already, with the same parameters, and before the readers."""
    wanted = read_quantize(quantize)
    nodes = (use.node for use in value.uses())
    return next((n for n in nodes if is_op(n, QUANTIZE) and n is not quantize and read_quantize(n) == wanted), None)
