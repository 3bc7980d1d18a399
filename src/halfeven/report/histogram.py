"""A layer's two histograms, made small enough for a page: float values and codes of the quantized run on one axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven.report.row import LayerRow

Counts = NDArray[np.int64]

MOST_BARS = 128
LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
DECADES = 6  # from all of the values down to one in a million


@dataclass(frozen=True)
class Histogram:
    """Bars of equal width, one letter each: its share on a logarithmic scale, A for none up to / for all.

    Attributes
    ----------
    real, run : float values, codes of the quantized run.
    lo, hi : the outer edges, real values; codes (``in_codes``) where each channel has its own scale.
    clip_lo, clip_hi : bars at whose left edge the range of codes begins and ends.
    """

    real: str
    run: str
    lo: float
    hi: float
    clip_lo: int
    clip_hi: int
    in_codes: bool


def histogram(row: LayerRow) -> Histogram | None:
    """Of one layer; None in float32."""
    counts, params = row.sums.counts, row.layer.params
    if counts is None or params is None:
        return None
    bins = counts.run.size
    first, last = _window(counts.real, bins)
    merged = 1
    while (last - first) // merged > MOST_BARS:
        merged *= 2
    first, last = bins - -(-(bins - first) // merged) * merged, bins + -(-(last - bins) // merged) * merged
    padded = np.pad(counts.run, (2 * bins, 2 * bins))
    real = np.pad(counts.real, (bins, bins))  # the window may be rounded beyond what was counted
    sides = [a[bins + first : bins + last].reshape(-1, merged).sum(axis=1) for a in (real, padded)]
    edges = _edge(row, first, bins), _edge(row, last, bins)
    clip = (bins - first) // merged, (2 * bins - first) // merged
    return Histogram(_letters(sides[0]), _letters(sides[1]), *edges, *clip, in_codes=params.axis is not None)


def _window(real: Counts, bins: int) -> tuple[int, int]:
    """From the first to behind the last bin with a float value; the range of codes always."""
    inside = np.flatnonzero(real)
    first, last = (int(inside[0]), int(inside[-1]) + 1) if inside.size else (bins, 2 * bins)
    return min(first, bins), max(last, 2 * bins)


def _edge(row: LayerRow, k: int, bins: int) -> float:
    """The left edge of bin k: half a step below its first code."""
    params = row.layer.params
    if params is None:
        return math.nan
    code = params.qtype.qmin + (k - bins) * (params.qtype.levels // bins) - 0.5
    return code if params.axis is not None else (code - float(params.zero_point)) * float(params.scale)


def _letters(counts: Counts) -> str:
    share = counts / max(1, counts.sum())
    with np.errstate(divide="ignore"):
        height = (np.log10(share) + DECADES) / DECADES * (len(LEVELS) - 1)
    level = np.where(counts > 0, np.clip(np.rint(height), 1, len(LEVELS) - 1), 0).astype(int)
    return "".join(LEVELS[k] for k in level)
