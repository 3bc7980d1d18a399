"""What clean-up passes share: a node replaced by another, a node absorbed by the one before it, a node's graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx_ir as ir


def graph_of(node: ir.Node) -> ir.Graph:
    """The graph that the node stands in."""
    graph = node.graph
    if not isinstance(graph, ir.Graph):
        raise TypeError(f"node '{node.name}' stands in no graph")
    return graph


def replace(
    node: ir.Node, op_type: str, inputs: Sequence[ir.Value | None], attributes: Mapping[str, Any] | None = None
) -> ir.Node:
    """Put another operator with one output in the place of ``node``; names of node and output stay."""
    made = ir.node(op_type, inputs, attributes, name=node.name, metadata_props=dict(node.metadata_props))
    ir.convenience.replace_nodes_and_values(graph_of(node), node, [node], [made], [node.outputs[0]], [made.outputs[0]])
    return made


def absorb(node: ir.Node, into: ir.Node) -> None:
    """Remove ``node``: ``into``, which feeds it, now computes its output, and that value keeps its name."""
    old, new = node.outputs[0], into.outputs[0]
    new.name, new.type = old.name, old.type or new.type
    new.shape = old.shape if old.shape is not None else new.shape
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    graph_of(node).remove(node, safe=True)


def bypass(node: ir.Node) -> bool:
    """Remove a node that hands on its first input; return whether that could be done.

    A node between an input (or constant, or another output) of the graph and an output of it has to stay.
    """
    x, y = node.inputs[0], node.outputs[0]
    if x is None:
        return False
    if y.is_graph_output():
        producer = x.producer()
        if producer is None or x.is_graph_output() or producer.graph is not node.graph:
            return False
        x.name = y.name
    if x.shape is None:
        x.shape = y.shape
    if x.dtype is None:
        x.dtype = y.dtype
    y.replace_all_uses_with(x, replace_graph_outputs=True)
    graph_of(node).remove(node, safe=True)
    return True


def bodies(node: ir.Node) -> Iterator[ir.Graph]:
    """The graphs inside an If, Loop or Scan."""
    for attribute in node.attributes.values():
        if attribute.type is ir.AttributeType.GRAPH:
            yield attribute.as_graph()
        elif attribute.type is ir.AttributeType.GRAPHS:
            yield from attribute.as_graphs()
