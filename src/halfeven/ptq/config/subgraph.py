"""The nodes between two sets of nodes or tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import onnx_ir as ir

from halfeven.errors import ParameterError
from halfeven.ptq.config.entry import nearest
from halfeven.ptq.config.settings import Subgraph

Nodes = list[ir.Node]


def nodes_between(subgraph: Subgraph, graph: ir.Graph, source: str) -> frozenset[str]:
    """Names of the nodes on any way from the inputs to the outputs, both ends included.

    A name is that of a node, or else of a tensor: as an input it means the nodes that read it, as an output the node
    that makes it.

    Raises
    ------
    ParameterError
        If a name is neither, or no way leads from an input to an output.
    """
    first = [n for name in subgraph.inputs for n in _named(name, "inputs", subgraph, graph, source)]
    last = [n for name in subgraph.outputs for n in _named(name, "outputs", subgraph, graph, source)]
    inside = _reached(first, ir.Node.successors) & _reached(last, ir.Node.predecessors)
    if not inside:
        raise ParameterError(
            f"{source}: subgraph_config.{subgraph.name}: no way leads from {', '.join(subgraph.inputs)} to "
            f"{', '.join(subgraph.outputs)}: inputs come before outputs"
        )
    return frozenset(str(node.name) for node in inside)


def _named(name: str, end: str, subgraph: Subgraph, graph: ir.Graph, source: str) -> Nodes:
    nodes = {str(node.name): node for node in graph}
    if name in nodes:
        return [nodes[name]]
    values = {str(v.name): v for v in (*graph.inputs, *(o for node in graph for o in node.outputs))}
    if name not in values:
        raise ParameterError(
            f"{source}: subgraph_config.{subgraph.name}.{end}: no node or tensor of the cleaned model is named "
            f"'{name}': {nearest(name, [*nodes, *values], 3)}"
        )
    producer = values[name].producer()
    return list(values[name].consumers()) if end == "inputs" else [producer] if producer is not None else []


def _reached(start: Nodes, step: Callable[[ir.Node], Iterable[ir.Node]]) -> set[ir.Node]:
    found, waiting = set(start), list(start)
    while waiting:
        for node in step(waiting.pop()):
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found
