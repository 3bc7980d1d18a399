"""What a model takes and gives at its edges: reals behind codes, the codes themselves, or reals without any."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

import onnx_ir as ir

from halfeven.errors import ParameterError
from halfeven.interop.boundary import expose_codes, hide_codes
from halfeven.interop.values import constant, is_op
from halfeven.ptq.blocks import Block, find_blocks
from halfeven.ptq.groups import MOVING
from halfeven.ptq.operators import Role


class Edge(str, Enum):
    """One input or output.

    FLOAT : float32 values, which a QuantizeLinear rounds to codes or a DequantizeLinear makes of codes at the edge.
    CODES : the integer codes themselves, with neither.
    UNQUANTIZED : float32 values without codes: what reads the input computes in float32; an output comes straight from
        the sums of the last product, by one scale.
    """

    FLOAT = "float"
    CODES = "codes"
    UNQUANTIZED = "unquantized"


Boundary = Edge | str | Mapping[str, Edge | str]


def edges_of(boundary: Boundary, inputs: Sequence[str], outputs: Sequence[str]) -> dict[str, Edge]:
    """What was asked for each input and output by name; those of which nothing is said are left out.

    Raises
    ------
    ParameterError
        If there is no such word, or no such input or output.
    """
    names = [*inputs, *outputs]
    if not isinstance(boundary, Mapping):
        edge = _edge(boundary)
        return {} if edge is Edge.FLOAT else dict.fromkeys(names, edge)
    for name in boundary:
        if name not in names:
            near = get_close_matches(str(name), names, 1)
            known = f"inputs are {', '.join(inputs)}, outputs {', '.join(outputs)}"
            hint = f"'{near[0]}' is near it" if near else known
            raise ParameterError(f"boundary: the model has no input or output '{name}': {hint}")
    return {name: _edge(word) for name, word in boundary.items()}


def _edge(word: Edge | str) -> Edge:
    try:
        return Edge(word)
    except ValueError:
        expected = ", ".join(edge.value for edge in Edge)
        raise ParameterError(f"boundary: no form is named {word!r}: one of {expected} was expected") from None


def rewritten(model: ir.Model, boundary: Boundary) -> ir.Model:
    """A quantized model with codes or float32 values at its edges; in a dict, those that are not named stay.

    Raises
    ------
    ParameterError, ModelError
        If there is no such word, no such input or output, or no codes where they are named.
    """
    inputs, outputs = ([str(v.name) for v in ports] for ports in (model.graph.inputs, model.graph.outputs))
    if isinstance(boundary, Mapping):
        edges = edges_of(boundary, inputs, outputs)
    else:
        edges = dict.fromkeys([*inputs, *outputs], _edge(boundary))
    if Edge.UNQUANTIZED in edges.values():
        raise ParameterError("boundary: 'unquantized' is chosen before scales are: quantize the float model with it")
    found = hide_codes(model, [name for name, edge in edges.items() if edge is Edge.FLOAT])
    codes = [name for name, edge in edges.items() if edge is Edge.CODES]
    return expose_codes(found, codes if isinstance(boundary, Mapping) else None).model if codes else found


@dataclass(frozen=True)
class OpenEnds:
    """What stays without codes so that edges are unquantized.

    Attributes
    ----------
    keep : nodes that compute in float32, and why.
    sums : values that products hand out as they are summed. outputs : the model's, that are read before any codes.
    """

    keep: Mapping[str, str]
    sums: frozenset[str]
    outputs: frozenset[str]


def open_ends(graph: ir.Graph, keep: Mapping[str, str], edges: Mapping[str, Edge]) -> OpenEnds:
    """Follow unquantized edges into the model.

    1. What reads an unquantized input, directly or through moves, stays in float32.
    2. What makes an unquantized output stays in float32, and so does what makes its operands where nothing else reads
       them, up to products, whose sums need no codes. An output that integer operators read too has codes for these.

    Parameters
    ----------
    keep : nodes that stay in float32 anyway.
    """
    blocks, _ = find_blocks(graph, keep)
    kept = dict(keep)
    _keep_readers(graph, blocks, edges, kept)
    names = [str(v.name) for v in graph.outputs if edges.get(str(v.name)) is Edge.UNQUANTIZED]
    makers = {value: block for block in blocks for value in block.results}
    sums: set[str] = set()
    todo = [(v, str(v.name)) for v in graph.outputs if v.name in names]
    while todo:
        value, output = todo.pop()
        maker, node = makers.get(value), value.producer()
        if node is None or _read_in_integers(value, blocks, kept):
            continue
        if maker is not None and _is_product(maker) and maker.node.name not in kept:
            sums.add(str(value.name))
            continue
        made_by = (node,) if maker is None else maker.nodes
        kept.update({str(n.name): kept.get(str(n.name), f"output '{output}' is left unquantized") for n in made_by})
        inside = {v for n in made_by for v in n.outputs}
        operands = [v for n in made_by for v in n.inputs if v is not None and v not in inside and constant(v) is None]
        todo += [(v, output) for v in operands if not v.is_graph_output() or v.name in names]
    return OpenEnds(kept, frozenset(sums), frozenset(names))


def _keep_readers(graph: ir.Graph, blocks: Sequence[Block], edges: Mapping[str, Edge], kept: dict[str, str]) -> None:
    todo = [(v, str(v.name)) for v in graph.inputs if edges.get(str(v.name)) is Edge.UNQUANTIZED]
    while todo:
        value, name = todo.pop()
        for block in _readers(value, blocks):
            fresh = block.node.name not in kept
            kept.update({str(n.name): f"input '{name}' is left unquantized" for n in block.nodes if n.name not in kept})
            if fresh and block.role in MOVING:
                todo += [(v, name) for v in block.results]


def _is_product(block: Block) -> bool:
    return block.role is Role.PRODUCT or is_op(block.node, "MatMul")


def _readers(value: ir.Value, blocks: Sequence[Block]) -> Iterator[Block]:
    nodes = {use.node for use in value.uses()}
    return (block for block in blocks if nodes.intersection(block.nodes))


def _read_in_integers(value: ir.Value, blocks: Sequence[Block], kept: Collection[str]) -> bool:
    return any(block.node.name not in kept for block in _readers(value, blocks))
