"""Operators that only move codes. Where the scales on both sides differ, a requantize follows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from halfeven.ir.instructions import Instruction, Requantize, Table
from halfeven.ir.moves import (
    DepthToSpace,
    Expand,
    Flatten,
    Gather,
    Reshape,
    Slice,
    SpaceToDepth,
    Squeeze,
    Tile,
    Transpose,
    Unsqueeze,
)
from halfeven.lower.scaling import rescale
from halfeven.lower.site import NotLowered, Operand, Site
from halfeven.numerics import affine
from halfeven.numerics.profile import Steps

TABLE_BITS = 16


def requantized(site: Site, x: Operand, source: str, y: str, name: str) -> Instruction:
    """``Q(DQ(x))`` onto the site's codes, with ``M = S1 / S3``; in float32 steps, a table of just that."""
    if site.profile.steps is Steps.FLOAT32 and x.params.qtype.bits <= TABLE_BITS:
        codes = np.arange(x.params.qtype.qmin, x.params.qtype.qmax + 1).astype(x.params.qtype.storage)
        table = affine.quantize(affine.dequantize(codes, x.params), site.params, site.profile)
        target = site.target
        return Table(name, source, y, "Identity", int(codes[0]), np.clip(table, target.qmin, target.qmax))
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


def rank(site: Site) -> int:
    """Rank of the operand; NotLowered where unknown."""
    known = site.activation(0).rank
    if known is None:
        raise NotLowered("the rank of its input is unknown")
    return known


def constants(site: Site, index: int, what: str) -> tuple[int, ...]:
    """A constant integer input; NotLowered where it is absent."""
    found = site.constant(index)
    if found is None:
        raise NotLowered(f"it has no {what}")
    return tuple(int(n) for n in found.reshape(-1))


def lower_identity(site: Site) -> list[Instruction]:
    """``Q(DQ(x))``."""
    x = site.activation(0)
    return [requantized(site, x, x.name, site.y, site.name)]


def lower_reshape(site: Site) -> list[Instruction]:
    """Reshape-21 to a constant shape."""
    shape, allowzero = constants(site, 1, "shape"), bool(site.integer("allowzero", 0))
    return moved(site, lambda x, y: Reshape(site.name, x, y, shape, allowzero))


def lower_flatten(site: Site) -> list[Instruction]:
    """Flatten-21 at an axis."""
    axis = site.integer("axis", 1)
    return moved(site, lambda x, y: Flatten(site.name, x, y, axis))


def lower_transpose(site: Site) -> list[Instruction]:
    """Transpose-21; without ``perm`` the axes are reversed."""
    permutation = site.integers("perm", []) or list(range(rank(site)))[::-1]
    return moved(site, lambda x, y: Transpose(site.name, x, y, tuple(permutation)))


def lower_squeeze(site: Site) -> list[Instruction]:
    """Squeeze-21 of constant axes."""
    axes = site.constant(1)
    chosen = None if axes is None else tuple(int(a) % rank(site) for a in axes.reshape(-1))
    return moved(site, lambda x, y: Squeeze(site.name, x, y, chosen))


def lower_unsqueeze(site: Site) -> list[Instruction]:
    """Unsqueeze-21 at constant axes."""
    axes = constants(site, 1, "axes")
    return moved(site, lambda x, y: Unsqueeze(site.name, x, y, axes))


def lower_slice(site: Site) -> list[Instruction]:
    """Slice-13 with constant bounds."""
    starts, stops = constants(site, 1, "starts"), constants(site, 2, "ends")
    axes, steps = site.constant(3), site.constant(4)
    along = tuple(range(len(starts))) if axes is None else tuple(int(a) % rank(site) for a in axes.reshape(-1))
    by = (1,) * len(starts) if steps is None else tuple(int(s) for s in steps.reshape(-1))
    return moved(site, lambda x, y: Slice(site.name, x, y, along, starts, stops, by))


def lower_gather(site: Site) -> list[Instruction]:
    """Gather-13 at constant indices."""
    indices = site.constant(1)
    if indices is None:
        raise NotLowered("it has no indices")
    axis = site.integer("axis", 0) % rank(site)
    return moved(site, lambda x, y: Gather(site.name, x, y, axis, indices.astype("int64")))


def lower_expand(site: Site) -> list[Instruction]:
    """Expand-13 to a constant shape."""
    shape = constants(site, 1, "shape")
    return moved(site, lambda x, y: Expand(site.name, x, y, shape))


def lower_tile(site: Site) -> list[Instruction]:
    """Tile-13 by constant repeats."""
    repeats = constants(site, 1, "repeats")
    return moved(site, lambda x, y: Tile(site.name, x, y, repeats))


def lower_depth_to_space(site: Site) -> list[Instruction]:
    """DepthToSpace-13."""
    block, dcr = site.integer("blocksize", 1), site.text("mode", "DCR") == "DCR"
    return moved(site, lambda x, y: DepthToSpace(site.name, x, y, block, dcr))


def lower_space_to_depth(site: Site) -> list[Instruction]:
    """SpaceToDepth-13."""
    block = site.integer("blocksize", 1)
    return moved(site, lambda x, y: SpaceToDepth(site.name, x, y, block))
