"""The comparison as one HTML page that needs nothing but itself."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from html import escape
from importlib import resources
from string import Template
from typing import Any

from halfeven.report.amount import amount
from halfeven.report.comparison import Comparison
from halfeven.report.cost_lines import cost_notes, cost_rows, size
from halfeven.report.curve import curve
from halfeven.report.finding import Finding, Severity
from halfeven.report.histogram import LEVELS, histogram
from halfeven.report.row import LayerRow
from halfeven.report.sensitivity.found import LayerSensitivity, Trial
from halfeven.report.sensitivity.section import section
from halfeven.report.summary import db, own_db
from halfeven.report.text import number, share

SIGNS = {Severity.PROBLEM: "problem", Severity.WEAK: "weak", Severity.NOTE: "note"}
FOLDER = "html"

Column = tuple[str, str, str]
COLUMNS: tuple[Column, ...] = (
    ("#", "number", "Place in the program"),
    ("Layer", "text", "Tensor of the float model"),
    ("Operator", "text", "Instruction that writes it"),
    ("Diagnosis", "text", "Sorted by severity"),
    ("SQNR", "number", "dB, quantized run against float run: every layer before has left its error"),
    ("Alone", "number", "dB, this layer alone on the float model's values"),
    ("Codes", "number", "dB, the float result put on this layer's codes: what its scale costs"),
    ("Cosine", "number", "Between quantized and float run"),
    ("Max", "number", "Largest error of the quantized run, in steps (LSB)"),
    ("Mean", "number", "Mean error of the quantized run, in steps: its bias"),
    ("Clipped", "number", "Share of float values outside the range of codes"),
    ("Ends", "number", "Share of codes at the lowest or highest one"),
)
OUTPUTS: Column = ("Outputs", "number", "dB at the model's outputs when this layer alone is in integers")
BEHIND = "Codes"  # stands the column of the outputs, where that was measured
AT_OUTPUTS = {
    Trial.LAYER: "layer alone",
    Trial.ACTIVATION: "its result's codes alone",
    Trial.WEIGHT: "its weight's codes alone",
    Trial.WITHOUT: "all but its result and weight",
}


def page(comparison: Comparison) -> str:
    """The whole page. Every name from the models is escaped; scripts and styles are part of it."""
    sensitive = {} if comparison.sensitivity is None else comparison.sensitivity.by_index()
    fill = {
        "title": escape(f"{_file_name(comparison.quantized_source)} against {_file_name(comparison.float_source)}"),
        "subtitle": escape(_subtitle(comparison)),
        "style": _file("style.css"),
        "script": _file("script.js"),
        "cards": "".join(_card(*card) for card in _cards(comparison)),
        "summary": "".join(f"<li><b>{escape(s.lead)}</b> {escape(s.rest)}</li>" for s in comparison.summary),
        "curve": curve(comparison.rows),
        "head": "".join(map(_heading, columns(comparison))),
        "rows": "".join(_row(comparison, row, sensitive.get(row.index)) for row in comparison.rows),
        "sensitivity": section(comparison.sensitivity),
        "costs": "".join(_cost(line) for line in cost_rows(comparison)),
        "notes": "".join(f"<p>{escape(note)}</p>" for note in cost_notes(comparison)),
        "data": _json(_data(comparison)),
    }
    return Template(_file("page.html")).substitute(fill)


def columns(comparison: Comparison) -> tuple[Column, ...]:
    """Of the table of layers."""
    at = [title for title, _, _ in COLUMNS].index(BEHIND) + 1
    return COLUMNS if comparison.sensitivity is None else (*COLUMNS[:at], OUTPUTS, *COLUMNS[at:])


def _file(name: str) -> str:
    return resources.files("halfeven.report").joinpath(FOLDER, name).read_text(encoding="utf-8")


def _file_name(source: str) -> str:
    """The folders stay private."""
    return re.split(r"[/\\]", source)[-1] or source


def _subtitle(comparison: Comparison) -> str:
    samples = f"{comparison.samples} sample{'s' if comparison.samples != 1 else ''}"
    return f"{len(comparison.rows)} layers, {samples}, profile {comparison.profile}"


def _json(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


# --- cards ---


def _cards(comparison: Comparison) -> Iterator[tuple[str, str, str]]:
    facts = comparison.facts
    for output in comparison.outputs[:2]:
        yield "Output SQNR", db(output.sqnr_db), output.name
        if output.decisions:
            yield "Same largest score", f"{output.same_largest} of {output.decisions}", output.name
    loud = sum(any(f.severity > Severity.NOTE for f in found) for found in comparison.findings.values())
    yield "Layers to look at", f"{loud} of {len(comparison.rows)}", "with a weakness of their own"
    real, made = facts.real, facts.quantized
    sizes = f"{size(real.constant_bytes)} to {size(made.constant_bytes)}"
    yield "Weights and constants", _times(real.constant_bytes, made.constant_bytes), sizes
    if comparison.speed is not None:
        times = comparison.speed.float_s, comparison.speed.quantized_s
        yield "Time, measured here", _times(*times), f"{1e3 * times[0]:.2f} to {1e3 * times[1]:.2f} ms a run"
    yield "Energy, estimated", _times(real.energy.total_uj, made.energy.total_uj), "from published figures, see below"


def _times(real: float, made: float) -> str:
    if not made or not real:
        return "-"
    return f"{real / made:.1f} × less" if real >= made else f"{made / real:.1f} × more"


def _card(title: str, value: str, detail: str) -> str:
    return f"<div><dt>{escape(title)}</dt><dd>{escape(value)}</dd><dd class='of'>{escape(detail)}</dd></div>"


# --- table ---


def _heading(column: Column) -> str:
    title, kind, explanation = column
    return (
        f'<th scope="col" class="{kind}" title="{escape(explanation)}"><button type="button" data-kind="{kind}">'
        f"{escape(title)}</button></th>"
    )


def _row(comparison: Comparison, row: LayerRow, sensitive: LayerSensitivity | None = None) -> str:
    findings = comparison.findings[row.index]
    worst = max((f.severity for f in findings), default=None)
    ends = None if row.at_qmin is None or row.at_qmax is None else row.at_qmin + row.at_qmax
    cells = (
        _cell(str(row.index), row.index),
        f'<th scope="row" class="text"><div class="name">{_breakable(row.name)}</div></th>',
        f'<td class="text">{escape(row.operator)}</td>',
        f'<td class="text said" data-v="{_rank(findings)}">{"".join(map(_tag, findings))}</td>',
        *(_cell(number(v), v) for v in (row.sqnr_db, row.alone_sqnr_db, row.rounding_sqnr_db)),
        *(() if comparison.sensitivity is None else (_outputs_cell(sensitive),)),
        _cell(f"{row.cosine:.4f}", row.cosine),
        _cell(_steps(row.max_error_steps), row.max_error_steps),
        _cell(_steps(row.mean_error_steps), row.mean_error_steps),
        _cell(share(row.clipped), row.clipped),
        _cell(share(ends), ends),
    )
    sign = "" if worst is None else f' class="{SIGNS[worst]}"'
    return f'<tr data-k="{row.index}" tabindex="-1"{sign}>{"".join(cells)}</tr>'


def _outputs_cell(sensitive: LayerSensitivity | None) -> str:
    level = None if sensitive is None else sensitive.sqnr_db(Trial.LAYER)
    return _cell(number(level), level)


def _breakable(name: str) -> str:
    """Long names may break behind a slash."""
    return escape(name).replace("/", "/<wbr>")


def _cell(text: str, value: float | None) -> str:
    known = "" if value is None else f' data-v="{_finite(value)}"'
    return f"<td{known}>{escape(text)}</td>"


def _finite(value: float) -> str:
    limit = 1e9
    return f"{min(max(value, -limit), limit):.9g}"


def _rank(findings: Iterable[Finding]) -> int:
    return sum(10 ** int(f.severity) for f in findings)


def _tag(finding: Finding) -> str:
    return f'<span class="tag {SIGNS[finding.severity]}">{escape(finding.kind.value)}</span>'


def _steps(value: float | None) -> str:
    return "-" if value is None else amount(value, 2 if abs(value) < 10 else 1)  # noqa: PLR2004


def _cost(line: tuple[str, str, str, str]) -> str:
    first, *rest = line
    return f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(c)}</td>" for c in rest)}</tr>'


# --- details of a layer ---


def _data(comparison: Comparison) -> dict[str, Any]:
    return {
        "levels": LEVELS,
        "layers": {row.index: _layer(comparison, row) for row in comparison.rows},
        "first": _first_shown(comparison),
    }


def _first_shown(comparison: Comparison) -> int | None:
    """The layer with the largest error of its own."""
    return min(comparison.rows, key=own_db).index if comparison.rows else None


def _layer(comparison: Comparison, row: LayerRow) -> dict[str, Any]:
    shape = histogram(row)
    return {
        "name": row.name,
        "what": f"{row.operator} {row.node}",
        "sqnr": number(row.sqnr_db),
        "alone": number(row.alone_sqnr_db),
        "numbers": list(_numbers(comparison, row)),
        "findings": [[SIGNS[f.severity], f.kind.value, f.text, f.remedy] for f in comparison.findings[row.index]],
        "histogram": None
        if shape is None
        else [shape.real, shape.run, _short(shape.lo), _short(shape.hi), shape.clip_lo, shape.clip_hi, shape.in_codes],
    }


def _short(value: float) -> float:
    return float(f"{value:.6g}") if math.isfinite(value) else 0.0


def _numbers(comparison: Comparison, row: LayerRow) -> Iterator[tuple[str, str]]:
    yield "float values", f"{row.lo:.5g} to {row.hi:.5g}" if row.elements else "none that count"
    if row.representable_lo is not None:
        yield "range of codes", f"{row.representable_lo:.5g} to {row.representable_hi:.5g} ({_codes(row)})"
        yield "outside the range", share(row.clipped)
        yield "at the lowest, highest code", f"{share(row.at_qmin)}, {share(row.at_qmax)}"
    yield "SQNR, quantized run", f"{db(row.sqnr_db)}, cosine {row.cosine:.5f}"
    if row.max_error_steps is not None:
        yield "error, quantized run", f"max {_steps(row.max_error_steps)}, mean {_steps(row.mean_error_steps)} steps"
    if row.alone_sqnr_db is not None:
        yield "SQNR, layer alone", f"{db(row.alone_sqnr_db)}, max {_steps(row.alone_max_error_steps)} steps"
    if row.rounding_sqnr_db is not None:
        yield "SQNR of its codes", db(row.rounding_sqnr_db)
    if row.channel_rounding_db is not None:
        yield "SQNR of its codes, median channel", db(row.channel_rounding_db)
    if row.weight_bits is not None:
        level = "" if row.weight_sqnr_db is None else f", SQNR of its codes {db(row.weight_sqnr_db)}"
        yield "weight", f"int{row.weight_bits}{level}"
    ratio = "" if row.channel_ratio is None else f", largest {amount(row.channel_ratio)} × median"
    yield "channels", f"{row.channels}{ratio}, {row.dead_channels} dead, {row.lost_channels} lost"
    if row.macs:
        yield "multiply-accumulates", f"{row.macs:,}"
    yield from _at_outputs(comparison, row)
    yield "values compared", f"{row.elements:,}"
    if row.left_out:
        yield "left out: masked, or infinite", share(row.left_out)


def _at_outputs(comparison: Comparison, row: LayerRow) -> Iterator[tuple[str, str]]:
    found = None if comparison.sensitivity is None else comparison.sensitivity.by_index().get(row.index)
    for trial, words in AT_OUTPUTS.items():
        level = None if found is None else found.sqnr_db(trial)
        if level is not None:
            yield f"outputs, {words}", db(level)


def _codes(row: LayerRow) -> str:
    params = row.layer.params
    if params is None or params.axis is not None:
        return f"{row.qtype}, a scale for each channel"
    return f"{row.qtype}, scale {float(params.scale):.5g}, zero point {int(params.zero_point)}"
