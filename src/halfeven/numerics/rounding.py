"""Rounding to integers, literally: float functions return floats that hold integers, the others are exact on integers.

Source: docs/math/rounding.md.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
HALF = np.float32(0.5)


class Rounding(IntEnum):
    """How a float32 becomes the integer of a code."""

    HALF_EVEN = 0
    HALF_UP_FLOAT32 = 1
    HALF_AWAY = 2


def round_half_even(t: F32) -> F32:
    """Nearest integer, ties to even: ``rhe(t)``."""
    return np.rint(t)


def round_half_up_float32(t: F32) -> F32:
    """``floor(f32(t + 0.5))``: the sum is itself rounded to float32, so 0.49999997 gives 1."""
    return np.asarray(np.floor(t + HALF))


def round_half_away(t: F32) -> F32:
    """Nearest integer, ties away from zero, exactly (C's ``round``): the remainder of the truncation decides."""
    whole = np.trunc(t)
    with np.errstate(invalid="ignore"):  # inf - inf: not a remainder of one half
        away = np.abs(t - whole) >= HALF
    return np.where(away, whole + np.copysign(np.float32(1), t), whole).astype(np.float32)


def round_float(t: F32, rounding: Rounding) -> F32:
    """Round by the rule named."""
    if rounding is Rounding.HALF_EVEN:
        return round_half_even(t)
    if rounding is Rounding.HALF_UP_FLOAT32:
        return round_half_up_float32(t)
    return round_half_away(t)


def shift_half_even(product: NDArray[Any], shift: NDArray[Any]) -> NDArray[Any]:
    """``rhe(product / 2^shift)`` in integers, ``shift >= 1``; int64 or Python integers (dtype object)."""
    floor = product >> shift
    remainder = product - (floor << shift)
    half = np.ones_like(product) << (shift - 1)
    up = (remainder > half) | ((remainder == half) & ((floor & 1) == 1))
    return np.asarray(floor + up)


def shift_half_up(product: NDArray[Any], shift: NDArray[Any]) -> NDArray[Any]:
    """``floor(product / 2^shift + 1/2)`` in integers, ``shift >= 1``."""
    floor = product >> shift
    remainder = product - (floor << shift)
    half = np.ones_like(product) << (shift - 1)
    return np.asarray(floor + (remainder >= half))


def shift_half_away(product: NDArray[Any], shift: NDArray[Any]) -> NDArray[Any]:
    """``product / 2^shift`` to the nearest integer, ties away from zero, in integers; ``shift >= 1``."""
    magnitude = shift_half_up(np.abs(product), shift)
    return np.where(product < 0, -magnitude, magnitude)


def divide_half_even(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[Any]:
    """``rhe(numerator / denominator)`` in integers, ``denominator > 0``."""
    floor = numerator // denominator
    remainder = numerator - floor * denominator
    twice = 2 * remainder
    up = (twice > denominator) | ((twice == denominator) & ((floor & 1) == 1))
    return np.asarray(floor + up)
