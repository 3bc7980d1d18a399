"""Whether the samples look like those that a model was calibrated with."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from halfeven.report.finding import Finding, Kind, Severity
from halfeven.report.row import LayerRow
from halfeven.report.thresholds import BYTE_RANGE, INPUT_CLIPPED, INPUT_EXCESS, INPUT_USE

COLOURS = (1, 3, 4)


def input_findings(row: LayerRow) -> Iterator[Finding]:
    """A preprocessing mismatch of a model input, where its values do not fit the range of its codes.

    The range of codes is all that a file tells of its calibration data, so other data of the same range pass.
    """
    problem = _outside(row) or _too_small(row) or _shifted(row)
    if problem:
        yield Finding(Kind.PREPROCESSING, Severity.PROBLEM, f"{problem}{_means(row)}")


def _ranges(row: LayerRow) -> str:
    return (
        f"the samples lie in [{row.lo:.4g}, {row.hi:.4g}], the model was calibrated for "
        f"[{row.representable_lo:.4g}, {row.representable_hi:.4g}]"
    )


def _outside(row: LayerRow) -> str | None:
    excess = _factor(row)
    if excess < INPUT_EXCESS and (row.clipped or 0.0) < INPUT_CLIPPED:
        return None
    hint = ": 0..255 where 0..1, or mean and scale, was used" if _is_byte_factor(excess) else ": scale or mean missing"
    return _ranges(row) + hint


def _too_small(row: LayerRow) -> str | None:
    if row.representable_lo is None or row.representable_hi is None or row.hi <= row.lo:
        return None
    use = (max(row.hi, 0.0) - min(row.lo, 0.0)) / (row.representable_hi - row.representable_lo)
    if use > INPUT_USE:
        return None
    hint = ": 0..1 where 0..255 was used" if _is_byte_factor(1 / use) else ": another scale"
    return _ranges(row) + hint


def _shifted(row: LayerRow) -> str | None:
    """No negative value where asymmetric codes keep a good part of their range for them: a mean not subtracted."""
    params = row.layer.params
    if params is None or row.representable_lo is None or row.representable_hi is None or row.lo < 0:
        return None
    asymmetric = not params.qtype.signed or bool(params.zero_point.any())
    negative = -row.representable_lo / (row.representable_hi - row.representable_lo)
    if not asymmetric or negative < 2 * INPUT_USE:
        return None
    return f"{_ranges(row)}, but no sample is negative: a mean is not subtracted"


def _factor(row: LayerRow) -> float:
    """How many times as far as the codes the values reach."""
    pairs = ((row.hi, row.representable_hi), (-row.lo, None if row.representable_lo is None else -row.representable_lo))
    return max((v / end for v, end in pairs if end is not None and end > 0 and math.isfinite(v)), default=0.0)


def _is_byte_factor(factor: float) -> bool:
    return BYTE_RANGE[0] <= factor <= BYTE_RANGE[1]


def _means(row: LayerRow) -> str:
    """Channel means of an image, by which RGB and BGR can be told apart."""
    sums = row.sums.accumulated
    if sums.channels not in COLOURS or sums.channels == 1:
        return ""
    means = sums.f_sum / np.maximum(sums.count, 1)
    return f"; channel means {', '.join(f'{m:.3g}' for m in means)} (RGB or BGR?)"
