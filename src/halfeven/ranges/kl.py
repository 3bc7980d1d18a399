"""The range whose codes keep most of the distribution. Source: docs/math/ranges.md eq. 3 to 6."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.ranges.codes import Codes
from halfeven.ranges.histogram import SIDE, Counts, Histogram, Reals

Indices = NDArray[np.int64]

FEWEST, MOST = 129, 16384  # bins
DIGITS = 12  # two divergences that agree to so many decimals are one
MOST_CLIPPED = 0.001  # share of the values: where nearly all are clipped, what is left is one value, and P = Q


@dataclass(frozen=True)
class Kl:
    """Minimize the Kullback-Leibler divergence between the values and their codes.

    Attributes
    ----------
    bins : of equal width between zero and the greatest magnitude, 129 to 16384.
    """

    bins: int = 1024
    name: ClassVar[str] = "kl"
    statistics: ClassVar[type[Histogram]] = Histogram

    def __post_init__(self) -> None:
        if not FEWEST <= self.bins <= MOST:
            raise ParameterError(f"kl takes {FEWEST} to {MOST} bins, not {self.bins}")

    def choose(self, statistics: Histogram, codes: Codes) -> tuple[float, float]:
        """The range."""
        return kl_range(statistics, codes, self.bins)

    def __str__(self) -> str:
        return f"kl {self.bins} bins"


@dataclass(frozen=True, eq=False)
class Windows:
    """Candidate ranges: bins ``[start, end)`` of ``counts``, each range cut into ``levels`` parts of a bin or more.

    Attributes
    ----------
    counts : float64 (B,), at least 0. start, end : int64 (K,).
    """

    counts: Reals
    start: Indices
    end: Indices
    levels: int


def kl_range(histogram: Histogram, codes: Codes, bins: int) -> tuple[float, float]:
    """``[max(lo, -T), min(hi, T)]`` with the T that minimizes :func:`divergence`; of equals the widest.

    Symmetric codes: of the magnitudes, in ``-qmin`` levels. Asymmetric codes: of the values, in one level a code. Zero
    has a code of its own, so exact zeros are left out. Where there are no fewer levels than bins, as with 16-bit codes,
    nothing is lost inside any range, and the widest wins.
    """
    greatest = max(-histogram.lo, histogram.hi)
    if greatest <= 0:
        return histogram.lo, histogram.hi
    windows = _magnitudes(histogram, bins, codes) if codes.symmetric else _values(histogram, bins, codes)
    tried = np.flatnonzero(windows.end - windows.start >= windows.levels)
    tried = tried[_clipped(windows)[tried] <= MOST_CLIPPED]
    if not tried.size:
        return histogram.lo, histogram.hi
    found = divergence(Windows(windows.counts, windows.start[tried], windows.end[tried], windows.levels)).round(DIGITS)
    widest = found.size - 1 - int(np.argmin(found[::-1]))
    threshold = greatest * ((int(tried[widest]) + 1) / bins)
    return histogram.within(threshold)


def _clipped(windows: Windows) -> Reals:
    """The share of the counts that lies outside each window."""
    before = _sums(windows.counts)
    return np.asarray(1 - (before[windows.end] - before[windows.start]) / before[-1])


def _magnitudes(histogram: Histogram, bins: int, codes: Codes) -> Windows:
    """Window k: the first k + 1 bins of the magnitudes."""
    below, above = _sides(histogram, bins)
    return Windows(below + above, np.zeros(bins, np.int64), np.arange(1, bins + 1), -codes.qtype.qmin)


def _values(histogram: Histogram, bins: int, codes: Codes) -> Windows:
    """Window k: k + 1 bins on either side of zero, as far as there are values."""
    greatest, steps = max(-histogram.lo, histogram.hi), np.arange(1, bins + 1)
    first, last = (math.ceil(max(0.0, reach) / greatest * bins) for reach in (-histogram.lo, histogram.hi))
    below, above = _sides(histogram, bins)
    counts = np.concatenate([below[::-1], above])
    return Windows(counts, bins - np.minimum(steps, first), bins + np.minimum(steps, last), codes.qtype.levels)


def _sides(histogram: Histogram, bins: int) -> tuple[Reals, Reals]:
    """How many magnitudes of negative and of positive values lie in each of ``bins`` bins up to the greatest.

    Inside a bin of the histogram they are taken as spread evenly, so these numbers are not whole.
    """
    counts = histogram.counts.copy()
    counts[SIDE] -= histogram.zeros
    edges = np.linspace(0, max(-histogram.lo, histogram.hi) / histogram.width, bins + 1, dtype=np.float64)
    return _resampled(counts[SIDE - 1 :: -1], edges), _resampled(counts[SIDE:], edges)


def _resampled(counts: Counts, edges: Reals) -> Reals:
    """Counts between ``edges``, in widths of a bin of ``counts``; what lies beyond the last edge in its last bin."""
    below = np.concatenate([[0], np.cumsum(counts)]).astype(np.float64)
    at = np.interp(edges, np.arange(counts.size + 1.0), below)
    at[-1] = below[-1]
    return np.diff(at)


def divergence(windows: Windows) -> Reals:
    """``D = sum_b P_b ln(P_b / Q_b)`` of each window, float64 (K,); infinite where a window holds nothing.

    P: the counts in the window, those outside added to the bin nearest to them that is not empty. Q: the counts in the
    window alone, each level's sum spread evenly over its bins that are not empty. Both scaled to sum 1.
    """
    counts, start, end = windows.counts, windows.start, windows.end
    before, filled, entropy = _sums(counts), _sums(counts > 0), _sums(_times_log(counts, counts))
    total, inside = before[-1], before[end] - before[start]
    edges = start[:, None] + np.arange(windows.levels + 1) * (end - start)[:, None] // windows.levels
    level = np.diff(before[edges])
    q = _ratio(level, np.diff(filled[edges]) * inside[:, None])
    own, cross = entropy[end] - entropy[start], _times_log(level, q).sum(axis=1)
    first, last = _ends(windows)
    for bin_, there, outside in (
        (first, counts[first], before[start]),
        (last, counts[last] + np.where(first == last, before[start], 0.0), total - before[end]),
    ):
        own += _times_log(there + outside, there + outside) - _times_log(there, there)
        cross += _times_log(outside, np.take_along_axis(q, _level_of(windows, bin_)[:, None], axis=1)[:, 0])
    return np.where(inside > 0, (own - cross) / total - math.log(total), np.inf)


def _ends(windows: Windows) -> tuple[Indices, Indices]:
    """The first and the last bin of each window that is not empty; any of its bins where all are."""
    index, filled = np.arange(windows.counts.size), windows.counts > 0
    last = np.maximum.accumulate(np.where(filled, index, 0))[windows.end - 1]
    first = np.minimum.accumulate(np.where(filled, index, index.size - 1)[::-1])[::-1][windows.start]
    return np.minimum(first, windows.end - 1), np.maximum(last, windows.start)


def _level_of(windows: Windows, bin_: Indices) -> Indices:
    """Of a bin in each window: ``edges[level] <= bin < edges[level + 1]``."""
    return ((bin_ - windows.start + 1) * windows.levels - 1) // (windows.end - windows.start)


def _sums(values: NDArray[np.generic]) -> Reals:
    """``sums[k]``: of the first k values."""
    return np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])


def _times_log(weight: Reals, value: Reals) -> Reals:
    """``weight ln(value)``, 0 where the weight is 0; minus infinity where the value alone is 0."""
    with np.errstate(divide="ignore"):
        return np.multiply(weight, np.log(value), out=np.zeros_like(weight), where=weight > 0)


def _ratio(a: Reals, b: Reals) -> Reals:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
