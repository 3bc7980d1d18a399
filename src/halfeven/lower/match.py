"""Find, behind a QuantizeLinear, the operator with its bias and fused activation."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from halfeven.interop.qdq import read_quantize
from halfeven.lower.site import NotLowered, Site, real_constant
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile

CONVOLUTIONS = ("Conv", "ConvTranspose")
PRODUCTS = (*CONVOLUTIONS, "Gemm", "MatMul")


@dataclass(frozen=True)
class Clamp:
    """Real bounds; None where unbounded."""

    low: float | None
    high: float | None


def consumers(value: ir.Value) -> int:
    """How many places read a value, the graph's outputs included."""
    return len(tuple(value.uses())) + int(value.is_graph_output())


def find_site(quantize: ir.Node, profile: Profile) -> Site:
    """The site that ends in this QuantizeLinear: operator, bias Add, activation.

    Raises
    ------
    NotLowered
        If nothing quantizable stands there.
    """
    value = quantize.inputs[0]
    if value is None:
        raise NotLowered("it quantizes nothing")
    return site_of(value, str(quantize.outputs[0].name), read_quantize(quantize), profile)


def site_of(value: ir.Value, y: str, params: AffineParams, profile: Profile) -> Site:
    """The site whose real result is ``value``, to be written as codes ``y``.

    Raises
    ------
    NotLowered
        If nothing computes it.
    """
    producer = value.producer()
    if producer is None:
        raise NotLowered("it quantizes a float input or constant")
    clamp, result = Clamp(None, None), value
    before = _before_activation(producer)
    if before is not None:
        clamp, result = _clamp_of(producer, profile), before
        producer = _producer(before)
    product, bias = _behind_bias(producer, profile)
    index = 0 if bias is not None else result.index() or 0
    return Site(product, bias, y, params, clamp.low, clamp.high, profile, index)


def _producer(value: ir.Value) -> ir.Node:
    node = value.producer()
    if node is None:
        raise NotLowered(f"nothing computes '{value.name}'")
    return node


def _clamp_of(node: ir.Node, profile: Profile) -> Clamp:
    if node.op_type == "Relu":
        return Clamp(0.0, None)
    bounds = []
    for k in (1, 2):
        value = node.inputs[k] if k < len(node.inputs) else None
        known = real_constant(value, profile)
        if value is not None and (known is None or known.size != 1):
            raise NotLowered(f"the bounds of {node.name} are not constant")
        bounds.append(None if known is None else float(known.reshape(-1)[0]))
    return Clamp(*bounds)


def _before_activation(node: ir.Node) -> ir.Value | None:
    """What a Relu or Clip reads, where that comes from an operator directly, unquantized and unread by others."""
    value = node.inputs[0] if node.op_type in ("Relu", "Clip") else None
    before = None if value is None else value.producer()
    if value is None or before is None or before.op_type == "DequantizeLinear" or consumers(value) != 1:
        return None
    return value


def _behind_bias(node: ir.Node, profile: Profile) -> tuple[ir.Node, ir.Value | None]:
    """The product that an Add of a constant follows directly, with that constant; else the node itself."""
    if node.op_type != "Add":
        return node, None
    for k in (0, 1):
        value, other = node.inputs[k], node.inputs[1 - k]
        before = None if value is None else value.producer()
        if (
            value is not None
            and before is not None
            and before.op_type in PRODUCTS
            and consumers(value) == 1
            and real_constant(other, profile) is not None
            and _one_a_channel(other, before)
        ):
            return before, other
    return node, None


def is_biased_product(value: ir.Value, profile: Profile) -> bool:
    """Whether the value is a product with a constant added to each channel."""
    node = value.producer()
    return node is not None and _behind_bias(node, profile)[1] is not None


def _one_a_channel(bias: ir.Value | None, product: ir.Node) -> bool:
    shape = None if bias is None or bias.shape is None else [int(n) for n in bias.shape if isinstance(n, int)]
    if shape is None:
        return False
    long = [k for k, n in enumerate(shape) if n != 1]
    if not long:
        return True
    from_the_end = len(shape) - long[0]
    if product.op_type in CONVOLUTIONS:
        weight = product.inputs[1]
        rank = None if weight is None or weight.shape is None else weight.shape.rank()
        return len(long) == 1 and rank is not None and from_the_end == rank - 1
    return len(long) == 1 and from_the_end == 1
