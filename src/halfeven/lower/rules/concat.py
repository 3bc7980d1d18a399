"""Concat (ONNX Concat-13): operands on another scale are requantized first."""

from __future__ import annotations

from halfeven.ir.instructions import Instruction
from halfeven.ir.moves import Concat
from halfeven.lower.rules.move import requantized, same_codes
from halfeven.lower.site import Site


def lower(site: Site) -> list[Instruction]:
    """``Q(Concat(DQ(x0), DQ(x1), ...))``."""
    steps: list[Instruction] = []
    names = []
    for k in range(len(site.node.inputs)):
        x = site.activation(k)
        name = x.name
        if not same_codes(site, x):
            name = f"{site.y}/operand{k}"
            steps.append(requantized(site, x, x.name, name, f"{site.name}/requantize{k}"))
        names.append(name)
    return [*steps, Concat(site.name, tuple(names), site.y, site.integer("axis", 0))]
