"""What two runs of one tensor differ by: sums over all samples, one entry a channel, in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
F64 = NDArray[np.float64]

BLOCK = 1 << 18  # elements seen at once: their float64 copies take a few MiB, whatever the tensor
FEWEST_VALUES = 16  # of a channel, before anything is said of it
EXACT_DB = math.inf  # of an error that is zero


@dataclass(frozen=True, eq=False)
class ErrorSums:
    """Sums over elements of ``f`` (the float model's values) and ``e = d - f`` (``d``: the other run's values).

    A value; :meth:`merge` adds the sums of other elements, so samples and shards may come in any number of pieces.

    Attributes
    ----------
    count : finite elements, int64 (C,). infinite : elements left out because f is not finite.
    f_sum, f_energy : ``sum f``, ``sum f^2``, (C,).
    e_sum, e_energy, e_max : ``sum e``, ``sum e^2``, ``max |e|``, (C,).
    cross : ``sum f e``, (C,).
    f_lo, f_hi, d_lo, d_hi : least and greatest value, (C,).
    """

    count: NDArray[np.int64]
    infinite: int
    f_sum: F64
    f_energy: F64
    e_sum: F64
    e_energy: F64
    e_max: F64
    cross: F64
    f_lo: F64
    f_hi: F64
    d_lo: F64
    d_hi: F64

    @property
    def channels(self) -> int:
        """C."""
        return self.count.size

    def merge(self, other: ErrorSums) -> ErrorSums:
        """Of both sets of elements. Where their channels differ in number, both count as one channel."""
        if self.channels != other.channels:
            return self.as_one_channel().merge(other.as_one_channel())
        return ErrorSums(
            self.count + other.count,
            self.infinite + other.infinite,
            self.f_sum + other.f_sum,
            self.f_energy + other.f_energy,
            self.e_sum + other.e_sum,
            self.e_energy + other.e_energy,
            np.maximum(self.e_max, other.e_max),
            self.cross + other.cross,
            np.minimum(self.f_lo, other.f_lo),
            np.maximum(self.f_hi, other.f_hi),
            np.minimum(self.d_lo, other.d_lo),
            np.maximum(self.d_hi, other.d_hi),
        )

    def as_one_channel(self) -> ErrorSums:
        """The same sums over all channels together."""
        sums = (self.f_sum, self.f_energy, self.e_sum, self.e_energy)
        f_sum, f_energy, e_sum, e_energy = (s.sum(keepdims=True) for s in sums)
        lows = (s.min(initial=np.inf, keepdims=True) for s in (self.f_lo, self.d_lo))
        highs = (s.max(initial=-np.inf, keepdims=True) for s in (self.f_hi, self.d_hi))
        (f_lo, d_lo), (f_hi, d_hi) = lows, highs
        e_max, cross = self.e_max.max(initial=0.0, keepdims=True), self.cross.sum(keepdims=True)
        count = self.count.sum(keepdims=True)
        return ErrorSums(count, self.infinite, f_sum, f_energy, e_sum, e_energy, e_max, cross, f_lo, f_hi, d_lo, d_hi)

    # --- what they say ---

    @property
    def enough(self) -> bool:
        """Whether each channel has :data:`FEWEST_VALUES`: one value alone is always a constant, or a multiple."""
        return bool((self.count >= FEWEST_VALUES).all())

    @property
    def elements(self) -> int:
        """How many were compared."""
        return int(self.count.sum())

    @property
    def sqnr_db(self) -> float:
        """``10 log10(sum f^2 / sum e^2)``."""
        return decibels(float(self.f_energy.sum()), float(self.e_energy.sum()))

    @property
    def channel_sqnr_db(self) -> F64:
        """The same of each channel, (C,)."""
        pairs = zip(self.f_energy.tolist(), self.e_energy.tolist(), strict=True)
        return np.array([decibels(f, e) for f, e in pairs], np.float64)

    @property
    def cosine(self) -> float:
        """``sum f d / sqrt(sum f^2 sum d^2)``; 1 where both are zero, 0 where one is."""
        ff, fe, ee = float(self.f_energy.sum()), float(self.cross.sum()), float(self.e_energy.sum())
        dd = ff + 2 * fe + ee
        if ee == 0:
            return 1.0
        return (ff + fe) / math.sqrt(ff * dd) if ff > 0 and dd > 0 else 0.0

    @property
    def mean_error(self) -> float:
        """``sum e / count``."""
        return float(self.e_sum.sum()) / max(1, self.elements)

    @property
    def constant_share(self) -> float:
        """Share of the error's energy that is one constant a channel: ``sum_c (sum e)^2 / count`` of ``sum e^2``.

        0 where a channel has too few values (:data:`FEWEST_VALUES`) to tell.
        """
        energy = float(self.e_energy.sum()) if self.enough else 0.0
        return float((self.e_sum**2 / np.maximum(self.count, 1)).sum()) / energy if energy > 0 else 0.0

    @property
    def gains(self) -> F64:
        """The factor a channel that maps f best onto d: ``sum f d / sum f^2``, (C,); 1 for a channel of zeros."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.f_energy > 0, 1 + self.cross / self.f_energy, 1.0)

    @property
    def sqnr_beside_gains_db(self) -> float:
        """SQNR of what is left of the error when each channel's :attr:`gains` is taken out of it."""
        fitted = self.gains**2 * self.f_energy
        left = self.e_energy - (self.gains - 1) ** 2 * self.f_energy
        return decibels(float(fitted.sum()), max(0.0, float(left.sum())))


def decibels(signal: float, noise: float) -> float:
    """``10 log10(signal / noise)``; infinite where there is no noise, minus infinity where there is but noise."""
    if noise == 0:
        return EXACT_DB
    ratio = signal / noise
    return 10 * math.log10(ratio) if ratio > 0 else -EXACT_DB  # 0 or NaN: noise beyond float64


def error_sums(f: Array, d: Array, axis: int | None = None) -> ErrorSums:
    """Sums over two tensors of one shape; ``axis`` is that of the channels, None for one channel."""
    views = by_channel(f, axis), by_channel(d, axis)
    return reduce(ErrorSums.merge, (_sums(views[0][part], views[1][part]) for part in blocks(views[0].shape)))


def by_channel(a: Array, axis: int | None) -> Array:
    """The tensor as (outer, C, inner)."""
    if axis is None or a.ndim == 0:
        return a.reshape(1, 1, -1)
    axis %= a.ndim
    return a.reshape(math.prod(a.shape[:axis]), a.shape[axis], math.prod(a.shape[axis + 1 :]))


def blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice, slice]]:
    """Slices of (outer, C, inner) that cover it front to back, about :data:`BLOCK` elements each; at least one."""
    outer, channels, inner = shape
    rows = max(1, BLOCK // max(1, channels * inner))
    columns = max(1, BLOCK // max(1, channels)) if rows == 1 else max(1, inner)
    for row in range(0, max(1, outer), rows):
        for column in range(0, max(1, inner), columns):
            yield slice(row, row + rows), slice(None), slice(column, column + columns)


def _sums(f: Array, d: Array) -> ErrorSums:
    """Of one block, (outer, C, inner)."""
    f, d = f.astype(np.float64), d.astype(np.float64)
    f_lo, f_hi, finite = *_extremes(f, None), None
    if f.size and not (np.isfinite(f_lo).all() and np.isfinite(f_hi).all()):
        finite = np.isfinite(f)
        f_lo, f_hi = _extremes(f, finite)
    d_lo, d_hi = _extremes(d, finite)
    if finite is not None:
        f, d = np.where(finite, f, 0.0), np.where(finite, d, 0.0)
    e = d - f
    each = f.size // max(1, f.shape[1])
    count = np.full(f.shape[1], each, np.int64) if finite is None else finite.sum(axis=(0, 2), dtype=np.int64)
    return ErrorSums(
        count,
        0 if finite is None else int(f.size - finite.sum()),
        f.sum(axis=(0, 2)),
        np.einsum("ocn,ocn->c", f, f),
        e.sum(axis=(0, 2)),
        np.einsum("ocn,ocn->c", e, e),
        np.abs(e).max(axis=(0, 2), initial=0.0),
        np.einsum("ocn,ocn->c", f, e),
        f_lo,
        f_hi,
        d_lo,
        d_hi,
    )


def _extremes(a: F64, finite: NDArray[np.bool_] | None) -> tuple[F64, F64]:
    where: Any = True if finite is None else finite
    low = a.min(axis=(0, 2), initial=np.inf, where=where)
    return low, a.max(axis=(0, 2), initial=-np.inf, where=where)
