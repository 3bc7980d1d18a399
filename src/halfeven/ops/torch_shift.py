"""``round(acc * M0 / 2^shift)`` in int64 tensors: the product exact, one rounding (docs/math/requantize.md eq. 9)."""

from __future__ import annotations

import torch
from torch import Tensor

WORD = 32
MASK = (1 << WORD) - 1
FAR = 1 << 33  # beyond every code plus every zero point


def scale_half(acc: Tensor, m0: Tensor, shift: Tensor, *, half_up: bool) -> Tensor:
    """The case where int32 holds ``acc``, and so int64 the product with ``M0 < 2^31``. Left shifts saturate at 2^33."""
    product = acc * m0
    right = shift.clamp(1, 62)
    floor = product >> right
    rest = product - (floor << right)
    rounded = floor + _rounds_up(rest - (torch.ones_like(right) << (right - 1)), floor, half_up=half_up)
    rounded = torch.where(shift > 62, 0, rounded)  # noqa: PLR2004  |product| < 2^62: less than a half
    return torch.where(shift > 0, rounded, _shift_left(product, -shift))


def scale_half_wide(acc: Tensor, m0: Tensor, shift: Tensor, *, half_up: bool) -> Tensor:
    """Any int64 ``acc``: the product is ``high * 2^32 + low`` with ``0 <= low < 2^32``. Saturates beyond 2^61."""
    low = (acc & MASK) * m0
    high = (acc >> WORD) * m0 + (low >> WORD)
    low = low & MASK
    near = _near(high, low, shift.clamp(1, WORD), half_up=half_up)
    far = _far(high, low, (shift - WORD).clamp(1, 62), half_up=half_up)
    rounded = torch.where(shift > WORD, far, near)
    rounded = torch.where(shift > 94, 0, rounded)  # noqa: PLR2004  |product| < 2^94: less than a half
    return torch.where(shift > 0, rounded, _shift_left(_saturated(high, low), -shift))


def _near(high: Tensor, low: Tensor, shift: Tensor, *, half_up: bool) -> Tensor:
    """Shifts of 1 to 32: the rounding is decided in ``low``."""
    limit = torch.ones_like(shift) << (shift + 29)
    top = torch.maximum(torch.minimum(high, limit), -limit) << (WORD - shift)
    floor = top + (low >> shift)
    half = torch.ones_like(shift) << (shift - 1)
    return floor + _rounds_up((low & (2 * half - 1)) - half, floor, half_up=half_up)


def _far(high: Tensor, low: Tensor, shift: Tensor, *, half_up: bool) -> Tensor:
    """Shifts of 32 + ``shift``: ``low`` only breaks a tie of ``high``."""
    floor = high >> shift
    half = torch.ones_like(shift) << (shift - 1)
    above = (high & (2 * half - 1)) - half
    return floor + _rounds_up(torch.where(above == 0, low, above), floor, half_up=half_up)


def _rounds_up(above: Tensor, floor: Tensor, *, half_up: bool) -> Tensor:
    """Whether the remainder, ``above`` one half by that sign, goes up."""
    return (above >= 0) if half_up else (above > 0) | ((above == 0) & ((floor & 1) == 1))


def _saturated(high: Tensor, low: Tensor) -> Tensor:
    inside = (high >= -FAR // (1 << WORD)) & (high < FAR >> WORD)
    return torch.where(inside, (high << WORD) + low, torch.where(high < 0, -FAR, FAR))


def _shift_left(product: Tensor, left: Tensor) -> Tensor:
    """``product * 2^left`` in steps of 29 bits, saturated to +-2^33 before each, so that none can wrap."""
    for _ in range(3):
        step = left.clamp(0, 29)
        product = product.clamp(-FAR, FAR) << step
        left = left - step
    return product
