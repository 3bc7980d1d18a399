"""QDQ graph -> Program.

Every QuantizeLinear ends a site: operator (+ bias) (+ activation) between DequantizeLinear and QuantizeLinear. A rule
turns the site into integer instructions. What no rule takes, and whatever is read as floats, runs in float32.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.errors import HalfevenError, UnsupportedError
from halfeven.interop.qdq import read_quantize
from halfeven.interop.single_node import reads, single_node_model
from halfeven.ir.instructions import Dequantize, Float, Instruction, Quantize
from halfeven.ir.program import Program
from halfeven.ir.select import Mask, Where
from halfeven.lower.assemble import assemble
from halfeven.lower.conditions import lower_condition
from halfeven.lower.float_steps import lower_in_steps
from halfeven.lower.match import find_site
from halfeven.lower.open_products import lower_open_product
from halfeven.lower.prepare import prepared
from halfeven.lower.regions import exact, tables
from halfeven.lower.residual import lower_residual
from halfeven.lower.rules import RULES
from halfeven.lower.site import NotLowered, Site, constant_of, real_float32
from halfeven.numerics.profile import Profile, Steps, get_profile

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
DYNAMIC = ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")


@dataclass
class _Plan:
    """What is decided of each node before anything is emitted."""

    lowered: dict[ir.Node, list[Instruction]] = field(default_factory=dict)  # by the QuantizeLinear that ends the site
    reasons: dict[ir.Node, str] = field(default_factory=dict)  # operators that a rule refused
    floats: set[ir.Value] = field(default_factory=set)  # values that somebody reads as floats
    open: dict[ir.Node, list[Instruction]] = field(default_factory=dict)  # by the node whose result is read as it is


def lower(model: ir.Model, profile: str | Profile, *, strict: bool = False, name: str = "model") -> Program:
    """Integer instructions of a QDQ graph.

    Parameters
    ----------
    model : opset 21, shapes inferred.
    profile : the arithmetic its nodes mean.
    strict : refuse a model of which a part runs in float32.

    Raises
    ------
    UnsupportedError
        Under ``strict``, naming each float node and why; or for a node that cannot run at all.
    """
    profile = get_profile(profile)
    model = prepared(model, profile)
    graph = model.graph
    plan = _Plan()
    for node in graph:
        if node.op_type == QUANTIZE:
            _plan_site(node, plan, profile)
    plan.floats |= _conditions(graph, plan)
    _spread_floats(graph, plan, profile)
    instructions = [i for node in graph for i in _emit(node, plan, profile)]
    program = assemble(model, profile, instructions, name)
    if strict and program.float_parts:
        parts = "; ".join(f"{p.operator} '{p.name}': {p.reason}" for p in program.float_parts[:8])
        more = f" (and {len(program.float_parts) - 8} more)" if len(program.float_parts) > 8 else ""  # noqa: PLR2004
        names = [p.name for p in program.float_parts]
        raise UnsupportedError(f"{len(names)} node(s) would run in float32: {parts}{more}", nodes=names)
    return program


def _plan_site(quantize: ir.Node, plan: _Plan, profile: Profile) -> None:
    value = quantize.inputs[0]
    if value is None or constant_of(value) is not None:
        return  # a constant: its codes are read where they are used
    producer = value.producer()
    if producer is None:
        plan.floats.add(value)  # a float input: quantized at the boundary
        return
    try:
        plan.lowered[quantize] = _lower_site(quantize, profile)
    except NotLowered as reason:
        plan.reasons.setdefault(producer, str(reason))
        plan.floats.add(value)


def _lower_site(quantize: ir.Node, profile: Profile) -> list[Instruction]:
    value = quantize.inputs[0]
    producer = None if value is None else value.producer()
    if producer is not None and producer.op_type == DEQUANTIZE:
        return RULES["Identity"](_identity_site(quantize, profile))
    site = find_site(quantize, profile)
    if profile.steps is Steps.FLOAT32 and (found := lower_in_steps(site, quantize)) is not None:
        return found
    try:
        return _by_rule(site)
    except (NotLowered, HalfevenError) as error:
        found = _table(site, quantize)
        if found is None:
            raise NotLowered(str(error)) from error
        return found


def _by_rule(site: Site) -> list[Instruction]:
    rule = RULES.get(site.node.op_type) if site.node.domain in ("", "ai.onnx") else None
    if rule is None:
        raise NotLowered(f"{site.node.op_type} has no integer form here")
    found = lower_residual(site)
    return rule(site) if found is None else found


def _table(site: Site, quantize: ir.Node) -> list[Instruction] | None:
    """One table for operators that spell out a function of codes; None where it is none."""
    try:
        return tables.lower(site, quantize, partial(exact.evaluate, site))
    except (NotLowered, HalfevenError):
        return None


def _identity_site(quantize: ir.Node, profile: Profile) -> Site:
    return Site(quantize, None, str(quantize.outputs[0].name), read_quantize(quantize), None, None, profile)


def _conditions(graph: ir.Graph, plan: _Plan) -> set[ir.Value]:
    """What instructions choose by: values that are no codes, and so must be computed as they are."""
    chosen = (i for found in plan.lowered.values() for i in found if isinstance(i, (Where, Mask)))
    names = {i.condition for i in chosen}
    return {v for node in graph for v in node.outputs if v.name in names}


def _spread_floats(graph: ir.Graph, plan: _Plan, profile: Profile) -> None:
    """Mark what is read as floats: by the outputs, and by every operator that must itself run in float32.

    Codes that no QuantizeLinear makes come from an operator on codes, which runs in the same way.
    """
    plan.floats |= set(graph.outputs)
    plan.floats |= {n.inputs[0] for n in graph if n.op_type == DEQUANTIZE and n.inputs[0] is not None}
    for node in reversed(list(graph)):
        if node.op_type in (QUANTIZE, DEQUANTIZE) or not plan.floats & set(node.outputs):
            continue
        if (found := _open_product(node, profile)) is not None:
            plan.open[node] = found
            continue
        if (found := lower_condition(node, profile)) is not None:
            plan.open[node] = found
        plan.floats |= set(reads(node))


def _open_product(node: ir.Node, profile: Profile) -> list[Instruction] | None:
    try:
        return lower_open_product(node.outputs[0], profile)
    except (NotLowered, HalfevenError):
        return None


def _emit(node: ir.Node, plan: _Plan, profile: Profile) -> list[Instruction]:
    if node.op_type == QUANTIZE:
        return _emit_quantize(node, plan, profile)
    if not plan.floats & set(node.outputs):
        return []
    if node in plan.open:
        return plan.open[node]
    if node.op_type == DEQUANTIZE:
        if real_float32(node.outputs[0], profile) is not None:
            return []
        x, y = node.inputs[0], node.outputs[0]
        return [Dequantize(node.name or str(y.name), str(x.name if x else ""), str(y.name), read_quantize(node))]
    reason = plan.reasons.get(node) or _reason(node)
    xs = tuple(str(v.name) for v in reads(node) if _real_of(v, profile) is None)
    ys = tuple(str(v.name) for v in node.outputs if v.name)
    model = single_node_model(node, {str(v.name): r for v in reads(node) if (r := _real_of(v, profile)) is not None})
    return [Float(node.name or ys[0], xs, ys, node.op_type, reason, model)]


def _reason(node: ir.Node) -> str:
    if node.op_type in DYNAMIC:
        return "its scale is chosen while the model runs"
    if node.op_type not in RULES:
        return f"{node.op_type} has no integer form here"
    return "its result is not quantized, or is also read as floats"


def _real_of(value: ir.Value, profile: Profile) -> NDArray[Any] | None:
    """The constant that a float node reads, dequantized where it is stored as codes; else None."""
    known = constant_of(value)
    return real_float32(value, profile) if known is None else known


def _emit_quantize(node: ir.Node, plan: _Plan, profile: Profile) -> list[Instruction]:
    if node in plan.lowered:
        return plan.lowered[node]
    value, y = node.inputs[0], str(node.outputs[0].name)
    if value is None or constant_of(value) is not None:
        return []
    return [Quantize(node.name or y, str(value.name), y, read_quantize(node), profile)]
