"""The setting of every node: model, then operator, then subgraph, then node, each over the ones before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from halfeven.errors import ParameterError
from halfeven.interop.values import constant
from halfeven.numerics.qtype import QType, int4, int8
from halfeven.ptq.config.entry import close_to, nearest
from halfeven.ptq.config.settings import QuantConfig, TypeSetting
from halfeven.ptq.config.subgraph import nodes_between
from halfeven.ptq.config.words import FLOAT32, NumberType
from halfeven.ptq.operators import Role, operator_of

DEFAULT = "default"


@dataclass(frozen=True)
class InputSetting:
    """The type of one input that carries codes.

    Attributes
    ----------
    index, tensor : which input. is_weight : whether it is the constant weight of a product.
    source : the entry that says so.
    """

    index: int
    tensor: str
    is_weight: bool
    qtype: NumberType
    source: str


@dataclass(frozen=True)
class NodeSetting:
    """What holds for one node of the cleaned model.

    Attributes
    ----------
    qtype : of the activations that it reads; FLOAT32 keeps it in float32.
    source : the entry that says so: "default", "model_config", "op_config.Conv", "subgraph_config.head",
        "node_config.Conv_0".
    inputs : those that carry codes; none where the node has no integer form.
    """

    node: str
    operator: str
    qtype: NumberType
    source: str
    inputs: tuple[InputSetting, ...]

    def type_of(self, tensor: str) -> NumberType:
        """The widest type in which it reads that activation."""
        types = [i.qtype for i in self.inputs if i.tensor == tensor and not i.is_weight]
        return max(types, key=bits_of, default=self.qtype)

    @property
    def weight(self) -> NumberType | None:
        """The type of its weight; None where it has none."""
        return next((i.qtype for i in self.inputs if i.is_weight), None)


def bits_of(qtype: NumberType) -> int:
    """Width of a code; 0 for float32, which has none."""
    return qtype.bits if isinstance(qtype, QType) else 0


def resolve(
    config: QuantConfig,
    model: ir.Model,
    *,
    activations: QType = int8,
    weights: QType = int8,
    original: Collection[str] = (),
) -> tuple[NodeSetting, ...]:
    """The setting of each node of a cleaned-up model, in its order.

    Parameters
    ----------
    activations, weights : types where the configuration says nothing.
    original : names of the nodes before the clean-up, to say what became of one.

    Raises
    ------
    ParameterError
        If an entry names a node, a tensor, an operator or an input that is not there, or gives it a type that it cannot
        have.
    """
    nodes = {str(node.name): node for node in model.graph}
    _check_operators(config, nodes.values())
    _check_nodes(config, nodes, original)
    subgraphs = [(s, nodes_between(s, model.graph, config.source)) for s in config.subgraphs]
    base = config.all_node_type or activations, "model_config" if config.all_node_type else DEFAULT
    found = []
    for name, node in nodes.items():
        levels = [(config.ops[node.op_type], f"op_config.{node.op_type}")] if node.op_type in config.ops else []
        levels += [(s.types, f"subgraph_config.{s.name}") for s, inside in subgraphs if name in inside]
        levels += [(config.nodes[name], f"node_config.{name}")] if name in config.nodes else []
        found.append(_setting(config, node, levels, base, weights))
    return tuple(found)


def _check_operators(config: QuantConfig, nodes: Collection[ir.Node]) -> None:
    here = {node.op_type for node in nodes}
    known = here | {schema.name for schema in onnx.defs.get_all_schemas()}
    for operator in config.ops:
        if operator not in known:
            hint = nearest(operator, known if close_to(operator, known) else here)
            raise ParameterError(f"{config.source}: op_config: no operator is named '{operator}': {hint}")


def _check_nodes(config: QuantConfig, nodes: Collection[str], original: Collection[str]) -> None:
    for name in config.nodes:
        if name not in nodes:
            became = "was simplified away" if name in original else "is not there"
            raise ParameterError(
                f"{config.source}: node_config: the node '{name}' {became}: names are those of the cleaned model, "
                f"{nearest(name, nodes, 3)}"
            )


def _setting(
    config: QuantConfig,
    node: ir.Node,
    levels: Sequence[tuple[TypeSetting, str]],
    base: tuple[NumberType, str],
    weights: QType,
) -> NodeSetting:
    qtype, source = base
    for types, place in levels:
        if types.qtype is not None:
            qtype, source = types.qtype, place
    inputs = {i.index: i for i in _inputs(node, qtype, source, weights)}
    for types, place in levels:
        for index, wanted in types.inputs.items():
            if index not in inputs:
                raise ParameterError(f"{config.source}: {place}.input{index}: {_no_codes(node, index, inputs)}")
            if wanted is int4 and not inputs[index].is_weight:
                raise ParameterError(
                    f"{config.source}: {place}.input{index}: int4 is a type of weights, and '{inputs[index].tensor}' "
                    "is an activation: int8 or int16"
                )
            inputs[index] = InputSetting(index, inputs[index].tensor, inputs[index].is_weight, wanted, place)
    return NodeSetting(str(node.name), node.op_type, qtype, source, tuple(inputs.values()))


def _inputs(node: ir.Node, qtype: NumberType, source: str, weights: QType) -> Iterator[InputSetting]:
    """The inputs that carry codes: a node's type is that of its activations, weights have theirs."""
    operator = operator_of(node)
    if operator is None:
        return
    product = operator.role is Role.PRODUCT
    for index, value in enumerate(node.inputs[: 2 if product else operator.operands]):
        if value is None:
            continue
        is_weight = product and index == 1 and constant(value) is not None
        kept = qtype == FLOAT32 or not is_weight
        yield InputSetting(index, str(value.name), is_weight, qtype if kept else weights, source if kept else DEFAULT)


def _no_codes(node: ir.Node, index: int, inputs: Collection[int]) -> str:
    what = f"'{node.name}' ({node.op_type})"
    if not inputs:
        return f"{what} has no integer form, so no input of it has a type: leave it out"
    there = ", ".join(f"input{k}" for k in inputs)
    if index < len(node.inputs):
        value = node.inputs[index]
        return f"input {index} of {what} ('{value.name if value else ''}') carries no codes: {there} may be set"
    return f"{what} has {len(node.inputs)} inputs: {there} may be set"
