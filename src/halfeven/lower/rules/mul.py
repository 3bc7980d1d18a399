"""Mul (ONNX Mul-14): the product of centered codes, rescaled by ``M = S1 S2 / S3``."""

from __future__ import annotations

from halfeven.ir.instructions import Instruction, Mul
from halfeven.lower.scaling import rescale
from halfeven.lower.site import Site


def lower(site: Site) -> list[Instruction]:
    """``Q(act(DQ(a) DQ(b)))``."""
    a, b = site.activation(0), site.activation(1)
    how = rescale(site, a.params.scale, b.params.scale)
    return [Mul(site.name, a.name, b.name, site.y, a.zero, b.zero, how)]
