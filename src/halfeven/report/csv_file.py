"""One row a layer, for scripts."""

from __future__ import annotations

import csv
import io

from halfeven.report.comparison import Comparison
from halfeven.report.row import LayerRow

COLUMNS = (
    "index",
    "name",
    "operator",
    "node",
    "qtype",
    "scale",
    "zero_point",
    "elements",
    "sqnr_db",
    "cosine",
    "max_error_steps",
    "mean_error_steps",
    "alone_sqnr_db",
    "alone_max_error_steps",
    "rounding_sqnr_db",
    "weight_bits",
    "weight_sqnr_db",
    "lo",
    "hi",
    "representable_lo",
    "representable_hi",
    "clipped",
    "at_qmin",
    "at_qmax",
    "channels",
    "dead_channels",
    "lost_channels",
    "channel_ratio",
    "channel_rounding_db",
    "macs",
    "diagnosis",
    "remedy",
)


def csv_text(comparison: Comparison) -> str:
    """The table as CSV (RFC 4180): numbers in full, ``inf`` for no error, empty where a column has no meaning."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in comparison.rows:
        writer.writerow([_cell(comparison, row, column) for column in COLUMNS])
    return out.getvalue()


def _cell(comparison: Comparison, row: LayerRow, column: str) -> str:
    findings = comparison.findings[row.index]
    if column == "diagnosis":
        return "; ".join(map(str, findings))
    if column == "remedy":
        return "; ".join(dict.fromkeys(f.remedy for f in findings))
    if column in ("scale", "zero_point"):
        params = row.layer.params
        return "" if params is None or params.axis is not None else str(getattr(params, column))
    value = getattr(row, column)
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
