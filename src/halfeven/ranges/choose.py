"""From statistics to a real range ``[lo, hi]``: one function a method. Source: docs/math/ranges.md."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from halfeven.errors import ParameterError
from halfeven.ranges.codes import Codes
from halfeven.ranges.histogram import Histogram
from halfeven.ranges.kl import Kl
from halfeven.ranges.min_max import MinMax
from halfeven.ranges.mse import Mse
from halfeven.ranges.percentile import Percentile

Range = tuple[float, float]
Statistics = MinMax | Histogram


class Method(Protocol):
    """A way to choose a range: a frozen dataclass of its options.

    Attributes
    ----------
    name : as users write it.
    statistics : what it needs at least; a Histogram knows all that MinMax knows.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def statistics(self) -> type[MinMax | Histogram]: ...  # noqa: D102

    def choose(self, statistics: Any, codes: Codes, /) -> Range:
        """``(lo, hi)`` from statistics with at least one finite value."""


@dataclass(frozen=True)
class Max:
    """The least and the greatest value seen."""

    name: ClassVar[str] = "max"
    statistics: ClassVar[type[MinMax]] = MinMax

    def choose(self, statistics: Statistics, _codes: Codes) -> Range:
        """The range; whatever the codes."""
        return statistics.lo, statistics.hi

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Fixed:
    """A range that is given, whatever was seen.

    Raises
    ------
    ParameterError
        If a bound is not finite, or ``lo > hi``.
    """

    lo: float
    hi: float
    name: ClassVar[str] = "fixed"
    statistics: ClassVar[type[MinMax]] = MinMax

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lo) and math.isfinite(self.hi) and self.lo <= self.hi):
            raise ParameterError(f"a fixed range is two finite numbers lo <= hi, not [{self.lo}, {self.hi}]")

    @classmethod
    def threshold(cls, value: float) -> Fixed:
        """``[-value, value]``."""
        return cls(-value, value)

    def choose(self, _statistics: Statistics, _codes: Codes) -> Range:
        """The range."""
        return self.lo, self.hi

    def __str__(self) -> str:
        return f"fixed [{self.lo:g}, {self.hi:g}]"


MAX, PERCENTILE, KL, MSE = Max(), Percentile(), Kl(), Mse()
NAMED: tuple[Method, ...] = (MAX, PERCENTILE, KL, MSE)
"""What can be asked for by name, with its defaults."""


def choose_range(statistics: Statistics, method: Method | str, codes: Codes | None = None) -> Range:
    """``(lo, hi)`` by ``method`` for ``codes`` (int8, symmetric, if left out).

    (0, 0) where no finite value was seen, except for a fixed range. Infinities and NaN never set a range.

    Raises
    ------
    ParameterError
        If the method needs other statistics, or no method has that name.
    """
    method = get_method(method)
    if method.statistics is Histogram and not isinstance(statistics, Histogram):
        raise ParameterError(f"{method} needs a {method.statistics.__name__}, not a {type(statistics).__name__}")
    if not statistics.count and not isinstance(method, Fixed):
        return 0.0, 0.0
    return method.choose(statistics, codes or Codes())


def get_method(method: Method | str) -> Method:
    """The method of that name, with its defaults; a Method is returned as it is."""
    if not isinstance(method, str):
        return method
    named = {m.name: m for m in NAMED}
    if method not in named:
        raise ParameterError(f"no range method is named {method!r}: one of {', '.join(named)} was expected")
    return named[method]
