"""A product and what is added to it, with no codes between: the sum stays exact. Source: docs/math/add.md eq. 29."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.ir.instructions import Instruction
from halfeven.ir.sums import AddSums
from halfeven.lower.match import PRODUCTS, consumers, site_of
from halfeven.lower.open_products import sums_of
from halfeven.lower.site import NotLowered, Operand, Site, operand_of

MOST_SHIFT = 61
MOST_SUM = 2.0**62
FACTOR = 2.0**31

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class _Term:
    """Codes or sums: their tensor, zero point, scale (one, or one a channel), and how far they reach from 0."""

    name: str
    zero: int
    scale: Reals
    farthest: float
    steps: tuple[Instruction, ...] = ()
    axis: int | None = None  # of the channels of sums


def lower_residual(site: Site) -> list[Instruction] | None:
    """``Q(act(product +- DQ(b)))`` or ``Q(act(product +- product))``; None where no operand is an open product.

    Raises
    ------
    NotLowered
        If one is, but its sums may leave int32, or the other operand is not quantized.
    """
    if site.node.op_type not in ("Add", "Sub") or site.reads_codes:
        return None
    values = [v for v in site.node.inputs if v is not None]
    opened = [k for k, v in enumerate(values) if _is_open(site, v)]
    if not opened:
        return None
    signs = [1, -1 if site.node.op_type == "Sub" else 1]
    first = opened[0]
    a = _sums(site, values[first])
    b = _sums(site, values[1 - first]) if 1 - first in opened else _codes(site, values[1 - first])
    if not _keeps_shape(values[first], values[1 - first]):
        raise NotLowered("what is added to its product is larger, or of unknown size")
    m, n, shift = _multipliers(site, a, b)
    axis, signed = a.axis or 0, (m * signs[first], n * signs[1 - first])
    made = AddSums(site.name, a.name, b.name, site.y, b.zero, axis, *signed, shift, site.target)
    return [*a.steps, *b.steps, made]


def _is_open(site: Site, value: ir.Value) -> bool:
    """Whether a product, with its bias and Relu, makes the value for this operator alone."""
    if value.producer() is None or consumers(value) != 1:
        return False
    return site_of(value, site.y, site.params, site.profile).node.op_type in PRODUCTS


def _sums(site: Site, value: ir.Value) -> _Term:
    found = sums_of(value, site.profile)
    return _Term(found.y, 0, found.scale, float(found.bound), (found.product,), found.axis)


def _codes(site: Site, value: ir.Value) -> _Term:
    x: Operand = operand_of(value, site.profile)
    if not x.per_tensor:
        raise NotLowered(f"'{value.name}' has one scale a channel")
    info = np.iinfo(x.params.qtype.storage)
    return _Term(x.name, x.zero, x.params.scale.astype(np.float64), max(x.zero - info.min, info.max - x.zero))


def _keeps_shape(sums: ir.Value, other: ir.Value) -> bool:
    """Whether ``other`` broadcasts against the sums without making them larger."""
    if sums.shape is None or other.shape is None or len(other.shape) > len(sums.shape):
        return False
    last = list(sums.shape)[len(sums.shape) - len(other.shape) :]
    return all(n in (1, m) for n, m in zip(other.shape, last, strict=True))


def _multipliers(site: Site, a: _Term, b: _Term) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """``A_c, B_c, k_c``: the largest k for which A has 31 bits and no sum reaches 2^62."""
    step = float(site.params.scale)
    left, right = np.broadcast_arrays(a.scale / step, b.scale / step)
    shift = np.full(left.shape, -1, np.int64)
    for k in range(MOST_SHIFT, -1, -1):
        m, n = np.rint(np.ldexp(left, k)), np.rint(np.ldexp(right, k))
        fits = (m < FACTOR) & (a.farthest * m + b.farthest * n < MOST_SUM)
        shift = np.where((shift < 0) & fits, k, shift)
    if (shift < 0).any():
        raise NotLowered("its scales differ too much")
    exact = [np.rint(np.ldexp(r, shift.astype(np.int32))).astype(np.int64) for r in (left, right)]
    return exact[0], exact[1], shift
