"""Pad (ONNX Pad-21): constant padding writes the code of its value; the other modes repeat codes."""

from __future__ import annotations

from halfeven.ir.instructions import Instruction
from halfeven.ir.moves import Pad
from halfeven.lower.rules.move import constants, moved, rank
from halfeven.lower.site import NotLowered, Operand, Site
from halfeven.numerics import affine


def lower(site: Site) -> list[Instruction]:
    """``Q(Pad(DQ(x)))`` with constant pads."""
    axes = site.constant(3)
    pairs = _pairs(constants(site, 1, "pads"), None if axes is None else axes.reshape(-1).tolist(), rank(site))
    mode = site.text("mode", "constant")
    if mode != "constant" and min(map(min, pairs)) < 0:
        raise NotLowered(f"it crops in mode {mode}")
    fill = _fill(site, site.activation(0)) if mode == "constant" else 0
    return moved(site, lambda x, y: Pad(site.name, x, y, pairs, mode, fill))


def _pairs(pads: tuple[int, ...], axes: list[int] | None, axes_of_x: int) -> tuple[tuple[int, int], ...]:
    chosen = list(range(axes_of_x)) if axes is None else [a % axes_of_x for a in axes]
    pairs = [(0, 0)] * axes_of_x
    for axis, begin, end in zip(chosen, pads[: len(chosen)], pads[len(chosen) :], strict=True):
        pairs[axis] = begin, end
    return tuple(pairs)


def _fill(site: Site, x: Operand) -> int:
    """The code of the padding; a value that is not one of the operand's reals would need codes of its own."""
    value = site.real_constant(2)
    if value is None:
        return x.zero
    code = affine.quantize(value.astype("float32").reshape(()), x.params, site.profile)
    if affine.dequantize(code, x.params) != value.astype("float32").reshape(()):
        raise NotLowered(f"it pads with {value.item():g}, which is no code of its input's scale")
    return int(code)
