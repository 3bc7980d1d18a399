"""Blocks: the nodes that compute one result in integers, with no codes between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from halfeven.interop.marks import BIAS_OF, FUNCTION
from halfeven.interop.passes.clips import clip_bounds
from halfeven.interop.values import constant, given, is_op, only_reader
from halfeven.ptq.operators import Operator, Role, carriers, operator_of

REALS = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.BFLOAT16})


@dataclass(frozen=True, eq=False)
class Block:
    """``Q(activation(node(DQ(operands)) + bias))``.

    Attributes
    ----------
    nodes : the operator, then a bias Add and an activation fused to it; of a Swish its Sigmoid and its Mul.
    role : of the operator.
    operands : values whose codes it reads, constants among them; of a product without the weight.
    results : its values that carry codes.
    weight, bias : constants of a product, else None.
    """

    nodes: tuple[ir.Node, ...]
    role: Role
    operands: tuple[ir.Value, ...]
    results: tuple[ir.Value, ...]
    weight: ir.Value | None = None
    bias: ir.Value | None = None

    @property
    def node(self) -> ir.Node:
        """The operator."""
        return self.nodes[0]


@dataclass(frozen=True)
class FloatNode:
    """A node that stays in float32, and why."""

    name: str
    operator: str
    reason: str


def find_blocks(graph: ir.Graph, keep: Mapping[str, str]) -> tuple[list[Block], list[FloatNode]]:
    """Every node that computes with real numbers: as a part of a block, or left in float32 with the reason.

    Nodes that compute shapes and indices are neither. ``keep``: nodes that are to stay in float32, and why.
    """
    blocks: list[Block] = []
    floats: list[FloatNode] = []
    covered: set[ir.Node] = set()
    for node in graph:
        if node in covered or not _reads_or_makes_reals(node):
            continue
        operator = operator_of(node)
        reason = "no integer form is known" if operator is None else _refusal(node, operator)
        reason = keep.get(str(node.name), reason)
        if operator is None or reason is not None:
            floats.append(float_node(node, str(reason)))
            continue
        block = _block(node, operator, keep)
        covered.update(block.nodes)
        blocks.append(block)
    return blocks, floats


def float_node(node: ir.Node, reason: str) -> FloatNode:
    """The node, left in float32."""
    return FloatNode(node.name or "", node.op_type, reason)


def _reads_or_makes_reals(node: ir.Node) -> bool:
    if is_op(node, "Shape", "Size"):  # of a real tensor, but not of its values
        return False
    return any(v is not None and v.dtype in REALS for v in (*node.inputs, *node.outputs)) or any(
        v.dtype is None for v in node.outputs if v.name
    )


def _refusal(node: ir.Node, operator: Operator) -> str | None:
    operands = carriers(node, operator)
    if any(v is None for v in operands):
        return "an operand is left out"
    for value in (*operands, node.outputs[0]):
        if value is not None and value.dtype != ir.DataType.FLOAT:
            kind = "of unknown type" if value.dtype is None else str(value.dtype.name).lower()
            return f"'{value.name}' is {kind}, not float"
    if all(constant(v) is not None for v in operands):
        return "its operands are constant"
    return operator.refusal(node)


def _block(node: ir.Node, operator: Operator, keep: Mapping[str, str]) -> Block:
    nodes, bias = [node], given(node, 2) if operator.role is Role.PRODUCT else None
    if operator.role is Role.PRODUCT and (add := _bias_add(node)) is not None and add.name not in keep:
        nodes.append(add)
        bias = next(v for v in add.inputs if constant(v) is not None)
    if (swish := _swish_product(node)) is not None and swish.name not in keep:
        nodes.append(swish)
    if operator.clamps and (activation := _activation(nodes[-1])) is not None and activation.name not in keep:
        nodes.append(activation)
    return Block(
        tuple(nodes),
        operator.role,
        tuple(v for v in carriers(node, operator) if v is not None),
        tuple(v for v in nodes[-1].outputs if v.dtype == ir.DataType.FLOAT),
        node.inputs[1] if operator.role is Role.PRODUCT else None,
        bias,
    )


def _bias_add(node: ir.Node) -> ir.Node | None:
    """The Add that clean-up marked as this MatMul's bias."""
    reader = only_reader(node.outputs[0])
    marked = is_op(reader, "Add") and reader is not None and reader.metadata_props.get(BIAS_OF) == node.name
    return reader if marked else None


def _swish_product(node: ir.Node) -> ir.Node | None:
    """The Mul that with this Sigmoid is a Swish, as clean-up marked it: one function, one table."""
    reader = only_reader(node.outputs[0]) if node.metadata_props.get(FUNCTION) == "Swish" else None
    return reader if is_op(reader, "Mul") else None


def _activation(node: ir.Node) -> ir.Node | None:
    """The Relu or Clip by constants that alone reads the node's result."""
    reader = only_reader(node.outputs[0])
    clamps = is_op(reader, "Relu", "Clip") and clip_bounds(reader) is not None
    return reader if clamps and reader is not None and reader.inputs[0] is node.outputs[0] else None


def real_operands(block: Block) -> Iterator[ir.Value]:
    """The operands that are not constant."""
    return (v for v in block.operands if constant(v) is None)


def constant_operands(blocks: Sequence[Block]) -> Iterator[ir.Value]:
    """Constants that are quantized as activations are."""
    return (v for block in blocks for v in block.operands if constant(v) is not None)
