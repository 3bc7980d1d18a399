"""PRelu (ONNX PRelu-16): two multipliers a channel, by sign; with one slope a table."""

from __future__ import annotations

import numpy as np

from halfeven.ir.instructions import Instruction
from halfeven.lower.channels import slopes
from halfeven.lower.rules import unary
from halfeven.lower.site import NotLowered, Site


def lower(site: Site) -> list[Instruction]:
    """``Q(act(PRelu(DQ(x), slope)))``."""
    slope = site.real_constant(1)
    if slope is None:
        raise NotLowered("it has no slope")
    return unary.lower(site) if slope.size == 1 else slopes(site, np.ones(()), slope)
