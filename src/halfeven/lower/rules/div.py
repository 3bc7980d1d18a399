"""Div (ONNX Div-14): one rounded integer division; by a constant, table or multipliers. Source: docs/math/divide.md."""

from __future__ import annotations

import numpy as np

from halfeven.ir.instructions import Instruction
from halfeven.ir.slopes import Divide
from halfeven.lower.channels import slopes
from halfeven.lower.rules import unary
from halfeven.lower.site import NotLowered, Operand, Site, real_constant
from halfeven.numerics.multiplier import Multiplier

LIMIT = 2.0**62


def lower(site: Site) -> list[Instruction]:
    """``Q(act(DQ(a) / DQ(b)))`` or ``Q(act(DQ(a) / c))``."""
    divisor = real_constant(site.node.inputs[1], site.profile)
    if divisor is not None and divisor.size > 1:
        if not divisor.all():
            raise NotLowered("its constant divisor holds 0")
        return slopes(site, 1 / divisor, 1 / divisor)
    if divisor is not None or not site.reads_codes:
        return unary.lower(site)
    a, b = site.activation(0), site.activation(1)
    scales = [float(p.scale) for p in (a.params, b.params, site.params)]
    m = Multiplier.from_real(scales[0] / (scales[1] * scales[2]))
    _check(m, a, b)
    return [Divide(site.name, a.name, b.name, site.y, a.zero, b.zero, m, site.target)]


def _check(m: Multiplier, a: Operand, b: Operand) -> None:
    """Numerator and denominator must stay below 2^62."""
    shift = int(m.shift)
    numerator = _farthest(a) * float(m.m0) * 2.0 ** max(-shift, 0)
    denominator = _farthest(b) * 2.0 ** max(shift, 0)
    if max(numerator, denominator) >= LIMIT:
        raise NotLowered(f"its scales differ too much: {float(m.value):.3g} between quotients of codes and codes")


def _farthest(x: Operand) -> float:
    info = np.iinfo(x.params.qtype.storage)
    return float(max(x.zero - int(info.min), int(info.max) - x.zero))
