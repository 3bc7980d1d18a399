"""The error along the network, as SVG that fits any width: lines keep their width, dots stay round, text is HTML."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from halfeven.report.row import LayerRow
from halfeven.report.thresholds import POOR_DB

TOP_DB, STEP_DB = 60.0, 10
X_LABELS = 12
RUN, ALONE = "run", "alone"


def curve(rows: Sequence[LayerRow]) -> str:
    """Accumulated SQNR as a line, that of each layer alone as dots; 0 to 60 dB, what lies beyond on the edge."""
    width = max(1, len(rows) - 1)
    line = " ".join(f"{x},{_y(row.sqnr_db)}" for x, row in enumerate(rows))
    dots = "".join(f"M{x} {_y(row.alone_sqnr_db)}h0" for x, row in enumerate(rows) if row.alone_sqnr_db is not None)
    grid = "".join(f"M0 {y}H{width}" for y in range(0, int(TOP_DB) + 1, STEP_DB))
    return (
        '<div class="plot" id="curve" tabindex="0" role="application" aria-label="SQNR of each layer. Left and right '
        'arrow keys choose a layer.">'
        f'<svg viewBox="0 0 {width} {TOP_DB:g}" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="poor" x="0" y="{TOP_DB - POOR_DB:g}" width="{width}" height="{POOR_DB:g}"/>'
        f'<path class="grid" d="{grid}"/><path class="{ALONE}" d="{dots}"/><polyline class="{RUN}" points="{line}"/>'
        '<path class="cursor" id="cursor" d=""/></svg>'
        f'{"".join(_labels(rows, width))}<div class="tip" id="tip" hidden></div></div>'
    )


def _y(sqnr_db: float | None) -> str:
    value = TOP_DB if sqnr_db is None else min(max(sqnr_db, 0.0), TOP_DB)
    return f"{TOP_DB - value:.4g}"


def _labels(rows: Sequence[LayerRow], width: int) -> Iterable[str]:
    for level in range(0, int(TOP_DB) + 1, STEP_DB):
        yield f'<span class="y" style="top:{100 * (1 - level / TOP_DB):.4g}%">{level}</span>'
    every = max(1, math.ceil(len(rows) / X_LABELS))
    for k in range(0, len(rows), every):
        yield f'<span class="x" style="left:{100 * k / width:.4g}%">{escape(str(rows[k].index))}</span>'
