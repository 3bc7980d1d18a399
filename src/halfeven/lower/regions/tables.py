"""From a region to a table of codes: for each code, for each code and channel, or for each pair of codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.ir.instructions import Instruction, Table
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.lower.regions import layout
from halfeven.lower.regions.find import A_CHANNEL, Region, find_region
from halfeven.lower.regions.layout import Evaluate
from halfeven.lower.site import NotLowered, Operand, Site
from halfeven.numerics import affine

BYTE, TABLE_BITS = 8, 16


def lower(site: Site, quantize: ir.Node, evaluate: Evaluate) -> list[Instruction]:
    """``Q(f(DQ(x)))`` or ``Q(f(DQ(a), DQ(b)))``, f one elementwise operator or several.

    Raises
    ------
    NotLowered
        If it is no such f, or codes are too wide for a table.
    """
    value = quantize.inputs[0]
    if value is None:
        raise NotLowered("it quantizes nothing")
    region = find_region(site, value)
    if len(region.codes) == 1:
        return _of_one(site, region, evaluate)
    if len(region.codes) == 2:  # noqa: PLR2004
        return _of_two(site, region, evaluate)
    raise NotLowered(f"it is computed of {len(region.codes)} tensors of codes")


def _of_one(site: Site, region: Region, evaluate: Evaluate) -> list[Instruction]:
    x = next(iter(region.leaves.values()))
    place = _channel_place(region, x)
    bits = x.params.qtype.bits
    if bits > (TABLE_BITS if place is None else BYTE):
        raise NotLowered(f"codes of {x.params.qtype} are too wide for a table")
    first, function = x.params.qtype.qmin, _function(region)
    if place is None:
        table = _codes(site, layout.of_one(region, evaluate))
        return [Table(site.name, x.name, site.y, function, first, table)]
    axis, channels = place
    table = _codes(site, layout.of_channels(region, evaluate, axis, channels, _rank(x)))
    return [ChannelTable(site.name, x.name, site.y, function, first, axis, table)]


def _of_two(site: Site, region: Region, evaluate: Evaluate) -> list[Instruction]:
    a, b = ({o.name: o for o in region.leaves.values()}[name] for name in region.codes)
    if max(a.params.qtype.bits, b.params.qtype.bits) > BYTE:
        raise NotLowered("pairs of codes of over 8 bits are too many for a table")
    for operand in (a, b):
        if _channel_place(region, operand) is not None:
            raise NotLowered("a constant of it varies along an axis")
    table = _codes(site, layout.of_pairs(region, evaluate))
    qmin = a.params.qtype.qmin, b.params.qtype.qmin
    return [PairTable(site.name, a.name, b.name, site.y, _function(region), *qmin, table)]


def _codes(site: Site, real: NDArray[Any]) -> NDArray[Any]:
    if site.params.axis is not None:
        raise NotLowered("its result has one scale a channel")
    if np.isnan(real).any():
        raise NotLowered(f"it is not a number for {int(np.isnan(real).sum())} of its codes")
    return np.asarray(affine.quantize(real, site.params, site.profile))


def _function(region: Region) -> str:
    return " ".join(dict.fromkeys(n.op_type for n in region.nodes))


def _rank(x: Operand) -> int:
    if x.rank is None:
        raise NotLowered("the rank of its input is unknown")
    return x.rank


def _channel_place(region: Region, x: Operand) -> tuple[int, int] | None:
    """The axis of ``x`` along which constants vary, and its length; None where all are numbers."""
    places = {place for value, a in region.constants.items() for place in _places(region, value, a, x)}
    if not places:
        return None
    if len(places) > 1:
        raise NotLowered("its constants vary along several axes")
    axis, channels = places.pop()
    shape = next(value.shape for value, operand in region.leaves.items() if operand.name == x.name)
    if shape is None or shape[axis] != channels:
        raise NotLowered(
            f"its constants have {channels} values along axis {axis}, and its codes may have another number"
        )
    return axis, channels


def _places(region: Region, value: ir.Value, array: NDArray[Any], x: Operand) -> list[tuple[int, int]]:
    listed = any(n.op_type in A_CHANNEL and value in n.inputs[1:] for n in region.nodes)
    if listed:
        return [(1, array.size)]
    if array.ndim > max(_rank(x) if array.ndim > 1 else 1, 1):
        raise NotLowered(f"a constant of {array.ndim} axes adds axes to its result")
    long = [k for k, n in enumerate(array.shape) if n != 1]
    if len(long) > 1:
        raise NotLowered("a constant of it varies along several axes")
    return [(_rank(x) - array.ndim + k, array.shape[k]) for k in long]
