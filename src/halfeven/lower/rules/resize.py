"""Resize (ONNX Resize-19): mode nearest picks codes, mode linear mixes them. Source: docs/math/resize.md."""

from __future__ import annotations

from halfeven.ir.instructions import Instruction
from halfeven.ir.moves import ResizeNearest
from halfeven.ir.select import ResizeLinear
from halfeven.lower.rules.move import moved, rank
from halfeven.lower.scaling import mean_rescale
from halfeven.lower.site import NotLowered, Site

# nearest, half_pixel_symmetric is left to ONNX Runtime: its float32 steps depend on how the compiler contracted them.
COORDINATES = {
    "nearest": ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"),
    "linear": ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"),
}
CODE_BITS = 16


def lower(site: Site) -> list[Instruction]:
    """``Q(Resize(DQ(x)))`` with constant scales or sizes."""
    mode, coordinates = site.text("mode", "nearest"), site.text("coordinate_transformation_mode", "half_pixel")
    if coordinates not in COORDINATES.get(mode, ()):
        raise NotLowered(f"its mode {mode} ({coordinates}) has no integer form here")
    if site.integer("antialias", 0):
        raise NotLowered("it filters against aliasing")
    if site.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise NotLowered("it keeps the aspect ratio")
    scales, sizes = _sizes(site)
    if mode == "linear":
        return _linear(site, scales, sizes, coordinates)
    rounding = site.text("nearest_mode", "round_prefer_floor")
    return moved(site, lambda x, y: ResizeNearest(site.name, x, y, scales, sizes, coordinates, rounding))


def _sizes(site: Site) -> tuple[tuple[float, ...] | None, tuple[int, ...] | None]:
    """Scales of every axis, or else sizes."""
    scales, sizes = site.constant(2), site.constant(3)
    axes = [a % rank(site) for a in site.integers("axes", list(range(rank(site))))]
    if scales is not None and scales.size:
        return _spread(scales.tolist(), axes, rank(site)), None
    if sizes is None or len(axes) < rank(site):
        raise NotLowered("it gives neither scales nor a size for every axis")
    return None, tuple(int(n) for n in sizes)


def _spread(scales: list[float], axes: list[int], count: int) -> tuple[float, ...]:
    ratios = [1.0] * count
    for axis, scale in zip(axes, scales, strict=True):
        ratios[axis] = scale
    return tuple(ratios)


def _linear(
    site: Site, scales: tuple[float, ...] | None, sizes: tuple[int, ...] | None, coordinates: str
) -> list[Instruction]:
    x = site.activation(0)
    if x.params.qtype.bits > CODE_BITS:
        raise NotLowered(f"codes of {x.params.qtype} are too wide here")
    how = mean_rescale(site, x.params.scale)
    return [ResizeLinear(site.name, x.name, site.y, scales, sizes, coordinates, x.zero, how)]
