"""Statistics of a stream of arrays, gathered by the native kernels; tested equal to those of ``halfeven.ranges``."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halfeven import _native
from halfeven.numerics.affine import as_float32
from halfeven.ranges import Histogram, MinMax, Statistics
from halfeven.ranges.histogram import LOWEST_EXPONENT, SIDE

MOST = 2**32 - 1  # values that 32-bit counts hold


def difference(f: NDArray[Any], other: NDArray[Any]) -> tuple[int, float, float, float, float, float, float]:
    """``count``, ``sum f^2``, ``sum e^2``, ``sum f e``, ``sum |f|``, ``sum |e|``, ``max |e|`` where f is finite.

    ``e = other - f``, in float64, of two arrays of one shape; where one is not finite, what sums e is infinite.
    """
    dtype = np.float32 if f.dtype == other.dtype == np.float32 else np.float64
    return _native.difference(np.ascontiguousarray(f, dtype), np.ascontiguousarray(other, dtype))


class Gathering:
    """A stream under way, of one tensor: :meth:`add` what comes, in any order and from any thread.

    ``Gathering(kind)`` with ``add(x)`` for each x has the same :attr:`statistics`, to the last bit, as ``kind()`` with
    ``update(x)`` for each. 32 KiB for a histogram, however long the stream.
    """

    def __init__(self, kind: type[MinMax | Histogram] = Histogram) -> None:
        self._before: Statistics = kind()
        self._lock = Lock()
        self._begin()

    def _begin(self) -> None:
        self._counts = np.zeros(2 * SIDE if isinstance(self._before, Histogram) else 0, np.uint32)
        self._exponent, self._seen = LOWEST_EXPONENT, 0
        self._lo, self._hi, self._finite, self._zeros, self._nan, self._inf = np.inf, -np.inf, 0, 0, 0, 0

    def add(self, x: ArrayLike, threads: int = 0) -> int:
        """Count the values of ``x`` (any shape, any float type); how many of them are NaN."""
        values = np.ascontiguousarray(as_float32(x))
        with self._lock:  # the kernels let go of the interpreter
            if self._seen + values.size > MOST:
                self._before = self._statistics()
                self._begin()
            counts = self._counts if self._counts.size else None
            found = _native.gather(values, counts, self._exponent, threads=threads)
            lo, hi, finite, zeros, nan, inf, self._exponent = found
            self._lo, self._hi = min(self._lo, lo), max(self._hi, hi)
            self._finite += finite
            self._zeros += zeros
            self._nan += nan
            self._inf += inf
            self._seen += values.size
        return nan

    @property
    def statistics(self) -> Statistics:
        """What was seen so far."""
        with self._lock:
            return self._statistics()

    def _statistics(self) -> Statistics:
        recent = MinMax(self._lo, self._hi, self._finite, self._nan, self._inf)
        if isinstance(self._before, MinMax):
            return self._before.merge(recent)
        return self._before.merge(Histogram(recent, self._exponent, self._counts.astype(np.int64), self._zeros))
