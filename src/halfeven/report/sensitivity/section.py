"""Sensitivity as a part of the HTML page: bars, the layers with most to gain first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from halfeven.ptq.difference import Measure
from halfeven.report.sensitivity.found import LayerSensitivity, Sensitivity, Trial, decibels, worst
from halfeven.report.sensitivity.text import trials
from halfeven.report.text import number

SHOWN = 20
MOST = 1.5  # of the whole model's error, the length of the longest bar
BARS = (Trial.LAYER, Trial.ACTIVATION, Trial.WEIGHT)
WORDS = {
    Trial.LAYER: "the layer alone in integers",
    Trial.ACTIVATION: "its result's codes alone",
    Trial.WEIGHT: "its weight's codes alone",
}


def section(found: Sensitivity | None) -> str:
    """The section; nothing where it was not measured."""
    if found is None or not found.layers or not found.whole:
        return ""
    made = trials(found)
    by = next((t for t in BARS if t in made), Trial.WITHOUT)
    whole = worst(found.whole, Measure.SQNR)
    rows = "".join(_row(layer, made, whole) for layer in found.ranked(by)[:SHOWN])
    keys = "".join(f'<span class="key bar {t.value}"></span>{WORDS[t]}' for t in BARS if t in made)
    without = '<th scope="col">Without it</th>' if Trial.WITHOUT in made else ""
    return (
        '<section aria-labelledby="sensitive"><h2 id="sensitive">Sensitivity at the outputs</h2>'
        f'<p class="legend">{keys}</p><div class="scroll"><table class="bars"><thead><tr><th scope="col">Layer</th>'
        '<th scope="col">Error it makes at the outputs, as a share of the whole model\'s</th><th scope="col">SQNR</th>'
        f"{without}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="legend">{escape(_caption(found, whole))}</p></section>'
    )


def _caption(found: Sensitivity, whole: float) -> str:
    ended = f" Interrupted after {len(found.layers)} of {found.planned} layers." if found.interrupted else ""
    return (
        f"The {min(SHOWN, len(found.layers))} layers with the largest error, one in integers at a time and everything "
        f"else in float32, over {found.samples} sample{'s' if found.samples != 1 else ''}; a bar ends at {MOST:.0%}. "
        f"SQNR in dB at the outputs; the whole model in integers has {number(decibels(whole))}.{ended}"
    )


def _row(layer: LayerSensitivity, made: tuple[Trial, ...], whole: float) -> str:
    without = "" if Trial.WITHOUT not in made else f"<td>{number(layer.sqnr_db(Trial.WITHOUT))}</td>"
    by = next((t for t in BARS if t in layer.trials), Trial.WITHOUT)
    name = escape(layer.name).replace("/", "/<wbr>")
    return (
        f'<tr data-k="{layer.index}"><th scope="row"><a href="#table" data-choose="{layer.index}">{name}</a> '
        f"<span>{escape(layer.operator)}</span></th><td>{''.join(_bars(layer, whole))}</td>"
        f"<td>{number(layer.sqnr_db(by))}</td>{without}</tr>"
    )


def _bars(layer: LayerSensitivity, whole: float) -> Iterator[str]:
    for trial in BARS:
        error = layer.error(trial)
        if error is not None:
            share = min(error / whole, MOST) if whole > 0 and math.isfinite(error) else (MOST if error else 0.0)
            title = escape(f"{WORDS[trial]}: {error / whole:.1%}" if whole > 0 else WORDS[trial])
            width = f"{100 * share / MOST:.4g}%"
            yield f'<div class="bar {trial.value}" style="width:{width}" title="{title}"></div>'
