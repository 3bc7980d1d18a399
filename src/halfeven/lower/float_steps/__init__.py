"""Rules of profiles that compute between codes in float32 steps; what they refuse goes the way of every profile.

``RULES`` is the one list of them.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from halfeven.ir.instructions import Instruction
from halfeven.lower.float_steps import means, pairs
from halfeven.lower.regions import float32, tables
from halfeven.lower.site import NotLowered, Site

Rule = Callable[[Site, ir.Node], list[Instruction]]

RULES: dict[str, tuple[Rule, ...]] = {
    "Add": (pairs.lower_add,),
    "AveragePool": (means.lower_average,),
    "GlobalAveragePool": (means.lower_global,),
    "Mul": (pairs.lower_mul,),
    "Softmax": (means.lower_softmax,),
}


def lower_in_steps(site: Site, quantize: ir.Node) -> list[Instruction] | None:
    """The site's instructions in float32 steps; None where it has none."""
    rules = (*RULES.get(site.node.op_type, ()), _table)
    return next((found for rule in rules if (found := _tried(rule, site, quantize)) is not None), None)


def _table(site: Site, quantize: ir.Node) -> list[Instruction]:
    """Where an operator gives NaN, ONNX Runtime's QuantizeLinear writes the lowest code on x86-64."""
    return tables.lower(site, quantize, float32.evaluate, site.params.qtype.qmin)


def _tried(rule: Rule, site: Site, quantize: ir.Node) -> list[Instruction] | None:
    try:
        return rule(site, quantize)
    except NotLowered:
        return None
