"""Weights of linear interpolation along an axis, as integers (docs/math/resize.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.ir.select import ResizeLinear

WEIGHT_BITS = 14
MOST_AXES = 3
F32 = np.float32


@dataclass(frozen=True, eq=False)
class Taps:
    """``(low_weight x[low] + high_weight x[high]) / total`` for each output element; the weights sum to ``total``."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    low_weight: NDArray[np.int64]
    high_weight: NDArray[np.int64]
    total: int


def taps_of(i: ResizeLinear, shape: Sequence[int]) -> list[Taps | None]:
    """The taps of each axis; None where it stays as it is.

    Raises
    ------
    ParameterError
        If more than three axes change.
    """
    found = []
    for axis, size in enumerate(shape):
        scale = None if i.scales is None else i.scales[axis]
        target = None if i.sizes is None else i.sizes[axis]
        found.append(_taps(size, target, scale, i.coordinates))
    if sum(t is not None for t in found) > MOST_AXES:
        raise ParameterError(f"more than {MOST_AXES} axes of shape {tuple(shape)} are interpolated")
    return found


def total_of(taps: Sequence[Taps | None]) -> int:
    """What the sum over all axes is divided by."""
    total = 1
    for t in taps:
        total *= 1 if t is None else t.total
    return total


@lru_cache(maxsize=256)
def _taps(size: int, target: int | None, scale: float | None, coordinates: str) -> Taps | None:
    out = int(np.floor(F32(size) * F32(scale))) if target is None else target
    if out == size and scale in (None, 1):
        return None
    if size < 1 or out < 1:
        raise ParameterError(f"an axis of {size} cannot be interpolated to {out}")
    ratio = Fraction(out, size) if scale is None else fraction_of(scale)
    numerator, denominator = _positions(np.arange(out), size, out, ratio, coordinates)
    position = np.clip(numerator, 0, (size - 1) * denominator)
    low = position // denominator
    weight, total = _weights(position - low * denominator, denominator)
    return Taps(low, np.minimum(low + 1, size - 1), total - weight, weight, total)


def fraction_of(scale: float) -> Fraction:
    """The simplest fraction that is this float32."""
    simple = Fraction(float(F32(scale))).limit_denominator(1 << 10)
    return simple if F32(simple.numerator / simple.denominator) == F32(scale) else Fraction(float(F32(scale)))


def _positions(
    o: NDArray[np.int64], size: int, out: int, ratio: Fraction, coordinates: str
) -> tuple[NDArray[np.int64], int]:
    """Where each output element lies on the input, as numerators over one denominator."""
    p, q = ratio.numerator, ratio.denominator
    if coordinates == "asymmetric":
        return o * q, p
    if coordinates == "align_corners":
        return o * (size - 1), max(out - 1, 1)
    if coordinates == "pytorch_half_pixel" and out <= 1:
        return o * 0, 1
    centre = size * p - out * q if coordinates == "half_pixel_symmetric" else 0
    return (2 * o + 1) * q - p + centre, 2 * p


def _weights(rest: NDArray[np.int64], denominator: int) -> tuple[NDArray[np.int64], int]:
    """``rest / denominator`` over the smallest common denominator; over 2^14, rounded, where that is larger."""
    common = gcd(denominator, *map(int, rest))
    if denominator // common <= 1 << WEIGHT_BITS:
        return rest // common, denominator // common
    rounded = [round(Fraction(int(r) << WEIGHT_BITS, denominator)) for r in rest]
    return np.array(rounded, np.int64), 1 << WEIGHT_BITS
