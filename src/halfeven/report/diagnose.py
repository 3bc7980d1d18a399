"""From a layer's numbers to words: what is wrong with it, and why."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from halfeven.ir.instructions import Float, Softmax
from halfeven.report.amount import amount
from halfeven.report.diagnose_input import input_findings
from halfeven.report.finding import Finding, Kind, Severity
from halfeven.report.row import LayerRow
from halfeven.report.thresholds import (
    CLIP_SHARE,
    CONSTANT_SHARE,
    FINE_DB,
    HALF_DB,
    LOST_SHARE,
    ONE_SIDED_DB,
    OUTLIER_RATIO,
    PINNED_SHARE,
    PINNED_STEPS,
    POOR_DB,
    SCALED_DB,
    SCALED_RATIO,
    WEAK_DB,
    WIDE_USE,
)


def diagnose(
    row: LayerRow, operands: Sequence[LayerRow] = (), scaled: Collection[int] = frozenset()
) -> tuple[Finding, ...]:
    """What a layer suffers from, worst first; nothing for a layer that is fine.

    ``operands``: the layers it reads. ``scaled``: indices of layers before it whose channels are scaled.

    A layer's own error (``alone``) is put down to the part that makes at least half of it: its result's codes
    (truncation, a range too wide or one-sided, or plain rounding), its weights, else the codes that it reads.
    """
    if isinstance(row.layer.instruction, Float):
        return (Finding(Kind.FLOAT, Severity.NOTE, row.layer.instruction.reason), *_inherited(row))
    gains = () if row.is_input else tuple(_scaled(row, [r for r in operands if r.index not in scaled]))
    if gains:
        return gains
    if row.is_input:
        found = [*input_findings(row)] or [*_own(row, ()), *_notes(row)]
    else:
        found = [*_pinned(row), *_outliers(row), *_own(row, operands), *_notes(row)]
    if not any(f.severity > Severity.NOTE for f in found):
        found += _inherited(row)
    return tuple(sorted(found, key=lambda f: -f.severity))


def _scaled(row: LayerRow, operands: Sequence[LayerRow]) -> Iterator[Finding]:
    """Channels that are multiples of the float model's, where what it reads does not explain it: cut off, it does."""
    sums = row.sums.accumulated
    gains = sums.gains[sums.f_energy > 0]
    if (
        not sums.enough
        or row.sqnr_db >= WEAK_DB
        or sums.sqnr_beside_gains_db - row.sqnr_db < SCALED_DB
        or not gains.size
        or any(r.sqnr_db - row.sqnr_db < SCALED_DB for r in operands)
    ):
        return
    lo, hi = float(gains.min()), float(gains.max())
    if lo <= 0 or hi / lo < SCALED_RATIO:
        return
    yield Finding(
        Kind.SCALED,
        Severity.NOTE,
        f"each channel is a multiple of the float model's, {lo:.2g} to {hi:.2g} times; beside these factors the SQNR "
        f"is {sums.sqnr_beside_gains_db:.1f} dB",
    )


def _pinned(row: LayerRow) -> Iterator[Finding]:
    counts = row.sums.counts
    if counts is None or not row.is_output or row.at_qmin is None or row.at_qmax is None:
        return
    ends = (
        ("low", row.at_qmin, counts.qmin_error / max(1, counts.at_qmin)),
        ("high", row.at_qmax, -counts.qmax_error / max(1, counts.at_qmax)),
    )
    for end, share, missing in ends:
        if share >= PINNED_SHARE and missing >= PINNED_STEPS:
            yield Finding(
                Kind.PINNED,
                Severity.PROBLEM,
                f"{share:.1%} of this output's codes are the {end}est one, where the float model goes "
                f"{amount(missing)} steps further on average",
            )


def _outliers(row: LayerRow) -> Iterator[Finding]:
    """A loud channel sets the scale, and hides in the layer's SQNR what that does to the others."""
    ratio, usual = row.channel_ratio, row.channel_rounding_db
    if ratio is None or usual is None or ratio < OUTLIER_RATIO or usual >= WEAK_DB or _is_choice(row):
        return
    text = f"the largest of {row.channels} channels reaches {amount(ratio, 0)} times as far as the median one, whose"
    yield Finding(
        Kind.OUTLIERS, Severity.PROBLEM if usual < POOR_DB else Severity.WEAK, f"{text} codes have {_db(usual)}"
    )


def _is_choice(row: LayerRow) -> bool:
    """Whether channels compete, so that one is loud and the others silent by design."""
    return isinstance(row.layer.instruction, Softmax)


def _own(row: LayerRow, operands: Sequence[LayerRow]) -> Iterator[Finding]:
    """Why the layer's own error is large, where it is."""
    own = row.rounding_sqnr_db if row.alone_sqnr_db is None else row.alone_sqnr_db
    if own is None or own >= WEAK_DB or not math.isfinite(own):
        return
    severity = Severity.PROBLEM if own < POOR_DB else Severity.WEAK
    if row.rounding_sqnr_db is not None and row.rounding_sqnr_db - own < HALF_DB:
        yield _of_codes(row, severity)
    elif row.weight_sqnr_db is not None and row.weight_sqnr_db - own < HALF_DB:
        text = (
            f"its weight's {row.weight_bits}-bit codes have {row.weight_sqnr_db:.1f} dB, the layer alone {own:.1f} dB"
        )
        yield Finding(Kind.WEIGHTS, severity, text)
    else:
        yield _of_operands(row, own, severity, operands)


def _of_codes(row: LayerRow, severity: Severity) -> Finding:
    """What is wrong with the scale of the layer's result."""
    use, share = _use(row), _truncated(row)
    if share > CLIP_SHARE:
        return Finding(Kind.TRUNCATION, severity, _truncation(row, share))
    if use < WIDE_USE:
        text = f"values reach [{row.lo:.4g}, {row.hi:.4g}], {use:.0%} of the range of codes"
        return Finding(Kind.WIDE, severity, text)
    if one_sided_db(row) >= ONE_SIDED_DB:
        return Finding(Kind.ASYMMETRY, severity, _one_sided(row))
    text = f"the range fits, yet {row.qtype} codes leave {_db(row.rounding_sqnr_db)}"
    return Finding(Kind.ROUNDING, severity, text)


def _truncated(row: LayerRow) -> float:
    """Share of the codes' error that comes from values cut off; 0 where a range that holds them would be no better.

    Such a range has steps ``k`` times as large, an error of ``(k S)^2 / 12`` for each element: ranges chosen by their
    error cut off a little on purpose.
    """
    counts, rounding, params = row.sums.counts, row.sums.rounding, row.layer.params
    if counts is None or rounding is None or params is None or params.per_channel or not counts.clip_energy:
        return 0.0
    energy = float(rounding.e_energy.sum())
    covering = rounding.elements * (_use(row) * float(params.scale)) ** 2 / 12
    return counts.clip_energy / energy if energy > covering else 0.0


def _use(row: LayerRow) -> float:
    """How far the values reach into the range of codes, on the side where they reach further."""
    ends = (row.lo, row.representable_lo), (row.hi, row.representable_hi)
    return max((v / end for v, end in ends if end), default=1.0)


def _of_operands(row: LayerRow, own: float, severity: Severity, operands: Sequence[LayerRow]) -> Finding:
    """What the layer reads is put on codes too coarse for what it computes, or is cut off."""
    cut = max(operands, key=_truncated, default=None)
    if cut is not None and _truncated(cut) > CLIP_SHARE:
        text = f"alone it has {own:.1f} dB, because what it reads is cut off: of '{cut.name}' {_cut_off(cut)}"
        return Finding(Kind.CUT_OPERANDS, severity, text)
    text = f"alone it has {own:.1f} dB, though its result's codes have {_db(row.rounding_sqnr_db)}"
    text += f" and its weight's {_db(row.weight_sqnr_db)}" if row.weight_sqnr_db is not None else ""
    text += ": it enlarges the rounding of what it reads"
    known = [r for r in operands if r.rounding_sqnr_db is not None]
    if known:
        coarsest = min(known, key=lambda r: r.rounding_sqnr_db or 0.0)
        one_sided = ", one-sided" if one_sided_db(coarsest) >= ONE_SIDED_DB else ""
        text += f", '{coarsest.name}' ({_db(coarsest.rounding_sqnr_db)}{one_sided})"
    return Finding(Kind.OPERANDS, severity, text)


def _truncation(row: LayerRow, share: float) -> str:
    return f"{_cut_off(row)}, which makes {min(1.0, share):.0%} of the error"


def _cut_off(row: LayerRow) -> str:
    return (
        f"values reach [{row.lo:.4g}, {row.hi:.4g}], the codes [{row.representable_lo:.4g}, {row.representable_hi:.4g}]"
        f": {row.clipped:.2%} are cut off"
    )


def one_sided_db(row: LayerRow) -> float:
    """What asymmetric codes would gain: ``20 log10`` of the ratio of steps; 0 where they are asymmetric already."""
    params = row.layer.params
    if params is None or not params.qtype.signed or params.zero_point.any():
        return 0.0
    lo, hi = min(row.lo, 0.0), max(row.hi, 0.0)
    return 20 * math.log10(2 * max(-lo, hi) / (hi - lo)) if hi > lo else 0.0


def _one_sided(row: LayerRow) -> str:
    return (
        f"values lie in [{row.lo:.4g}, {row.hi:.4g}], the codes are symmetric: nearly half of them are never used; "
        f"asymmetric ones gain {one_sided_db(row):.1f} dB"
    )


def _notes(row: LayerRow) -> Iterator[Finding]:
    """What could be better, beside the largest part of the error."""
    yield from _masked(row)
    rounding = row.rounding_sqnr_db
    own = math.inf if row.alone_sqnr_db is None else row.alone_sqnr_db
    if rounding is not None and own >= WEAK_DB and rounding < FINE_DB and one_sided_db(row) >= ONE_SIDED_DB:
        yield Finding(Kind.ASYMMETRY, Severity.NOTE, _one_sided(row))
    if row.lost_channels >= max(1.0, LOST_SHARE * row.channels) and not _is_choice(row):
        text = f"{row.lost_channels} of {row.channels} channels are one code throughout, though their values vary"
        yield Finding(Kind.LOST, Severity.WEAK, text)
    if row.dead_channels:
        text = f"{row.dead_channels} of {row.channels} channels are constant in the float model on these samples"
        yield Finding(Kind.DEAD, Severity.NOTE, text)
    if row.sqnr_db < WEAK_DB and row.sums.accumulated.constant_share > CONSTANT_SHARE:
        share = row.sums.accumulated.constant_share
        text = f"{share:.0%} of the error's energy is a constant offset for each channel"
        yield Finding(Kind.BIAS, Severity.WEAK, text)


def _masked(row: LayerRow) -> Iterator[Finding]:
    if row.left_out:
        text = f"{row.left_out:.2%} of the values are left out: infinite, or to Softmax as good as minus infinity"
        yield Finding(Kind.MASKED, Severity.NOTE, text)


def _inherited(row: LayerRow) -> Iterator[Finding]:
    if row.sqnr_db < POOR_DB:
        alone = "" if row.alone_sqnr_db is None else f"; alone it has {_db(row.alone_sqnr_db)}"
        yield Finding(Kind.INHERITED, Severity.NOTE, f"the error comes from the layers before it{alone}")


def _db(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} dB"
