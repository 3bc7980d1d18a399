"""Resize (ONNX Resize-19), mode nearest: it picks codes."""

from __future__ import annotations

from halfeven.ir.instructions import Instruction
from halfeven.ir.moves import ResizeNearest
from halfeven.lower.rules.move import moved, rank
from halfeven.lower.site import NotLowered, Site

# half_pixel_symmetric is left to ONNX Runtime: its float32 steps there depend on how the compiler contracted them.
PLAIN = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


def lower(site: Site) -> list[Instruction]:
    """``Q(Resize(DQ(x)))`` with constant scales or sizes."""
    mode, coordinates = site.text("mode", "nearest"), site.text("coordinate_transformation_mode", "half_pixel")
    if mode != "nearest" or coordinates not in PLAIN:
        raise NotLowered(f"its mode {mode} ({coordinates}) mixes values")
    if site.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise NotLowered("it keeps the aspect ratio")
    scales, sizes = site.constant(2), site.constant(3)
    axes = [a % rank(site) for a in site.integers("axes", list(range(rank(site))))]
    ratios = None if scales is None or not scales.size else _spread(scales.tolist(), axes, rank(site))
    if ratios is None and (sizes is None or len(axes) < rank(site)):
        raise NotLowered("it gives neither scales nor a size for every axis")
    targets = None if sizes is None or ratios is not None else tuple(int(n) for n in sizes)
    rounding = site.text("nearest_mode", "round_prefer_floor")
    return moved(site, lambda x, y: ResizeNearest(site.name, x, y, ratios, targets, coordinates, rounding))


def _spread(scales: list[float], axes: list[int], count: int) -> tuple[float, ...]:
    ratios = [1.0] * count
    for axis, scale in zip(axes, scales, strict=True):
        ratios[axis] = scale
    return tuple(ratios)
