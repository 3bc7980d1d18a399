"""Add and Sub (ONNX Add-14, Sub-14): one common shift, one rounding. Source: docs/math/add.md eq. 11."""

from __future__ import annotations

from halfeven.ir.instructions import Add, Instruction
from halfeven.lower.rules import unary
from halfeven.lower.scaling import common_shift, ratio_to
from halfeven.lower.site import Site

BYTE = 8


def lower(site: Site) -> list[Instruction]:
    """``Q(act(DQ(a) +- DQ(b)))``, or with a float constant."""
    if not site.reads_codes:
        return unary.lower(site)
    a, b = site.activation(0), site.activation(1)
    wide = max(a.params.qtype.bits, b.params.qtype.bits) > BYTE or site.params.qtype.bits > BYTE
    a1, a2, k = common_shift((ratio_to(site, a.params.scale), ratio_to(site, b.params.scale)), wide=wide)
    second = -a2 if site.node.op_type == "Sub" else a2
    return [Add(site.name, a.name, b.name, site.y, a.zero, b.zero, a1, second, k, site.target)]
