"""LayerNormalization-17, InstanceNormalization-6, GroupNormalization-21 in integers. Source: docs/math/normalize.md."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute.normalize import WORD, constants
from halfeven.ir.instructions import Instruction
from halfeven.ir.normalize import Normalize
from halfeven.lower.site import NotLowered, Site
from halfeven.numerics.multiplier import Multiplier

Reals = NDArray[np.float64]
MOST_SHIFT = 61
MOST_OFFSET = 2.0**61


@dataclass(frozen=True)
class _Rows:
    """Which axes make the channels, and the length of a row (None where sizes are dynamic)."""

    axis: int
    span: int
    groups: int
    length: int | None


def lower_layer(site: Site) -> list[Instruction]:
    """``Q(act(LayerNormalization(DQ(x), gain, offset)))``: rows are everything from ``axis`` on."""
    sizes = _sizes(site)
    axis = site.integer("axis", -1) % len(sizes)
    gain, offset = _constant(site, 1), _constant(site, 2)
    inner = [n for n in sizes[axis:] if isinstance(n, int)]
    if len(inner) < len(sizes) - axis:
        raise NotLowered("the sizes of the axes that it normalizes over are not fixed")
    try:
        shaped = [np.broadcast_to(a, inner).reshape(-1) for a in (gain, offset)]
    except ValueError:
        raise NotLowered(f"its scale of shape {gain.shape} does not fit rows of {inner}") from None
    return _normalize(site, _Rows(axis, len(inner), 1, math.prod(inner)), *shaped)


def lower_instance(site: Site) -> list[Instruction]:
    """``Q(act(InstanceNormalization(DQ(x), gain, offset)))``: rows are the planes of the channels."""
    return _normalize(site, _Rows(1, 1, 0, _product(_sizes(site)[2:])), _constant(site, 1), _constant(site, 2))


def lower_group(site: Site) -> list[Instruction]:
    """``Q(act(GroupNormalization(DQ(x), gain, offset)))``: rows are the planes of a group of channels."""
    groups, gain = site.integer("num_groups", 1), _constant(site, 1)
    if groups < 1 or gain.size % groups:
        raise NotLowered(f"{gain.size} channels do not divide into {groups} groups")
    plane = _product(_sizes(site)[2:])
    length = None if plane is None else gain.size // groups * plane
    return _normalize(site, _Rows(1, 1, groups, length), gain, _constant(site, 2))


def _sizes(site: Site) -> list[Any]:
    value = site.node.inputs[0]
    if value is None or value.shape is None:
        raise NotLowered("the rank of its input is unknown")
    return list(value.shape)


def _product(sizes: list[Any]) -> int | None:
    return math.prod(sizes) if all(isinstance(n, int) for n in sizes) else None


def _constant(site: Site, index: int) -> Reals:
    real = site.real_constant(index)
    if real is None:
        return np.zeros(1)
    if not np.isfinite(real).all():
        raise NotLowered("its scale or bias holds NaN or infinite values")
    return real


def _normalize(site: Site, rows: _Rows, gain: Reals, offset: Reals) -> list[Instruction]:
    if any(v.uses() or v.is_graph_output() for v in site.node.outputs[1:]):
        raise NotLowered("its mean or deviation is read")
    x, step = site.activation(0), float(site.params.scale)
    offset = np.broadcast_to(offset, gain.shape)
    levels = 1 << 8 * x.params.qtype.storage.itemsize
    fraction = _fraction(rows.length or ((1 << WORD) - 1) // levels)
    epsilon = Multiplier.from_real(site.real("epsilon", 1e-5) / float(x.params.scale) ** 2)
    shift = _shift(gain / step, offset / step, fraction)
    made = Normalize(
        site.name,
        x.name,
        site.y,
        rows.axis,
        rows.span,
        rows.groups,
        levels,
        epsilon,
        fraction,
        np.rint(np.ldexp(gain / step, shift - fraction)).astype(np.int64),
        np.rint(np.ldexp(offset / step, shift)).astype(np.int64),
        shift,
        site.target,
    )
    if rows.length:
        constants(made, rows.length)  # refuses rows that are too long
    return [made]


def _fraction(length: int) -> int:
    """F: the most fractional bits with which ``sqrt(n)`` has 30 bits."""
    return WORD - 1 - (max(length - 1, 0).bit_length() + 1) // 2


def _shift(gain: Reals, offset: Reals, fraction: int) -> int:
    """k: the largest with every ``|G| < 2^31`` and ``|B| <= 2^61``."""
    largest, farthest = float(np.abs(gain).max(initial=0)), float(np.abs(offset).max(initial=0))
    for k in range(MOST_SHIFT, -1, -1):
        if np.rint(np.ldexp(largest, k - fraction)) < 1 << WORD and np.ldexp(farthest, k) <= MOST_OFFSET:
            return k
    raise NotLowered(f"its scale or bias is {max(largest, farthest):.3g} steps of its result: too much")
