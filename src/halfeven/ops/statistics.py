"""Statistics of a stream of arrays, gathered by the native kernels; tested equal to those of ``halfeven.ranges``."""

from __future__ import annotations

from threading import Lock

import numpy as np
from numpy.typing import ArrayLike

from halfeven import _native
from halfeven.numerics.affine import as_float32
from halfeven.ranges import Histogram, MinMax, Statistics
from halfeven.ranges.histogram import LOWEST_EXPONENT, SIDE


class Gathering:
    """A stream under way, of one tensor: :meth:`add` what comes, in any order and from any thread.

    ``Gathering(kind)`` with ``add(x)`` for each x has the same :attr:`statistics`, to the last bit, as ``kind()`` with
    ``update(x)`` for each. 64 KiB for a histogram, however long the stream.
    """

    def __init__(self, kind: type[MinMax | Histogram] = Histogram) -> None:
        self._counts = np.zeros(2 * SIDE, np.int64) if kind is Histogram else None
        self._exponent, self._zeros, self._extremes = LOWEST_EXPONENT, 0, MinMax()
        self._lock = Lock()

    def add(self, x: ArrayLike, threads: int = 0) -> int:
        """Count the values of ``x`` (any shape, any float type); how many of them are NaN."""
        values = np.ascontiguousarray(as_float32(x))
        with self._lock:  # the kernels let go of the interpreter
            found = _native.gather(values, self._counts, self._exponent, threads=threads)
            lo, hi, finite, zeros, nan, inf, self._exponent = found
            self._zeros += zeros
            self._extremes = self._extremes.merge(MinMax(lo, hi, finite, nan, inf))
        return nan

    @property
    def statistics(self) -> Statistics:
        """What was seen so far."""
        with self._lock:
            if self._counts is None:
                return self._extremes
            return Histogram(self._extremes, self._exponent, self._counts.copy(), self._zeros)
