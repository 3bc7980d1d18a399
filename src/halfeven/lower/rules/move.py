"""Operators that only move codes: Reshape-21, Flatten-21, Transpose-21, Identity. Where scales differ, requantize."""

from __future__ import annotations

from collections.abc import Callable

from halfeven.ir.instructions import Flatten, Instruction, Requantize, Reshape, Transpose
from halfeven.lower.scaling import rescale
from halfeven.lower.site import NotLowered, Operand, Site


def requantized(site: Site, x: Operand, source: str, y: str, name: str) -> Instruction:
    """``Q(DQ(x))`` onto the site's codes, with ``M = S1 / S3``."""
    return Requantize(name, source, y, x.zero, rescale(site, x.params.scale))


def same_codes(site: Site, x: Operand) -> bool:
    """Whether the site's codes are the operand's: same scale, zero point and type, and no clamp between."""
    return x.params == site.params and site.low is None and site.high is None


def moved(site: Site, move: Callable[[str, str], Instruction]) -> list[Instruction]:
    """The move alone where input and output share parameters, else the move and a requantize."""
    x = site.activation(0)
    if same_codes(site, x):
        return [move(x.name, site.y)]
    between = f"{site.y}/moved"
    return [move(x.name, between), requantized(site, x, between, site.y, f"{site.name}/requantize")]


def lower_identity(site: Site) -> list[Instruction]:
    """``Q(DQ(x))``."""
    x = site.activation(0)
    return [requantized(site, x, x.name, site.y, site.name)]


def lower_reshape(site: Site) -> list[Instruction]:
    """Reshape to a constant shape."""
    shape = site.constant(1)
    if shape is None:
        raise NotLowered("it has no shape")
    target, allowzero = tuple(int(n) for n in shape), bool(site.integer("allowzero", 0))
    return moved(site, lambda x, y: Reshape(site.name, x, y, target, allowzero))


def lower_flatten(site: Site) -> list[Instruction]:
    """Flatten at an axis."""
    axis = site.integer("axis", 1)
    return moved(site, lambda x, y: Flatten(site.name, x, y, axis))


def lower_transpose(site: Site) -> list[Instruction]:
    """Transpose; without ``perm`` the axes are reversed."""
    rank = site.activation(0).rank
    permutation = site.integers("perm", list(range(rank or 0))[::-1])
    if not permutation:
        raise NotLowered("its permutation is unknown")
    return moved(site, lambda x, y: Transpose(site.name, x, y, tuple(permutation)))
