"""DequantizeLinear goes behind what only moves values.

What a move hands on of ``DQ(q)`` lies on q's own grid, and ``DQ(Q(r)) = r`` there: ``move(DQ(q)) = DQ(Q(move(DQ(q))))``
with the same parameters, and the inner three are a move of codes.
"""

from __future__ import annotations

import onnx_ir as ir

from halfeven.interop.qdq import DEQUANTIZE, QUANTIZE, read_quantize
from halfeven.interop.rewrite import graph_of
from halfeven.interop.values import is_op
from halfeven.lower.prepare.before_moves import moved_operands
from halfeven.lower.site import constant_of


def dequantize_behind_moves(model: ir.Model) -> int:
    """``move(DQ(q))`` -> ``DQ(Q(move(DQ(q))))`` where something reads it that is no QuantizeLinear; return how many."""
    count = 0
    for node in list(model.graph):
        source = _shared_dequantize(node)
        if source is not None:
            count += sum(_coded(value, source) for value in node.outputs)
    return count


def _shared_dequantize(move: ir.Node) -> ir.Node | None:
    """The DequantizeLinear behind a move's operands, where there is one set of parameters and it is not constant."""
    operands = [move.inputs[k] for k in moved_operands(move)]
    if is_op(move, "Pad") and len(operands) > 1:
        return None  # its padding may lie between two codes
    found = [None if v is None else v.producer() for v in operands]
    first = found[0] if found else None
    if first is None or not all(n is not None and is_op(n, DEQUANTIZE) for n in found):
        return None
    params = read_quantize(first)
    same = all(n is not None and read_quantize(n) == params for n in found)
    constant = all(n is not None and constant_of(n.inputs[0]) is not None for n in found)
    return first if same and params.axis is None and len(first.inputs) > 2 and not constant else None  # noqa: PLR2004


def _coded(value: ir.Value, source: ir.Node) -> bool:
    """Put Q and DQ with the parameters of ``source`` behind a value, for its readers that are no QuantizeLinear."""
    readers = [use for use in value.uses() if not is_op(use.node, QUANTIZE)]
    if not readers and not value.is_graph_output():
        return False
    move, label = value.producer(), f"{value.name}/behind"
    if move is None:
        return False
    quantize = ir.node(QUANTIZE, [value, *source.inputs[1:]], name=f"{label}_quantize")
    real = ir.node(DEQUANTIZE, [quantize.outputs[0], *source.inputs[1:]], name=f"{label}_dequantize")
    codes, result = quantize.outputs[0], real.outputs[0]
    codes.name, codes.dtype, codes.shape = f"{label}_codes", source.inputs[0].dtype, value.shape
    result.name, result.dtype, result.shape = f"{label}_real", value.dtype, value.shape
    graph = graph_of(move)
    graph.insert_after(move, [quantize, real])
    if value.is_graph_output():  # the output keeps its name
        value.name, result.name = result.name, value.name
        outputs = graph.outputs
        for place, output in enumerate(outputs):
            if output is value:
                outputs[place] = result
    for use in readers:
        use.node.replace_input_with(use.idx, result)
    return True
