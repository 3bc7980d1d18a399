"""Operators of ONNX that move codes as they stand: DequantizeLinear before them, QuantizeLinear behind."""

from __future__ import annotations

import onnx_ir as ir

from halfeven.interop.qdq import DEQUANTIZE, QUANTIZE, qtype_of
from halfeven.interop.qoperator.build import NotRewritten, Place, attributes_of
from halfeven.interop.values import constant, given, is_op

ONE_OPERAND = (
    "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "ReduceMax", "ReduceMin", "Reshape", "Resize",
    "Slice", "SpaceToDepth", "Squeeze", "Tile", "Transpose", "Unsqueeze",
)  # fmt: skip
MOVES = (*ONE_OPERAND, "Concat", "Pad", "Split")

INT32_BITS = 32  # integers of that width are shapes and indices

Params = tuple[ir.Value, ir.Value | None]
"""Scale and zero point, as values of the graph."""


def wrap_moves(model: ir.Model) -> int:
    """``move(codes)`` -> ``Q(move(DQ(codes)))`` on the codes' own parameters; return how many moves were wrapped.

    The parameters are those that the codes were made with; where they come from a graph input, those that they are
    read with. Neither changes a code: ``Q(DQ(q)) = q``.
    """
    params = _known_params(model.graph)
    count = 0
    for node in list(model.graph):
        known = params.get(node.inputs[0]) if _moves_codes(node) and node.inputs[0] is not None else None
        codes = [] if known is None else _wrapped(Place(node), known)
        params.update((value, known) for value in codes if known is not None)
        count += bool(codes)
    return count


def _moves_codes(node: ir.Node) -> bool:
    if not is_op(node, *MOVES) or (len(node.outputs) > 1 and node.op_type != "Split"):
        return False
    if node.op_type == "Resize" and _text(node, "mode", "nearest") != "nearest":
        return False
    x = node.inputs[0]
    qtype = None if x is None or constant(x) is not None else qtype_of(x.dtype)
    return qtype is not None and qtype.bits < INT32_BITS


def _text(node: ir.Node, name: str, default: str) -> str:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_string()


def _known_params(graph: ir.Graph) -> dict[ir.Value, Params]:
    """Parameters of tensors of codes: forwards from what makes them, then backwards from what reads them."""
    params: dict[ir.Value, Params] = {}
    nodes = list(graph)
    for node in nodes:
        if is_op(node, QUANTIZE):
            _learn(params, node.outputs[0], node)
        elif _moves_codes(node) and node.inputs[0] in params:
            params.update(dict.fromkeys(node.outputs, params[node.inputs[0]]))
    for node in reversed(nodes):
        if is_op(node, DEQUANTIZE) and node.inputs[0] is not None and node.inputs[0] not in params:
            _learn(params, node.inputs[0], node)
        elif _moves_codes(node) and node.outputs[0] in params and node.inputs[0] is not None:
            params.setdefault(node.inputs[0], params[node.outputs[0]])
    return params


def _learn(params: dict[ir.Value, Params], codes: ir.Value, node: ir.Node) -> None:
    scale = given(node, 1)
    known = constant(scale)
    if scale is not None and known is not None and known.size == 1:
        params[codes] = (scale, given(node, 2))


def _wrapped(place: Place, params: Params) -> list[ir.Value]:
    """The results of the wrapped move; none where it cannot be wrapped."""
    node, count = place.node, _operand_count(place.node)
    try:
        reals = [
            place.reals(value, *params, axis=0, role=f"dequantize{k}") for k, value in enumerate(node.inputs[:count])
        ]
        operands = [*reals, *node.inputs[count:]]
        if node.op_type == "Pad" and given(node, 2) is not None:
            operands[2] = place.reals(given(node, 2), *params, axis=0, role="dequantize2")
        moved = place.add_all(node.op_type, operands, "", attributes_of(node), len(node.outputs))
        codes = [place.quantized(y, *params, role=f"quantize{k}") for k, y in enumerate(moved)]
        for old, new in zip(node.outputs, codes, strict=True):
            new.shape = old.shape
        place.replace(codes)
    except NotRewritten:
        return []
    return codes


def _operand_count(node: ir.Node) -> int:
    return len(node.inputs) if node.op_type == "Concat" else 1
