"""Where codes are: one answer for post-training quantization, training and lowering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import onnx_ir as ir

from halfeven.interop.values import constant
from halfeven.ptq.blocks import Block, FloatNode, constant_operands, find_blocks, float_node, real_operands
from halfeven.ptq.boundary import Edge, open_ends
from halfeven.ptq.groups import Groups
from halfeven.ptq.operators import Role, weight_axis


@dataclass(frozen=True)
class Group:
    """Tensors on one scale.

    Attributes
    ----------
    tensors : names, in the order of the graph.
    observed : those whose values set the range; the others hold no other values.
    """

    tensors: tuple[str, ...]
    observed: tuple[str, ...]


@dataclass(frozen=True)
class Product:
    """A product with a constant weight: one scale for each output channel, and its bias at input scale times that.

    Attributes
    ----------
    node : name of the Conv, ConvTranspose, Gemm or MatMul. x : its input.
    weight : name of the constant. axis : of its output channels. group : how often ConvTranspose repeats them.
    bias : name of the constant, or None. bias_node : the node that adds it: the product itself, or an Add behind it.
    """

    node: str
    x: str
    weight: str
    axis: int
    group: int
    bias: str | None
    bias_node: str


@dataclass(frozen=True)
class PlacedBlock:
    """Nodes that compute one result in integers, no codes between them.

    Attributes
    ----------
    nodes : names: the operator, then a bias Add and an activation fused to it.
    operator : its ONNX type. role : how its result gets its codes.
    operands : activations whose codes it reads. constants : constant operands; the weight is none.
    results : activations whose codes it writes.
    """

    nodes: tuple[str, ...]
    operator: str
    role: Role
    operands: tuple[str, ...]
    constants: tuple[str, ...]
    results: tuple[str, ...]

    @property
    def node(self) -> str:
        """The operator's name."""
        return self.nodes[0]


@dataclass(frozen=True)
class Placement:
    """What carries codes in a model, by the names of its values and nodes.

    Attributes
    ----------
    groups : activations that carry codes, by scale.
    products : nodes with weights and biases.
    constants : constant operands of other nodes, one scale each.
    blocks : nodes that compute in integers, those fused to one result together.
    float_nodes : nodes that stay in float32, and why.
    open_outputs : outputs of the model that are handed out as they are computed, whatever codes others read.
    """

    groups: tuple[Group, ...]
    products: tuple[Product, ...]
    constants: tuple[str, ...]
    blocks: tuple[PlacedBlock, ...]
    float_nodes: tuple[FloatNode, ...]
    open_outputs: frozenset[str] = frozenset()

    @property
    def tensors(self) -> tuple[str, ...]:
        """Every activation that carries codes."""
        return tuple(name for group in self.groups for name in group.tensors)

    @property
    def observed(self) -> tuple[str, ...]:
        """Every activation whose range must be known."""
        return tuple(name for group in self.groups for name in group.observed)


def place(
    model: ir.Model, keep: Mapping[str, str] | None = None, edges: Mapping[str, Edge] = MappingProxyType({})
) -> Placement:
    """Decide what carries codes in a cleaned-up float model (opset 21, types inferred).

    ``keep`` names nodes that are to stay in float32, each with the reason; ``edges`` inputs and outputs that are to be
    other than float behind codes.

    1. An operator of the table reads codes and writes codes; a bias, and a Relu or Clip that alone reads its result,
       belong to it, with no codes between.
    2. Operators that move values (Reshape, MaxPool, ...) write the codes they read: one scale for both.
    3. Concat writes one scale. An operand that nothing else reads takes that scale from the start, which saves it a
       second rounding and the Concat all work; the others keep their own and are requantized there.
    4. Moves and Concats between float nodes alone stay in float32.
    5. Float inputs that an integer operator reads are quantized on entry. Outputs carry codes where an integer operator
       makes them.
    6. Unquantized edges: see :func:`~halfeven.ptq.boundary.open_ends`.
    """
    ends = open_ends(model.graph, keep or {}, edges)
    blocks, floats = find_blocks(model.graph, ends.keep)
    groups = Groups(blocks)
    blocks, idle = groups.drop_idle_moves()
    groups.join_concats()
    floats += [float_node(b.node, "it only moves float values") for b in idle]
    products = [_product(b) for b in blocks if b.role is Role.PRODUCT]
    return Placement(
        tuple(
            Group(_names(members), _names(observed))
            for members, observed in groups.result(model.graph)
            if ends.sums.isdisjoint(_names(members))
        ),
        tuple(products),
        tuple(dict.fromkeys(_names(constant_operands(blocks)))),
        tuple(_placed(b) for b in blocks),
        tuple(floats),
        ends.outputs,
    )


def _names(values: Iterable[ir.Value]) -> tuple[str, ...]:
    return tuple(str(v.name) for v in values)


def _placed(block: Block) -> PlacedBlock:
    return PlacedBlock(
        tuple(str(n.name) for n in block.nodes),
        block.node.op_type,
        block.role,
        _names(real_operands(block)),
        _names(v for v in block.operands if constant(v) is not None),
        _names(block.results),
    )


def _product(block: Block) -> Product:
    node, weight = block.node, block.weight
    by_add = block.bias is not None and block.bias not in node.inputs
    return Product(
        str(node.name),
        str(block.operands[0].name),
        "" if weight is None else str(weight.name),
        weight_axis(node),
        node.attributes.get_int("group", 1) if node.op_type == "ConvTranspose" else 1,
        None if block.bias is None else str(block.bias.name),
        str(block.nodes[1 if by_add else 0].name),
    )
