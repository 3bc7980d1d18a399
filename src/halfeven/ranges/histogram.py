"""How often each value of a stream occurs, in bins of one power-of-two width."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halfeven.ranges.min_max import MinMax, finite_values

Counts = NDArray[np.int64]
Reals = NDArray[np.float64]

_LOG2_SIDE = 12
SIDE = 1 << _LOG2_SIDE  # bins on either side of zero
LOWEST_EXPONENT = -149 - _LOG2_SIDE  # the least subnormal float32, negated, has a bin of this width
BLOCK = 1 << 16  # values binned at once: the temporaries stay in the cache
NONE: Counts = np.zeros(2 * SIDE, np.int64)  # of all empty histograms: they are not written to
NONE.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Histogram:
    """``counts[i + SIDE]`` values lie in ``[i w, (i + 1) w)``, ``w = 2^exponent``, ``i`` in ``[-SIDE, SIDE)``.

    The exponent is the smallest with which every finite value seen has a bin, so it follows from the data alone: the
    greatest magnitude lies in the outer half, ``SIDE / 2`` to ``SIDE`` bins from zero. When a larger value comes,
    neighbours are added in pairs: ``floor(floor(x / w) / 2) = floor(x / 2w)`` exactly. Counts are integers. So the
    histogram is the same to the last bit in any order, any batches and any shards.

    Attributes
    ----------
    extremes : the exact least and greatest value, and what is not finite.
    exponent : of the bins' width.
    counts : int64 (2 SIDE,): 64 KiB, however long the stream.
    zeros : how many of the values in bin 0 are zero exactly: zero has a code of its own, so they cost nothing.
    """

    extremes: MinMax = field(default_factory=MinMax)
    exponent: int = LOWEST_EXPONENT
    counts: Counts = field(default_factory=lambda: NONE)
    zeros: int = 0

    def __post_init__(self) -> None:
        self.counts.setflags(write=False)

    @property
    def lo(self) -> float:
        """The least finite value."""
        return self.extremes.lo

    @property
    def hi(self) -> float:
        """The greatest finite value."""
        return self.extremes.hi

    @property
    def count(self) -> int:
        """How many finite values were seen."""
        return self.extremes.count

    @property
    def nan(self) -> int:
        """How many NaN were seen."""
        return self.extremes.nan

    @property
    def inf(self) -> int:
        """How many infinities were seen."""
        return self.extremes.inf

    @property
    def width(self) -> float:
        """Of a bin, ``2^exponent``: exact."""
        return float(np.ldexp(1.0, self.exponent))

    def update(self, x: ArrayLike) -> Histogram:
        """With the values of ``x`` (any shape, any float type) added."""
        values, _, _ = finite_values(x)
        extremes = MinMax().update(x)
        exponent = max(exponent_for(extremes), self.exponent)
        zeros = values.size - int(np.count_nonzero(values))
        return self.merge(Histogram(extremes, exponent, _bin(values.reshape(-1), exponent), zeros))

    def merge(self, other: Histogram) -> Histogram:
        """Of both streams together."""
        exponent = max(self.exponent, other.exponent)
        counts = _widen(self.counts, exponent - self.exponent) + _widen(other.counts, exponent - other.exponent)
        return Histogram(self.extremes.merge(other.extremes), exponent, counts, self.zeros + other.zeros)

    def within(self, threshold: float) -> tuple[float, float]:
        """The least and the greatest value, limited to ``[-threshold, threshold]``."""
        return max(-threshold, min(self.lo, threshold)), min(threshold, max(self.hi, -threshold))

    def occupied(self) -> Occupied:
        """The bins that hold values other than zero, cut at the least and the greatest value."""
        counts = self.counts.copy()
        counts[SIDE] -= self.zeros
        index = np.flatnonzero(counts)
        edges = (index - SIDE) * self.width
        return Occupied(np.maximum(edges, self.lo), np.minimum(edges + self.width, self.hi), counts[index])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        mine, theirs = (self.extremes, self.exponent, self.zeros), (other.extremes, other.exponent, other.zeros)
        return mine == theirs and np.array_equal(self.counts, other.counts)

    def __hash__(self) -> int:
        return hash((self.extremes, self.exponent, self.zeros, self.counts.tobytes()))


@dataclass(frozen=True, eq=False)
class Occupied:
    """``counts[b]`` values other than zero lie in ``[lo[b], hi[b]]``: float64, float64, int64, all (B,)."""

    lo: Reals
    hi: Reals
    counts: Counts


def exponent_for(extremes: MinMax) -> int:
    """The least exponent ``k`` with ``-SIDE 2^k <= lo`` and ``hi < SIDE 2^k``."""
    needed = [LOWEST_EXPONENT]
    if extremes.count and extremes.hi > 0:
        needed.append(_ceil_log2(extremes.hi, strictly=True) - _LOG2_SIDE)
    if extremes.count and extremes.lo < 0:
        needed.append(_ceil_log2(-extremes.lo, strictly=False) - _LOG2_SIDE)
    return max(needed)


def _ceil_log2(value: float, *, strictly: bool) -> int:
    """The least ``e`` with ``value < 2^e`` (``strictly``) or ``value <= 2^e``."""
    fraction, exponent = math.frexp(value)  # value = fraction 2^exponent, fraction in [1/2, 1)
    return exponent if strictly or fraction != 0.5 else exponent - 1  # noqa: PLR2004


def _bin(values: NDArray[np.float32], exponent: int) -> Counts:
    # float64: the product with a power of two is exact, also where float32 would underflow
    counts = np.zeros(2 * SIDE, np.int64)
    per_width = np.ldexp(1.0, -exponent)
    for start in range(0, values.size, BLOCK):
        scaled = np.multiply(values[start : start + BLOCK], per_width, dtype=np.float64)
        index = np.floor(scaled, out=scaled).astype(np.int64) + SIDE
        counts += np.bincount(index, minlength=2 * SIDE)
    return counts


def _widen(counts: Counts, doublings: int) -> Counts:
    if doublings == 0:
        return counts
    index = (np.arange(2 * SIDE) - SIDE) >> min(doublings, _LOG2_SIDE)  # from there on every index is 0 or -1
    wide = np.zeros(2 * SIDE, np.int64)
    np.add.at(wide, index + SIDE, counts)
    return wide
