"""From statistics to a real range ``[lo, hi]``: one function a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from halfeven.errors import ParameterError
from halfeven.ranges.histogram import SIDE, Counts, Histogram
from halfeven.ranges.min_max import MinMax

Range = tuple[float, float]


@dataclass(frozen=True)
class Method:
    """A way to choose a range.

    Attributes
    ----------
    name : as users write it.
    statistics : what it needs at least; a Histogram knows all that MinMax knows.
    choose : statistics with at least one finite value -> (lo, hi).
    """

    name: str
    statistics: type[MinMax | Histogram]
    choose: Callable[[Any], Range]

    def __str__(self) -> str:
        return self.name


def choose_range(statistics: MinMax | Histogram, method: Method | str) -> Range:
    """``(lo, hi)`` by ``method``; (0, 0) where no finite value was seen. Infinities and NaN never set a range.

    Raises
    ------
    ParameterError
        If the method needs other statistics, or no method has that name.
    """
    method = get_method(method)
    if method.statistics is Histogram and not isinstance(statistics, Histogram):
        raise ParameterError(f"{method} needs a {method.statistics.__name__}, not a {type(statistics).__name__}")
    return method.choose(statistics) if statistics.count else (0.0, 0.0)


def max_range(statistics: MinMax | Histogram) -> Range:
    """The least and the greatest value seen."""
    return statistics.lo, statistics.hi


def percentile_range(histogram: Histogram, value: float) -> Range:
    """``hi``: the least t with ``C(t) = value / 100 * count``; ``lo``: the same of the mirrored data, negated.

    ``C(t)`` counts the values below t, taken as spread evenly inside a bin. Both ends are limited to the values seen.
    """
    hi = _upper(histogram.counts, value / 100 * histogram.count) * histogram.width
    lo = -_upper(histogram.counts[::-1], value / 100 * histogram.count) * histogram.width
    # where all values are equal, both ends are that value
    return max(min(lo, histogram.hi), histogram.lo), min(max(hi, histogram.lo), histogram.hi)


def _upper(counts: Counts, target: float) -> float:
    """The least ``t``, in widths from the middle of the bins, below which ``target`` values lie."""
    total = np.cumsum(counts)
    bin_ = min(int(np.searchsorted(total, target)), counts.size - 1)
    before = int(total[bin_] - counts[bin_])
    return bin_ - SIDE + (target - before) / int(counts[bin_])


def percentile(value: float = 99.99) -> Method:
    """Leave out the outermost ``100 - value`` percent at either end, ``50 < value <= 100``."""
    if not 50 < value <= 100:  # noqa: PLR2004
        raise ParameterError(f"a percentile lies above 50 and up to 100, and {value} does not")
    return Method("percentile", Histogram, partial(percentile_range, value=value))


MAX = Method("max", MinMax, max_range)
PERCENTILE = percentile()


def get_method(method: Method | str) -> Method:
    """The method of that name, with its defaults; a Method is returned as it is."""
    if isinstance(method, Method):
        return method
    named = {m.name: m for m in (MAX, PERCENTILE)}
    if method not in named:
        raise ParameterError(f"no range method is named {method!r}: one of {', '.join(named)} was expected")
    return named[method]
