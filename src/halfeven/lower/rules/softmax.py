"""Softmax (ONNX Softmax-13): table of exponentials, exact sum, one rounded division. Source: docs/math/softmax.md."""

from __future__ import annotations

import numpy as np

from halfeven.ir.instructions import Instruction, Softmax
from halfeven.lower.site import NotLowered, Site
from halfeven.numerics.multiplier import Multiplier

EXPONENTIAL_BITS = 30
MULTIPLIER_BITS = 24


def lower(site: Site) -> list[Instruction]:
    """``Q(Softmax(DQ(x)))`` along one axis."""
    x = site.activation(0)
    if x.params.qtype.bits > 16:  # noqa: PLR2004
        raise NotLowered(f"codes of {x.params.qtype} are too wide for a table")
    distance = np.arange(x.params.qtype.levels, dtype=np.float64) * float(x.params.scale)
    exponentials = np.rint(np.ldexp(np.exp(-distance), EXPONENTIAL_BITS)).astype(np.uint32)
    m = Multiplier.from_real(1 / float(site.params.scale), MULTIPLIER_BITS)
    return [Softmax(site.name, x.name, site.y, site.integer("axis", -1), exponentials, m, site.target)]
