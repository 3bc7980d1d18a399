"""The wiring of a graph, checked on the file's own names so that errors can name the culprit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

import onnx

from halfeven.interop.lines import model_error


def node_label(node: onnx.NodeProto) -> str:
    """The node's name, or its first output where the file gives none."""
    return str(node.name or next((o for o in node.output if o), ""))


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The bodies of If, Loop, Scan."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def check_structure(model: onnx.ModelProto, source: str) -> None:
    """Check names and wiring of the graph and its subgraphs; bring nodes into topological order where they are not.

    Raises
    ------
    ModelError
        For an empty graph, a name that is not UTF-8 or is given twice, an input that nothing produces, a cycle,
        a graph input that is not a tensor.
    """
    _check_text(model, source)
    graph = model.graph
    if not graph.node:
        raise model_error(f"{source}: the graph has no nodes: export the model again", source=source)
    if not graph.output:
        raise model_error(f"{source}: the graph has no outputs: export the model again", source=source)
    _check_ports(graph, source)
    _check_graph(graph, frozenset(), source)


def _check_graph(graph: onnx.GraphProto, outer: frozenset[str], source: str) -> None:
    _check_unique(graph, source)
    visible = outer.union(_fed(graph), (o for node in graph.node for o in node.output if o))
    for node in graph.node:
        for name in node.input:
            if name and name not in visible:
                raise model_error(
                    f"{source}: node '{node_label(node)}' ({node.op_type}) reads '{name}', which no node, input or "
                    "initializer of the graph produces: export the model again with all of its parts",
                    source=source,
                    node=node_label(node),
                )
        for body in subgraphs(node):
            _check_graph(body, visible, source)
    for output in graph.output:
        if output.name not in visible:
            raise model_error(
                f"{source}: the output '{output.name}' is produced by no node: export the model again", source=source
            )
    _sort(graph, source)


def _fed(graph: onnx.GraphProto) -> set[str]:
    """Names with a value before any node runs."""
    return {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}


def _check_unique(graph: onnx.GraphProto, source: str) -> None:
    def refuse_repeats(names: Iterable[str], what: str) -> None:
        for name, count in Counter(names).items():
            if count > 1:
                raise model_error(
                    f"{source}: the name '{name}' is given to {count} {what}, and one was expected: rename the others",
                    source=source,
                )

    if not all(tensor.name for tensor in graph.initializer):
        raise model_error(f"{source}: an initializer has no name: export the model again", source=source)
    refuse_repeats((value.name for value in graph.input), "inputs")
    refuse_repeats((value.name for value in graph.output), "outputs")
    refuse_repeats((tensor.name for tensor in graph.initializer), "initializers")
    produced = [name for node in graph.node for name in node.output if name]
    refuse_repeats([*produced, *_fed(graph)], "values (node outputs, inputs, initializers)")


def _check_ports(graph: onnx.GraphProto, source: str) -> None:
    for value in graph.input:
        if not value.type.HasField("tensor_type"):
            raise model_error(
                f"{source}: the input '{value.name}' is not a tensor: only tensors are read", source=source
            )
        if not value.type.tensor_type.HasField("shape"):
            raise model_error(
                f"{source}: the input '{value.name}' has no shape: export it with its rank (dynamic sizes are fine)",
                source=source,
            )


def reads(node: onnx.NodeProto) -> set[str]:
    """Names that a node needs, those captured by its subgraphs included."""
    names = {name for name in node.input if name}
    for body in subgraphs(node):
        inside = _fed(body).union(o for inner in body.node for o in inner.output)
        needed: set[str] = {output.name for output in body.output}.union(*(reads(inner) for inner in body.node))
        names |= needed - inside
    return names


def _sort(graph: onnx.GraphProto, source: str) -> None:
    """Bring the nodes into an order in which every value is produced before it is read."""
    producer = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    needs = [{producer[name] for name in reads(node) if name in producer} for node in graph.node]
    if all(max(need, default=-1) < i for i, need in enumerate(needs)):
        return
    try:
        order = list(TopologicalSorter(dict(enumerate(needs))).static_order())
    except CycleError as error:
        ring = " -> ".join(node_label(graph.node[i]) for i in reversed(error.args[1]))
        raise model_error(
            f"{source}: these nodes feed each other in a circle: {ring}: a graph without cycles was expected",
            source=source,
            node=node_label(graph.node[error.args[1][0]]),
        ) from None
    nodes = [graph.node[i] for i in order]
    ordered = onnx.GraphProto()
    ordered.node.extend(nodes)
    del graph.node[:]
    graph.node.extend(ordered.node)


def _check_text(model: onnx.ModelProto, source: str) -> None:
    """Names must be UTF-8; protobuf hands out bytes, or fails, where they are not."""
    bad: object = None
    try:
        bad = next((name for name in _names(model) if not isinstance(name, str)), None)
    except UnicodeDecodeError as error:
        bad = error.object
    if bad is not None:
        raise model_error(
            f"{source}: the name {bad!r} is not valid UTF-8 text: the file is damaged, export it again", source=source
        )


def _names(model: onnx.ModelProto) -> Iterator[str]:
    for opset in model.opset_import:
        yield opset.domain
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)
    yield from (model.producer_name, model.producer_version, model.domain, model.doc_string)
    yield from _graph_names(model.graph)
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output, *function.attribute)
        for node in function.node:
            yield from _node_names(node)


def _graph_names(graph: onnx.GraphProto) -> Iterator[str]:
    yield from (graph.name, graph.doc_string)
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield from (value.name, value.doc_string)
        yield from (d.dim_param for d in value.type.tensor_type.shape.dim)
    for tensor in graph.initializer:
        yield from (tensor.name, tensor.doc_string)
    for node in graph.node:
        yield from _node_names(node)


def _node_names(node: onnx.NodeProto) -> Iterator[str]:
    yield from (node.name, node.op_type, node.domain, node.doc_string, *node.input, *node.output)
    for attribute in node.attribute:
        yield from (attribute.name, attribute.ref_attr_name, attribute.doc_string)
        yield from (text.decode() for text in (attribute.s, *attribute.strings))
    for body in subgraphs(node):
        yield from _graph_names(body)
