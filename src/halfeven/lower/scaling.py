"""Multipliers from scales, as the profile and docs/math say."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.rescale import MeanRescale, Rescale
from halfeven.lower.site import NotLowered, Site
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import Requantize

SUM_BITS_8 = 16
SUM_BITS_16 = 31


def method_of(site: Site) -> Requantize:
    """The profile's requantize method; NotLowered where the profile has none."""
    if site.profile.requantize is None:
        raise NotLowered(f"profile {site.profile.name} defines no requantize")
    return site.profile.requantize


def rescale(site: Site, *scales: NDArray[np.float32]) -> Rescale:
    """``M = product(scales) / S3`` onto the site's codes (docs/math/requantize.md eq. 8)."""
    m = Multiplier.from_scales(scales, site.params.scale, site.profile)
    return Rescale(m, site.target, method_of(site))


def mean_rescale(site: Site, scale: NDArray[np.float32]) -> MeanRescale:
    """``S1 / S3``, to be divided by the count of each window."""
    ratio = float(scale.astype(np.float64) / site.params.scale.astype(np.float64))
    profile = site.profile
    return MeanRescale(ratio, profile.multiplier_bits, profile.multiplier_half_away, site.target, method_of(site))


def common_shift(ratios: tuple[float, float], *, wide: bool) -> tuple[int, int, int]:
    """``A1, A2, k`` of Add: ``A_i = rhe(ratio_i 2^k)`` with one common k (docs/math/add.md eq. 11).

    8-bit codes: the largest k with ``A1 + A2 <= 2^16``; ``wide`` (16-bit codes): with both below 2^31. ``k <= 46``,
    so that a sum of two products stays exact in int64.

    Raises
    ------
    NotLowered
        If even k = 0 is too large: an input's step is over 2^16 (2^31) times the output's.
    """
    for k in range(46, -1, -1):
        a, b = (int(np.rint(np.ldexp(r, k))) for r in ratios)
        if (max(a, b) < 1 << SUM_BITS_16) if wide else (a + b <= 1 << SUM_BITS_8):
            return a, b, k
    raise NotLowered(f"its scales differ too much: ratios to the output of {ratios[0]:.3g} and {ratios[1]:.3g}")


def ratio_to(site: Site, scale: NDArray[Any]) -> float:
    """``S / S3`` in float64."""
    return float(scale.astype(np.float64) / site.params.scale.astype(np.float64))
