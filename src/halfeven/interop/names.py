"""A unique, stable name for every node, and fresh names for new values."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from halfeven.interop.rewrite import bodies


def name_nodes(model: ir.Model) -> int:
    """Name unnamed nodes after their first output, and tell nodes of one name apart; return how many were named."""
    taken: set[str] = set()
    changed = 0
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        wanted = node.name or next((o.name for o in node.outputs if o.name), node.op_type)
        name = fresh_name(wanted, taken)
        changed += name != node.name
        node.name = name
        taken.add(name)
    return changed


def fresh_name(wanted: str, taken: set[str]) -> str:
    """``wanted``, or with the first number behind it that makes it new."""
    name, count = wanted, 0
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    return name


def add_constant(graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
    """Register an initializer under a name that no value of the graph or its subgraphs has."""
    fresh = fresh_name(name, set(_value_names(graph)))
    value = ir.Value(name=fresh, const_value=tensor, type=ir.TensorType(tensor.dtype), shape=ir.Shape(tensor.shape))
    graph.register_initializer(value)
    return value


def _value_names(graph: ir.Graph) -> Iterator[str]:
    yield from (value.name for value in (*graph.inputs, *graph.initializers.values()) if value.name)
    for node in graph:
        yield from (value.name for value in node.outputs if value.name)
        for body in bodies(node):
            yield from _value_names(body)
