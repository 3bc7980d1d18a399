"""The comparison as plain text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from halfeven.report.amount import amount
from halfeven.report.comparison import Comparison
from halfeven.report.cost_lines import cost_lines
from halfeven.report.finding import Finding, Kind
from halfeven.report.row import LayerRow
from halfeven.report.summary import own_db

HEADER = ("", "layer", "operator", "SQNR", "alone", "cosine", "max", "clipped", "ends", "diagnosis")
NAME_WIDTH = 34


def text(comparison: Comparison, rows: Sequence[LayerRow] | None = None) -> str:
    """Header, table of the layers (of ``rows`` alone where given), summary, cost."""
    shown = comparison.rows if rows is None else rows
    samples = f"{comparison.samples} sample{'s' if comparison.samples != 1 else ''}"
    models = f"{comparison.quantized_source} (profile {comparison.profile}) against {comparison.float_source}"
    return "\n".join(
        [
            f"{models}, {samples}",
            "SQNR: quantized run; alone: this layer on the float model's values; dB. max: error in steps.",
            *table(comparison, shown),
            "",
            *map(str, comparison.summary),
            "",
            *cost_lines(comparison),
        ]
    )


def table(comparison: Comparison, rows: Sequence[LayerRow]) -> Iterator[str]:
    """Lines of equal columns, the first a header."""
    cells = [HEADER, *(_cells(comparison, row) for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(HEADER) - 1)]
    for line in cells:
        padded = [c.ljust(w) if 0 < k < 3 else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths, strict=False))]  # noqa: PLR2004
        yield "  ".join([*padded, line[-1]]).rstrip()


def worst_rows(comparison: Comparison, count: int) -> tuple[LayerRow, ...]:
    """The rows with the largest errors of their own, in the order of the program; the outputs always."""
    ranked = sorted((r for r in comparison.rows if math.isfinite(own_db(r))), key=own_db)[:count]
    chosen = {r.index for r in ranked} | {r.index for r in comparison.rows if r.is_output}
    return tuple(r for r in comparison.rows if r.index in chosen)


def _cells(comparison: Comparison, row: LayerRow) -> tuple[str, ...]:
    name = row.name if len(row.name) <= NAME_WIDTH else f"{row.name[: NAME_WIDTH - 1]}…"
    ends = None if row.at_qmin is None or row.at_qmax is None else row.at_qmin + row.at_qmax
    said = "; ".join(_said(f, row) for f in comparison.findings[row.index])
    steps = "-" if row.max_error_steps is None else amount(row.max_error_steps)
    levels = number(row.sqnr_db), number(row.alone_sqnr_db)
    return (
        str(row.index),
        name,
        row.operator,
        *levels,
        f"{row.cosine:.4f}",
        steps,
        share(row.clipped),
        share(ends),
        said,
    )


def _said(finding: Finding, row: LayerRow) -> str:
    """Its name; of masked values their share as well, which no column has."""
    return f"{share(row.left_out)} masked, left out" if finding.kind is Kind.MASKED else finding.kind.value


def number(value: float | None) -> str:
    """A level in dB, without its unit."""
    if value is None:
        return "-"
    return ("exact" if value > 0 else "none") if math.isinf(value) else f"{value:.1f}"


def share(value: float | None) -> str:
    """A share in percent; never rounded to nothing."""
    if value is None:
        return "-"
    return "0" if value == 0 else "<0.01%" if value < 1e-4 else f"{value:.2%}"  # noqa: PLR2004
