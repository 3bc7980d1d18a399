"""Int16 codes where another tool left reals between two operators, and their range can be proved.

1. ``Q(f(sum))``, f elementwise and more than a clamp: the codes span the arguments on which Q(f) still depends.
2. ``op(f(codes))``, op a product, pooling, mean or Softmax: they span the values of f over all codes.
3. ``Q(f(a, b) + c)`` and other elementwise operators of more tensors of codes than a table has: the same for f.

The inner codes round once more than the graph does: in 1 the result is off by at most an eighth of its step before its
own rounding, in 2 and 3 an operand is off by at most half of a 65535th of its range.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx_ir as ir

from halfeven.interop.qdq import DEQUANTIZE, QUANTIZE, dequantize_linear, insert, quantize_linear, read_quantize
from halfeven.interop.rewrite import graph_of
from halfeven.interop.values import is_op
from halfeven.lower.match import PRODUCTS
from halfeven.lower.prepare.active_range import Reals, inner_params
from halfeven.lower.prepare.before_moves import moved_operands
from halfeven.lower.regions import exact, tables
from halfeven.lower.regions.find import TWO_INPUTS, Region, find_region
from halfeven.lower.rules import RULES
from halfeven.lower.site import NotLowered, Operand, Site
from halfeven.numerics.params import AffineParams, choose_params
from halfeven.numerics.profile import Profile
from halfeven.numerics.qtype import int16

SUMS = (*PRODUCTS, "AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum", "Resize", "Softmax")
"""Operators that mix elements: their results are no table of codes."""
CLAMPS = ("Relu", "Clip")
UNUSED = AffineParams(1.0, 0, int16)


def give_inner_codes(model: ir.Model, profile: Profile) -> int:
    """Put QuantizeLinear and DequantizeLinear of int16 between such operators; return how many pairs."""
    count = 0
    for node in list(model.graph):
        if is_op(node, QUANTIZE):
            count += _argument_of(node, profile) or _parts_of(node, profile)
        elif is_op(node, *SUMS) and _is_quantized(node.outputs[0]):
            count += sum(_operand_of(node, k, profile) for k in range(2 if node.op_type == "MatMul" else 1))
    return count


def _argument_of(quantize: ir.Node, profile: Profile) -> bool:
    """Case 1."""
    value, result = quantize.inputs[0], read_quantize(quantize)
    if value is None or value.producer() is None or result.axis is not None:
        return False
    site = Site(quantize, None, "", result, None, None, profile)
    try:
        region = find_region(site, value, _sum_behind)
        if len(region.leaves) != 1 or _is_clamp(region):
            return False
        params = inner_params(_function(site, region), result, profile)
    except NotLowered:
        return False
    _rebuild(quantize, region, params)
    return True


def _parts_of(quantize: ir.Node, profile: Profile) -> int:
    """Case 3."""
    value = quantize.inputs[0]
    last = None if value is None else value.producer()
    if value is None or last is None or not is_op(last, *TWO_INPUTS):
        return 0
    site = Site(quantize, None, "", UNUSED, None, None, profile)
    try:
        tables.entries(find_region(site, value), partial(exact.evaluate, site))
    except NotLowered:
        pass
    else:
        return 0  # one table
    return sum(_operand_of(last, k, profile) for k in range(len(last.inputs)))


def _sum_behind(value: ir.Value, profile: Profile) -> Operand:  # noqa: ARG001  a Leaf
    """The result of an operator that has an integer form, once it ends in codes."""
    if not is_op(value.producer(), *RULES):
        raise NotLowered("codes, an input or a float operator take part")
    return Operand(str(value.name), UNUSED, None, None if value.shape is None else len(value.shape))


def _is_clamp(region: Region) -> bool:
    """Whether a fused activation does all of it, or nothing is to be done."""
    return not region.nodes or (len(region.nodes) == 1 and region.nodes[0].op_type in CLAMPS)


def _function(site: Site, region: Region) -> Callable[[Reals], Reals]:
    """The region as a function of its one leaf; NotLowered where a constant varies along an axis."""
    (leaf,) = region.leaves
    if any(a.size != 1 for a in region.constants.values()):
        raise NotLowered("a constant of it varies along an axis")
    numbers = {value: a.reshape(()) for value, a in region.constants.items()}
    return lambda x: exact.evaluate(site, region, {leaf: x}, numbers)


def _operand_of(node: ir.Node, index: int, profile: Profile) -> bool:
    """Case 2."""
    value = node.inputs[index]
    if value is None or is_op(value.producer(), DEQUANTIZE):
        return False
    site = Site(node, None, "", UNUSED, None, None, profile)
    try:
        region = find_region(site, _before_moves(value))
        found = tables.entries(region, partial(exact.evaluate, site)) if region.nodes else None
    except NotLowered:
        return False
    if found is None or not np.isfinite(found.reals).all():
        return False
    params = choose_params(found.reals.min(), found.reals.max(), int16, symmetric=False)
    node.replace_input_with(index, _coded(value, params, node, f"{node.name}/operand{index}"))
    return True


def _before_moves(value: ir.Value) -> ir.Value:
    """What moves hand on: they do not widen its range."""
    node = value.producer()
    while node is not None and moved_operands(node) == [0] and node.inputs[0] is not None:
        value = node.inputs[0]
        node = value.producer()
    return value


def _is_quantized(value: ir.Value) -> bool:
    """Whether the value ends in codes, behind elementwise operators and moves."""
    readers = [use.node for use in value.uses()]
    return any(is_op(n, QUANTIZE) for n in readers) or any(
        not is_op(n, *SUMS, DEQUANTIZE) and n.outputs and _is_quantized(n.outputs[0]) for n in readers
    )


def _rebuild(quantize: ir.Node, region: Region, params: AffineParams) -> None:
    """A copy of the region for this QuantizeLinear, on the inner codes of its leaf."""
    (leaf,) = region.leaves
    inner = _coded(leaf, params, region.nodes[0], f"{quantize.name}/argument")
    known: dict[ir.Value | None, ir.Value | None] = {leaf: inner}
    for node in region.nodes:
        name = f"{node.name}/for {quantize.name}"
        made = ir.node(node.op_type, [known.get(v, v) for v in node.inputs], dict(node.attributes), name=name)
        old, new = node.outputs[0], made.outputs[0]
        new.name, new.dtype, new.shape = f"{old.name}/for {quantize.name}", old.dtype, old.shape
        graph_of(node).insert_before(quantize, made)
        known[old] = new
    quantize.replace_input_with(0, known[region.result])


def _coded(value: ir.Value, params: AffineParams, before: ir.Node, label: str) -> ir.Value:
    graph = graph_of(before)
    codes = insert(graph, quantize_linear(value, params, label), before=before)
    return insert(graph, dequantize_linear(codes, params, label), before=before)
