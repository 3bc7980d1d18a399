"""One-input functions as a table over all codes: ``T[q] = quantize(f(dequantize(q)))``. Source: docs/math/table.md."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.instructions import Instruction, Table
from halfeven.lower.compose import compose
from halfeven.lower.site import NotLowered, Site
from halfeven.numerics import affine

TABLE_BITS = 16


def lower(site: Site) -> list[Instruction]:
    """``Q(act(f(DQ(x))))``, f in float64: one operator, or several that depend on one tensor of codes."""
    x, function = compose(site)
    qtype, target = x.params.qtype, site.target
    if qtype.bits > TABLE_BITS:
        raise NotLowered(f"codes of {qtype} are too wide for a table")
    codes = np.arange(qtype.qmin, qtype.qmax + 1).astype(qtype.storage)
    with np.errstate(all="ignore"):
        real = function(affine.dequantize(codes, x.params).astype(np.float64))
        table = affine.quantize(_without_gaps(site, real), site.params, site.profile)
    table = np.clip(table, target.qmin, target.qmax).astype(site.params.qtype.storage)
    return [Table(site.name, x.name, site.y, site.node.op_type, qtype.qmin, table)]


def _without_gaps(site: Site, real: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outside the function's domain (a root of negative numbers), what the nearest code inside gives."""
    inside = np.flatnonzero(~np.isnan(real))
    if not inside.size:
        raise NotLowered(f"{site.node.op_type} is not a number for any code of its input")
    place = np.arange(real.size)
    right = inside[np.minimum(np.searchsorted(inside, place), inside.size - 1)]
    left = inside[np.maximum(np.searchsorted(inside, place, side="right") - 1, 0)]
    return np.asarray(real[np.where(np.abs(place - left) <= np.abs(right - place), left, right)])
