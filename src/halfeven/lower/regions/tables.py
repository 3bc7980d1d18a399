"""From a region to a table of codes: for each code, for each code and channel, or for each pair of codes."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Entries:
    """What a region computes for all codes.

    Attributes
    ----------
    operands : one or two tensors of codes.
    axis : along which channels of the one operand have values of their own, or None.
    reals : (codes,), (channels, codes) or (codes of the first, codes of the second).
    """

    operands: tuple[Operand, ...]
    axis: int | None
    reals: NDArray[Any]


def lower(site: Site, quantize: ir.Node, evaluate: Evaluate, of_nan: int | None = None) -> list[Instruction]:
    """``Q(f(DQ(x)))`` or ``Q(f(DQ(a), DQ(b)))``, f one elementwise operator or several.

    Parameters
    ----------
    of_nan : the code where f is not a number; None refuses such an f.

    Raises
    ------
    NotLowered
        If it is no such f, or codes are too wide for a table.
    """
    value = quantize.inputs[0]
    if value is None:
        raise NotLowered("it quantizes nothing")
    region = find_region(site, value)
    found, function = entries(region, evaluate), _function(region)
    table, (x, *others) = _codes(site, found.reals, of_nan), found.operands
    first = x.params.qtype.qmin
    if others:
        b = others[0]
        return [PairTable(site.name, x.name, b.name, site.y, function, first, b.params.qtype.qmin, table)]
    if found.axis is not None:
        return [ChannelTable(site.name, x.name, site.y, function, first, found.axis, table)]
    return [Table(site.name, x.name, site.y, function, first, table)]


def entries(region: Region, evaluate: Evaluate) -> Entries:
    """Evaluate a region for all codes.

    Raises
    ------
    NotLowered
        If it has over two tensors of codes, or codes too wide for a table.
    """
    operands = tuple({o.name: o for o in region.leaves.values()}[name] for name in region.codes)
    places = {_channel_place(region, o) for o in operands}
    bits = max((o.params.qtype.bits for o in operands), default=0)
    if len(operands) == 1 and places == {None} and bits <= TABLE_BITS:
        return Entries(operands, None, layout.of_one(region, evaluate))
    if bits > BYTE:
        raise NotLowered(f"codes of {bits} bits are too wide for a table here")
    if len(operands) == 1:
        ((axis, channels),) = (place for place in places if place is not None)
        return Entries(operands, axis, layout.of_channels(region, evaluate, axis, channels, _rank(operands[0])))
    if len(operands) != 2 or places != {None}:  # noqa: PLR2004
        raise NotLowered("it is computed of over two tensors of codes, or of two and a constant that varies")
    return Entries(operands, None, layout.of_pairs(region, evaluate))


def _codes(site: Site, real: NDArray[Any], of_nan: int | None) -> NDArray[Any]:
    if site.params.axis is not None:
        raise NotLowered("its result has one scale a channel")
    gaps = np.isnan(real)
    if of_nan is None and gaps.any():
        raise NotLowered(f"it is not a number for {int(gaps.sum())} of its codes")
    codes = affine.quantize(np.where(gaps, 0, real).astype(real.dtype), site.params, site.profile)
    codes[gaps] = of_nan or 0
    return codes


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
