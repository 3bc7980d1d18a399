"""How often each code occurs, and where the float values lie on the same ruler, beyond its ends too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.numerics.params import AffineParams
from halfeven.report.error_sums import blocks, by_channel

Array = NDArray[Any]
Counts = NDArray[np.int64]
MOST_BINS = 256  # of the range of codes: each is one code, or 256 codes of a 16-bit type
BEYOND = 1.5  # steps: symmetric codes end one step below the largest value of their range, which is no clipping


@dataclass(frozen=True, eq=False)
class CodeCounts:
    """Histograms in units of codes, so that both fit each other exactly; mergeable, of fixed size.

    Bin k holds the codes ``qmin + k w .. qmin + (k + 1) w - 1``, ``w = levels / bins``. Float values are put at
    ``rint(f / S) + Z`` without the clamp: bins B .. 2B - 1 are those of the codes, those before and after lie beyond
    the ends of the range (the outermost hold all that is further out).

    Attributes
    ----------
    run : codes of the quantized run, (B,). real : float values, (3 B,).
    at_qmin, at_qmax : codes of the quantized run at either end.
    qmin_error, qmax_error : sum of ``(d - f) / S`` over these.
    clipped_low, clipped_high : float values more than :data:`BEYOND` steps outside the range.
    clip_energy : ``sum (clamped f - f)^2`` over these.
    """

    run: Counts
    real: Counts
    at_qmin: int
    at_qmax: int
    qmin_error: float
    qmax_error: float
    clipped_low: int
    clipped_high: int
    clip_energy: float

    def merge(self, other: CodeCounts) -> CodeCounts:
        """Of both sets of elements."""
        return CodeCounts(
            self.run + other.run,
            self.real + other.real,
            self.at_qmin + other.at_qmin,
            self.at_qmax + other.at_qmax,
            self.qmin_error + other.qmin_error,
            self.qmax_error + other.qmax_error,
            self.clipped_low + other.clipped_low,
            self.clipped_high + other.clipped_high,
            self.clip_energy + other.clip_energy,
        )

    @property
    def used(self) -> tuple[int, int]:
        """First and last bin of the range of codes in which a float value lies; (0, -1) if none does."""
        inside = np.flatnonzero(self.real[self.run.size : 2 * self.run.size])
        return (int(inside[0]), int(inside[-1])) if inside.size else (0, -1)


def code_counts(f: Array, q: Array, params: AffineParams) -> CodeCounts:
    """Counts of one tensor: float values f and codes q of the quantized run."""
    scale, zero = params.expanded(f.shape)
    axis = None if params.block_size is not None else params.axis
    if params.block_size is not None:
        scale, zero = np.broadcast_to(scale, f.shape), np.broadcast_to(zero, f.shape)
    views = by_channel(f, axis), by_channel(q, axis)
    scales, zeros = (np.broadcast_to(_as_view(a, axis, params), views[0].shape) for a in (scale, zero))
    parts = (
        _counts(views[0][part], views[1][part], scales[part], zeros[part], params) for part in blocks(views[0].shape)
    )
    return reduce(CodeCounts.merge, parts)


def _as_view(a: Array, axis: int | None, params: AffineParams) -> Array:
    return by_channel(a, None) if params.block_size is not None else a.reshape(1, 1 if axis is None else -1, 1)


def _counts(f: Array, q: Array, scale: Array, zero: Array, params: AffineParams) -> CodeCounts:
    qmin, qmax, levels = params.qtype.qmin, params.qtype.qmax, params.qtype.levels
    bins = min(levels, MOST_BINS)
    width = levels // bins
    real = f.astype(np.float64)
    finite = np.isfinite(real)
    if not finite.all():
        real, q, scale, zero = real[finite], q[finite], scale[finite], zero[finite]
    steps = real / scale
    code = np.rint(steps) + zero
    clipped = _clipped(steps, code, scale, zero, params)
    index = (np.clip(code, qmin - levels, qmax + levels) - (qmin - levels)).astype(np.intp).reshape(-1)
    stored = q.astype(np.intp).reshape(-1) - qmin
    low, high = q == qmin, q == qmax
    return CodeCounts(
        np.bincount(stored // width if width > 1 else stored, minlength=bins),
        np.bincount(index // width if width > 1 else index, minlength=3 * bins),
        int(low.sum()),
        int(high.sum()),
        _sum_at(low, qmin, steps, zero),
        _sum_at(high, qmax, steps, zero),
        *clipped,
    )


def _clipped(steps: Array, code: Array, scale: Array, zero: Array, params: AffineParams) -> tuple[int, int, float]:
    """How many values lie below and above the range, and the energy of what they lose."""
    qmin, qmax = params.qtype.qmin, params.qtype.qmax
    if code.size == 0 or (code.min() >= qmin - 1 and code.max() <= qmax + 1):
        return 0, 0, 0.0
    below, above = steps + zero < qmin - BEYOND, steps + zero > qmax + BEYOND
    out = below | above
    lost = (np.clip(code[out], qmin, qmax) - zero[out] - steps[out]) * scale[out]
    return int(below.sum()), int(above.sum()), float((lost * lost).sum())


def _sum_at(where: NDArray[np.bool_], code: int, steps: Array, zero: Array) -> float:
    """``sum (code - Z - f / S)`` over the elements there."""
    return float((code - zero[where] - steps[where]).sum()) if where.any() else 0.0
