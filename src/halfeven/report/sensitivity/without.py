"""Everything in codes but one layer's weight and result: the quantized model with those quantizers taken out."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from halfeven.interop.names import fresh_name
from halfeven.interop.values import constant, given, is_op
from halfeven.ptq.groups import MOVING
from halfeven.ptq.operators import operator_of
from halfeven.report.layers import DEQUANTIZE, QUANTIZE


def take_out(
    quantized: ir.Model, tensor: str, product: str | None, weights: Mapping[str, ir.Tensor]
) -> ir.Model | None:
    """A copy in which ``tensor`` (codes) is not quantized, nor the weight of ``product``; None where nothing can go.

    What a moving operator makes of the tensor is not quantized either, where it has the same codes.

    Parameters
    ----------
    weights : float weights by the name of their product.
    """
    model = quantized.clone()
    writers = {str(v.name): node for node in model.graph for v in node.outputs}
    changed = _bypass(model.graph, writers.get(tensor))
    if product is not None and product in weights:
        changed |= _restore(model.graph, product, weights[product])
    return model if changed else None


def _bypass(graph: ir.Graph, quantize: ir.Node | None) -> bool:
    """Let everything that reads the codes' reals read the value before its QuantizeLinear."""
    if quantize is None or not is_op(quantize, QUANTIZE) or quantize.inputs[0] is None:
        return False
    real, params = quantize.inputs[0], _params(quantize)
    for dequantize in list(quantize.outputs[0].consumers()):
        if not is_op(dequantize, DEQUANTIZE):
            continue
        out = dequantize.outputs[0]
        readers = list(out.consumers())
        for use in list(out.uses()):
            use.node.replace_input_with(use.idx, real)
        if out.is_graph_output():
            _hand_out(graph, out, real)
        for reader in readers:
            for result in reader.outputs if _moves(reader) else ():
                for behind in list(result.consumers()):
                    if is_op(behind, QUANTIZE) and _params(behind) == params:
                        _bypass(graph, behind)
    return True


def _moves(node: ir.Node) -> bool:
    """Whether its result has the codes of what it reads."""
    operator = operator_of(node)
    return operator is not None and operator.role in MOVING


def _params(node: ir.Node) -> tuple[object, ...]:
    arrays = (constant(given(node, 1)), constant(given(node, 2)))
    return tuple(None if a is None else (a.tobytes(), a.dtype.str) for a in arrays)


def _hand_out(graph: ir.Graph, out: ir.Value, real: ir.Value) -> None:
    """Make ``real`` the output in place of ``out``, under its name."""
    name, taken = str(out.name), {str(v.name) for node in graph for v in node.outputs}
    out.name = fresh_name(f"{name}_dequantized", taken)
    real.name = name
    for k, output in enumerate(graph.outputs):
        if output is out:
            graph.outputs[k] = real


def _restore(graph: ir.Graph, product: str, weight: ir.Tensor) -> bool:
    """Let the product read its float weight."""
    node = next((n for n in graph if n.name == product), None)
    if node is None or given(node, 1) is None:
        return False
    name = fresh_name(f"{weight.name}_float", set(graph.initializers))
    value = ir.Value(name=name, shape=weight.shape, type=ir.TensorType(weight.dtype), const_value=weight)
    graph.register_initializer(value)
    node.replace_input_with(1, value)
    return True
