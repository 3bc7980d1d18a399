"""Mul (ONNX Mul-14): the product of centered codes, rescaled by ``M = S1 S2 / S3``; by a float constant, M holds it."""

from __future__ import annotations

from halfeven.ir.instructions import Instruction, Mul
from halfeven.lower.channels import slopes
from halfeven.lower.rules import unary
from halfeven.lower.scaling import rescale
from halfeven.lower.site import Site, constant_of


def lower(site: Site) -> list[Instruction]:
    """``Q(act(DQ(a) DQ(b)))``, ``Q(act(DQ(a) c))`` or ``Q(act(DQ(a) f(DQ(a))))``."""
    constants = [c for c in map(constant_of, site.node.inputs) if c is not None and c.size > 1]
    if len(constants) == 1:
        factor = constants[0].astype("float64")
        return slopes(site, factor, factor)
    if not site.reads_codes:
        return unary.lower(site)
    a, b = site.activation(0), site.activation(1)
    how = rescale(site, a.params.scale, b.params.scale)
    return [Mul(site.name, a.name, b.name, site.y, a.zero, b.zero, how)]
