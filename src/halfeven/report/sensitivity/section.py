"""Sensitivity as a part of the HTML page: bars, the layers with most to gain first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from halfeven.ptq.difference import Measure
from halfeven.report.sensitivity.found import LayerSensitivity, Sensitivity, Trial, decibels, worst
from halfeven.report.sensitivity.text import trials
from halfeven.report.summary import db
from halfeven.report.text import number

SHOWN = 20
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
    shown = found.ranked(by)[:SHOWN]
    longest = max((layer.error(trial) or 0.0 for layer in shown for trial in BARS), default=0.0)
    rows = "".join(_row(layer, by, made, whole, longest) for layer in shown)
    keys = "".join(f'<span class="key share {t.value}"></span>{WORDS[t]} ' for t in BARS if t in made)
    without = '<th scope="col">Without it</th>' if Trial.WITHOUT in made else ""
    return (
        '<section aria-labelledby="sensitive"><h2 id="sensitive">Sensitivity at the outputs</h2>'
        f'<p class="legend">{keys}</p><div class="scroll"><table class="bars"><thead><tr><th scope="col">Layer</th>'
        '<th scope="col">Error at the outputs</th><th scope="col">Of the whole</th><th scope="col">SQNR</th>'
        f"{without}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="legend">{escape(_caption(found, whole))}</p></section>'
    )


def _caption(found: Sensitivity, whole: float) -> str:
    ended = f" Interrupted after {len(found.layers)} of {found.planned} layers." if found.interrupted else ""
    return (
        f"The {min(SHOWN, len(found.layers))} layers with the largest error, one in integers at a time and everything "
        f"else in float32, over {found.samples} sample{'s' if found.samples != 1 else ''}. Of the whole: their "
        f"error's energy over that of the whole model in integers, whose SQNR is {number(decibels(whole))} dB. Errors "
        f"of layers alone count what they read, too, and so add up to more than 100%.{ended}"
    )


def _row(layer: LayerSensitivity, by: Trial, made: tuple[Trial, ...], whole: float, longest: float) -> str:
    without = "" if Trial.WITHOUT not in made else f"<td>{number(layer.sqnr_db(Trial.WITHOUT))}</td>"
    name = escape(layer.name).replace("/", "/<wbr>")
    error = layer.error(by)
    share = f"{error / whole:.1%}" if error is not None and whole > 0 and math.isfinite(error) else "-"
    return (
        f'<tr><th scope="row"><a href="#layers" data-choose="{layer.index}">{name}</a> '
        f"<span>{escape(layer.operator)}</span></th><td>{''.join(_bars(layer, longest))}</td>"
        f"<td>{share}</td><td>{number(layer.sqnr_db(by))}</td>{without}</tr>"
    )


def _bars(layer: LayerSensitivity, longest: float) -> Iterator[str]:
    for trial in BARS:
        error = layer.error(trial)
        if error is not None:
            part = min(error / longest, 1.0) if 0 < longest < math.inf else float(error > 0)
            title = escape(f"{WORDS[trial]}: {db(decibels(error))}")
            yield f'<div class="bar {trial.value}" style="width:{100 * part:.4g}%" title="{title}"></div>'
