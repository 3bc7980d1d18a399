"""Sensitivity as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from halfeven.ptq.difference import Measure
from halfeven.report.sensitivity.found import LayerSensitivity, Sensitivity, Trial, decibels, value, worst
from halfeven.report.text import NAME_WIDTH, number

TITLES = {Trial.LAYER: "alone", Trial.ACTIVATION: "result", Trial.WEIGHT: "weight", Trial.WITHOUT: "without"}
EXPLAINED = {
    Trial.LAYER: "alone: its instruction in integers, all else float",
    Trial.ACTIVATION: "result: its result's codes alone",
    Trial.WEIGHT: "weight: its weight's codes alone",
    Trial.WITHOUT: "without: all in integers but its result and weight",
}


def sensitivity_text(
    found: Sensitivity, count: int | None = None, trial: Trial | None = None, measure: Measure = Measure.SQNR
) -> str:
    """A header and the ``count`` layers with most to gain, ranked by a trial (the first made) and a measure."""
    made = trials(found)
    by = trial if trial in made else next(iter(made), Trial.LAYER)
    ranked = found.ranked(by, measure)
    shown = ranked if count is None else ranked[:count]
    samples = f"{found.samples} sample{'s' if found.samples != 1 else ''}"
    whole = f"; the whole in integers: {_shown(worst(found.whole, measure), measure)}" if found.whole else ""
    lines = [
        f"Sensitivity: {name_of(measure)} at the model's outputs, {samples}{whole}",
        *(EXPLAINED[t] for t in made),
        *_table(shown, made, measure),
    ]
    if len(shown) < len(ranked):
        lines.append(f"{len(shown)} of {len(ranked)} layers shown, those with most to gain")
    if found.interrupted:
        lines.append(f"interrupted: {len(found.layers)} of {found.planned} layers were looked at")
    return "\n".join(lines)


def trials(found: Sensitivity) -> tuple[Trial, ...]:
    """Those that were made of some layer, in the order of their definition."""
    return tuple(trial for trial in Trial if any(trial in layer.trials for layer in found.layers))


def name_of(measure: Measure) -> str:
    """With its unit."""
    return "SQNR in dB" if measure is Measure.SQNR else measure.value


def _table(layers: tuple[LayerSensitivity, ...], made: tuple[Trial, ...], measure: Measure) -> Iterator[str]:
    cells = [("", "layer", "operator", *(TITLES[trial] for trial in made))]
    for layer in layers:
        name = layer.name if len(layer.name) <= NAME_WIDTH else f"{layer.name[: NAME_WIDTH - 1]}…"
        cells.append((str(layer.index), name, layer.operator, *(_of(layer, trial, measure) for trial in made)))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(
            c.ljust(w) if k in (1, 2) else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True))
        )


def _of(layer: LayerSensitivity, trial: Trial, measure: Measure) -> str:
    error = layer.error(trial, measure)
    return "-" if error is None else _shown(error, measure)


def _shown(error: float, measure: Measure) -> str:
    if measure is Measure.SQNR:
        return number(decibels(error))
    return f"{value(error, measure):.6f}" if measure is Measure.COSINE else f"{value(error, measure):.4g}"
