"""Constants that multiply an activation channel by channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.ir.instructions import Instruction
from halfeven.ir.slopes import Factors, Slopes
from halfeven.lower.scaling import method_of, ratio_to
from halfeven.lower.site import NotLowered, Site
from halfeven.numerics.multiplier import Multiplier

TABLE_BITS = 16


def axes_of(shape: tuple[int, ...], x: ir.Value | None) -> tuple[tuple[int, ...], int]:
    """Sizes of the axes of ``x`` along which a constant of ``shape`` varies, and how many axes follow them.

    Raises
    ------
    NotLowered
        If it does not broadcast against ``x`` without making it larger, as far as the sizes are fixed.
    """
    long = [k for k, n in enumerate(shape) if n != 1]
    if not long:
        return (), 0
    first, last = long[0], long[-1] + 1
    along, inner = tuple(shape[first:last]), len(shape) - last
    sizes = None if x is None or x.shape is None else list(x.shape)
    if sizes is None or len(sizes) < len(along) + inner:
        raise NotLowered("the rank of its input is unknown, or less than that of its constant")
    if sizes[len(sizes) - inner - len(along) : len(sizes) - inner] != list(along):
        size = "x".join(str(n) if isinstance(n, int) else str(n.value or "?") for n in sizes)
        raise NotLowered(f"its constant of shape {shape} does not lie along axes of its input of {size}")
    return along, inner


def slopes(site: Site, above: NDArray[np.float64], below: NDArray[np.float64]) -> list[Instruction]:
    """``Q(act(factor * DQ(x)))``, x the first or, where that is constant, second operand; factors by the sign of x."""
    index = 0 if _is_activation(site, 0) else 1
    x = site.activation(index)
    if x.params.qtype.bits > TABLE_BITS:
        raise NotLowered(f"codes of {x.params.qtype} are too wide here")
    shape, inner = axes_of(above.shape if above.size >= below.size else below.shape, site.node.inputs[index])
    sides = (_factors(site, x.params.scale, above), _factors(site, x.params.scale, below))
    return [Slopes(site.name, x.name, site.y, x.zero, shape, inner, *sides, site.target, method_of(site))]


def _is_activation(site: Site, index: int) -> bool:
    try:
        return site.operand(index).constant is None
    except NotLowered:
        return False


def _factors(site: Site, scale: NDArray[Any], real: NDArray[np.float64]) -> Factors:
    flat = real.reshape(()) if real.size == 1 else real.reshape(-1)
    if not np.isfinite(flat).all():
        raise NotLowered("its constant holds NaN or infinite values")
    ratios = np.abs(flat) * ratio_to(site, scale)
    bits, away = site.profile.multiplier_bits, site.profile.multiplier_half_away
    sign = np.where(flat < 0, -1, 1).astype(np.int64)
    return Factors(Multiplier.from_real(ratios, bits, half_away=away), sign)
