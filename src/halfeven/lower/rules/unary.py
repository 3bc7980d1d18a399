"""One-input functions as a table over all codes: ``T[q] = quantize(f(dequantize(q)))``. Source: docs/math/table.md."""

from __future__ import annotations

import numpy as np

from halfeven.ir.instructions import Instruction, Table
from halfeven.lower.functions import FUNCTIONS
from halfeven.lower.site import NotLowered, Site
from halfeven.numerics import affine

TABLE_BITS = 16


def lower(site: Site) -> list[Instruction]:
    """``Q(act(f(DQ(x))))``, f in float64."""
    x = site.activation(0)
    qtype = x.params.qtype
    if qtype.bits > TABLE_BITS:
        raise NotLowered(f"codes of {qtype} are too wide for a table")
    function = FUNCTIONS[site.node.op_type](site)
    codes = np.arange(qtype.qmin, qtype.qmax + 1).astype(qtype.storage)
    with np.errstate(all="ignore"):
        real = function(affine.dequantize(codes, x.params).astype(np.float64))
    if np.isnan(real).any():
        raise NotLowered(f"{site.node.op_type} is not a number for {int(np.isnan(real).sum())} of its input's codes")
    target = site.target
    table = affine.quantize(real, site.params, site.profile)
    table = np.clip(table, target.qmin, target.qmax).astype(qtype_storage(site))
    return [Table(site.name, x.name, site.y, site.node.op_type, qtype.qmin, table)]


def qtype_storage(site: Site) -> np.dtype:
    """How the site's codes are stored."""
    return site.params.qtype.storage
