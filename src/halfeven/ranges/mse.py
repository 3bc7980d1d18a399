"""The range with the least expected squared error. Source: docs/math/ranges.md eq. 7 to 9."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from halfeven.numerics.params import AffineParams
from halfeven.ranges.codes import Codes
from halfeven.ranges.histogram import Histogram, Occupied, Reals

Range = tuple[float, float]

BLOCK = 1 << 14  # candidates times bins computed at once, in the cache

COARSE, FINE = 64, 16  # steps up to the greatest magnitude; steps of each of those beside the best one
MOST_ROUNDS = 8  # of one end after the other; two to four are the rule


@dataclass(frozen=True)
class Mse:
    """Minimize the mean squared error, of rounding and clipping together, for the codes at hand."""

    name: ClassVar[str] = "mse"
    statistics: ClassVar[type[Histogram]] = Histogram

    def choose(self, statistics: Histogram, codes: Codes) -> tuple[float, float]:
        """The range."""
        return mse_range(statistics, codes)

    def __str__(self) -> str:
        return self.name


def mse_range(histogram: Histogram, codes: Codes) -> tuple[float, float]:
    """``(lo, hi)`` with the least :func:`squared_error` of those tried; of equals the widest.

    Symmetric codes have one threshold for both ends. Of asymmetric codes one end is moved after the other, until
    neither moves.
    """
    values = histogram.occupied()
    if not values.counts.size:
        return histogram.lo, histogram.hi
    if codes.symmetric:
        greatest = max(-histogram.lo, histogram.hi)
        threshold = _search(greatest, lambda t: squared_error(values, codes.params(-t, t, axis=0)))
        return histogram.within(threshold)
    return _both_ends(values, codes, min(histogram.lo, 0.0), max(histogram.hi, 0.0))


def _both_ends(values: Occupied, codes: Codes, lowest: float, highest: float) -> Range:
    lo, hi = lowest, highest
    for _ in range(MOST_ROUNDS):
        before = lo, hi
        hi = _search(highest, _error_above(values, codes, lo))
        lo = 0.0 - _search(-lowest, _error_below(values, codes, hi))
        if (lo, hi) == before:
            break
    return lo, hi


def _error_above(values: Occupied, codes: Codes, lo: float) -> Callable[[Reals], Reals]:
    return lambda t: squared_error(values, codes.params(lo, t, axis=0))


def _error_below(values: Occupied, codes: Codes, hi: float) -> Callable[[Reals], Reals]:
    return lambda t: squared_error(values, codes.params(-t, hi, axis=0))


def _search(greatest: float, error: Callable[[Reals], Reals]) -> float:
    """The best of the coarse steps up to ``greatest``, and then of the fine steps around it."""
    if greatest == 0:
        return 0.0
    step = greatest / (COARSE * FINE)
    best = FINE * (1 + _last_least(error(step * FINE * np.arange(1, COARSE + 1, dtype=np.float64))))
    around = np.arange(best - FINE + 1, min(best + FINE, COARSE * FINE) + 1, dtype=np.float64)
    best = int(around[_last_least(error(step * around))])
    return step * best if best < COARSE * FINE else greatest


def _last_least(errors: Reals) -> int:
    return errors.size - 1 - int(np.argmin(errors[::-1]))


def expected_error(histogram: Histogram, params: Sequence[AffineParams]) -> list[float]:
    """:func:`squared_error` of each of some parameters of one qtype, over all finite values, zeros included."""
    values = histogram.occupied()
    if not params or not values.counts.size:
        return [0.0] * len(params)
    scales, zeros = (
        [float(a) for a in arrays] for arrays in zip(*((p.scale, p.zero_point) for p in params), strict=True)
    )
    errors = squared_error(values, AffineParams(scales, zeros, params[0].qtype, axis=0))
    return [float(e) for e in errors * (1 - histogram.zeros / histogram.count)]


def squared_error(values: Occupied, params: AffineParams) -> Reals:
    """Expected mean of ``(dequantize(quantize(x)) - x)^2`` over the values other than zero.

    Inside its bin every value is as likely as any other; the mean over a bin is exact, whatever the ratio of bin and
    step.

    Parameters
    ----------
    params : of K candidates, as one a channel.

    Returns
    -------
    float64 (K,).
    """
    scale = params.scale.astype(np.float64)[:, None]
    zero = params.zero_point.astype(np.float64)[:, None]
    lowest, highest = params.qtype.qmin - zero, params.qtype.qmax - zero
    counts = values.counts.astype(np.float64)
    at_once = min(max(1, BLOCK // counts.size), scale.size)
    work = np.empty((5, at_once, counts.size))
    parts = [slice(k, k + at_once) for k in range(0, scale.size, at_once)]
    means = (_mean_errors(values, scale[k], lowest[k], highest[k], work[:, : scale[k].size]) for k in parts)
    sums = [np.multiply(mean, counts, out=mean).sum(axis=1) for mean in means]
    return np.asarray(np.concatenate(sums) / counts.sum())


def _mean_errors(values: Occupied, scale: Reals, lowest: Reals, highest: Reals, work: Reals) -> Reals:
    """For each of K candidates and B bins; the parameters are (K, 1), and ``work``, which the result is in, (5, K, B).

    ``((q1 - q0) s^3 / 12 + (e1^3 - e0^3) / 3) / (hi - lo)`` for codes q and errors e at both ends. New arrays would
    cost more than what is computed in them.
    """
    from_code, to_code, from_error, to_error, mean = work
    for x, code, error in ((values.lo, from_code, from_error), (values.hi, to_code, to_error)):
        np.rint(np.divide(x, scale, out=code), out=code)
        np.clip(code, lowest, highest, out=code)
        np.subtract(x, np.multiply(code, scale, out=error), out=error)
    np.subtract(to_code, from_code, out=to_code)
    to_code *= scale**3 / 12
    np.multiply(from_error, to_error, out=mean)
    mean += np.square(from_error, out=from_code)
    np.subtract(to_error, from_error, out=from_error)
    mean += np.square(to_error, out=to_error)
    mean *= from_error
    mean /= 3
    mean += to_code
    width = values.hi - values.lo
    points = np.flatnonzero(width == 0)
    width[points] = 1
    mean /= width
    mean[:, points] = from_code[:, points]
    return np.asarray(mean)
