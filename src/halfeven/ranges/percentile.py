"""Leave out the outermost values. Source: docs/math/ranges.md eq. 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from halfeven.errors import ParameterError
from halfeven.ranges.codes import Codes
from halfeven.ranges.histogram import SIDE, Counts, Histogram

LOWEST = 50  # of a percentile: below it the lower end would lie above the upper one


@dataclass(frozen=True)
class Percentile:
    """Leave out the outermost ``100 - value`` percent at either end, ``50 <= value <= 100``."""

    value: float = 99.99
    name: ClassVar[str] = "percentile"
    statistics: ClassVar[type[Histogram]] = Histogram

    def __post_init__(self) -> None:
        if not LOWEST <= self.value <= 100:  # noqa: PLR2004
            raise ParameterError(f"a percentile lies between {LOWEST} and 100, and {self.value} does not")

    def choose(self, statistics: Histogram, _codes: Codes) -> tuple[float, float]:
        """The range; whatever the codes."""
        return percentile_range(statistics, self.value)

    def __str__(self) -> str:
        return f"percentile {self.value:g}"


def percentile_range(histogram: Histogram, value: float) -> tuple[float, float]:
    """``hi``: the least t with ``C(t) = value / 100 * count``; ``lo``: the same of the mirrored data, negated.

    ``C(t)`` counts the values below t, taken as spread evenly inside a bin. Both ends are limited to the values seen.
    """
    hi = _upper(histogram.counts, value / 100 * histogram.count) * histogram.width
    lo = -_upper(histogram.counts[::-1], value / 100 * histogram.count) * histogram.width
    # where all values are equal, both ends are that value
    lo, hi = max(min(lo, histogram.hi), histogram.lo), min(max(hi, histogram.lo), histogram.hi)
    return min(lo, hi), max(lo, hi)  # inside one bin, the median's two sides may be a rounding apart


def _upper(counts: Counts, target: float) -> float:
    """The least ``t``, in widths from the middle of the bins, below which ``target`` values lie."""
    total = np.cumsum(counts)
    bin_ = min(int(np.searchsorted(total, target)), counts.size - 1)
    before = int(total[bin_] - counts[bin_])
    return bin_ - SIDE + (target - before) / int(counts[bin_])
