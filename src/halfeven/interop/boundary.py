"""QDQ models whose inputs and outputs are the codes themselves, as a board sees them, or the reals of these codes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from halfeven.interop.lines import model_error
from halfeven.interop.names import fresh_name
from halfeven.interop.passes.unused import remove_unused
from halfeven.interop.qdq import (
    DEQUANTIZE,
    QUANTIZE,
    data_type,
    dequantize_linear,
    insert,
    quantize_linear,
    read_quantize,
)
from halfeven.interop.values import is_op


@dataclass(frozen=True, eq=False)
class Exposed:
    """The model, and why some of its inputs and outputs are not codes; one line each."""

    model: ir.Model
    remarks: tuple[str, ...]


def expose_codes(model: ir.Model, names: Collection[str] | None = None) -> Exposed:
    """Take the QuantizeLinear behind inputs and the DequantizeLinear before outputs away; names stay.

    Every element means the same code as before, so all inner results are the same.

    Parameters
    ----------
    names : of the inputs and outputs; None for all that carry codes, with a remark on each of the others.

    Raises
    ------
    ModelError
        If one of ``names`` carries no codes, or is no input or output.
    """
    made = model.clone()
    ports = [*made.graph.inputs, *made.graph.outputs]
    missing = {*(names or ())} - {str(v.name) for v in ports}
    if missing:
        raise model_error(
            f"the model has no input or output '{min(missing)}': it has {', '.join(str(v.name) for v in ports)}"
        )
    remarks = []
    for value in [v for v in ports if names is None or v.name in names]:
        expose = _expose_input if value.is_graph_input() else _expose_output
        reason = expose(made.graph, value)
        if reason is not None and names is not None:
            raise model_error(f"'{value.name}' cannot be codes: {reason}")
        remarks += [] if reason is None else [f"'{value.name}' is not codes: {reason}"]
    remove_unused(made)
    return Exposed(made, tuple(remarks))


def _expose_input(graph: ir.Graph, x: ir.Value) -> str | None:
    """Let the input be what its QuantizeLinear makes; or the reason why that cannot be."""
    nodes = [use.node for use in x.uses()]
    if x.dtype is not None and not x.dtype.is_floating_point():
        codes = nodes and all(is_op(node, DEQUANTIZE) for node in nodes)
        return None if codes else f"its values are {x.dtype.name.lower()}, and nothing quantizes them"
    reason = _against(x, nodes)
    if reason is not None:
        return reason
    x.type = ir.TensorType(data_type(read_quantize(nodes[0]).qtype))  # not its dtype: a clone shares types
    for node in nodes:
        for use in list(node.outputs[0].uses()):
            use.node.replace_input_with(use.idx, x)
        graph.remove(node, safe=True)
    return None


def _against(x: ir.Value, nodes: Sequence[ir.Node]) -> str | None:
    """Why a float input that these nodes read cannot be given as codes."""
    other = next((node for node in nodes if not is_op(node, QUANTIZE)), None)
    if other is not None:
        return f"{other.op_type} '{other.name}' reads it as floats"
    if not nodes:
        return "nothing reads it"
    params = [read_quantize(node) for node in nodes]
    if any(p != params[0] for p in params):
        return f"{len(nodes)} nodes quantize it, not all alike"
    out = x.is_graph_output() or any(node.outputs[0].is_graph_output() for node in nodes)
    return "it is an output too" if out else None


def _expose_output(graph: ir.Graph, y: ir.Value) -> str | None:
    """Let the output be what its DequantizeLinear reads; or the reason why that cannot be."""
    node = y.producer()
    if y.dtype is not None and not y.dtype.is_floating_point():
        return None if is_op(node, QUANTIZE) else f"its values are {y.dtype.name.lower()}, and nothing quantizes them"
    codes = node.inputs[0] if node is not None and is_op(node, DEQUANTIZE) else None
    if node is None or codes is None:
        return f"{node.op_type} '{node.name}' makes it as floats" if node is not None else "nothing computes it"
    if codes.producer() is None or codes.is_graph_output():
        return f"its codes '{codes.name}' are an {'output' if codes.is_graph_output() else 'input or constant'} too"
    name = str(y.name)
    y.name = fresh_name(f"{name}_dequantized", _taken(graph))
    codes.name, codes.type = name, ir.TensorType(data_type(read_quantize(node).qtype))
    codes.shape = codes.shape if codes.shape is not None else y.shape
    for k, output in enumerate(graph.outputs):
        if output is y:
            graph.outputs[k] = codes
    if not y.uses():
        graph.remove(node, safe=True)
    return None


def hide_codes(model: ir.Model, names: Collection[str] | None = None) -> ir.Model:
    """The reverse: inputs and outputs that are codes become float32, with a Quantize- or DequantizeLinear between.

    ``names`` : of the inputs and outputs; None for all.
    """
    made = model.clone()
    first = next(iter(made.graph), None)
    for x in [v for v in made.graph.inputs if names is None or v.name in names]:
        uses = list(x.uses())
        if not uses or x.is_graph_output() or not all(is_op(use.node, DEQUANTIZE) for use in uses):
            continue
        params = read_quantize(uses[0].node)
        if any(read_quantize(use.node) != params for use in uses):
            continue
        x.type = ir.TensorType(ir.DataType.FLOAT)
        codes = insert(made.graph, quantize_linear(x, params, _label(made.graph, x)), before=first)
        for use in uses:
            use.node.replace_input_with(use.idx, codes)
    for k, y in enumerate(made.graph.outputs):
        node = y.producer()
        if (names is not None and y.name not in names) or node is None or not is_op(node, QUANTIZE):
            continue
        name, label = str(y.name), _label(made.graph, y)
        y.name = fresh_name(f"{name}_quantized", _taken(made.graph))
        real = insert(made.graph, dequantize_linear(y, read_quantize(node), label), before=None)
        real.name, made.graph.outputs[k] = name, real
    return made


def _label(graph: ir.Graph, value: ir.Value) -> str:
    """A name that with what Q and DQ put behind it is new."""
    return fresh_name(f"{value.name}_boundary", _taken(graph))


def _taken(graph: ir.Graph) -> set[str]:
    values = (*graph.inputs, *graph.initializers.values(), *(v for node in graph for v in node.outputs))
    return {str(v.name) for v in values}
