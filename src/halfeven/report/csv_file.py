"""One row a layer, for scripts."""

from __future__ import annotations

import csv
import io

from halfeven.ptq.difference import Measure
from halfeven.report.comparison import Comparison
from halfeven.report.row import LayerRow
from halfeven.report.sensitivity.found import LayerSensitivity, Trial, value

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
    "left_out",
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
    "sensitivity_sqnr_db",
    "sensitivity_cosine",
    "sensitivity_mse",
    "sensitivity_mre",
    "sensitivity_chebyshev",
    "sensitivity_activation_sqnr_db",
    "sensitivity_weight_sqnr_db",
    "sensitivity_without_sqnr_db",
    "diagnosis",
    "remedy",
)
SENSITIVITY = {
    "sensitivity_sqnr_db": (Trial.LAYER, Measure.SQNR),
    "sensitivity_cosine": (Trial.LAYER, Measure.COSINE),
    "sensitivity_mse": (Trial.LAYER, Measure.MSE),
    "sensitivity_mre": (Trial.LAYER, Measure.MRE),
    "sensitivity_chebyshev": (Trial.LAYER, Measure.CHEBYSHEV),
    "sensitivity_activation_sqnr_db": (Trial.ACTIVATION, Measure.SQNR),
    "sensitivity_weight_sqnr_db": (Trial.WEIGHT, Measure.SQNR),
    "sensitivity_without_sqnr_db": (Trial.WITHOUT, Measure.SQNR),
}
"""At the model's outputs, of the one that suffers most; empty where it was not measured."""


def csv_text(comparison: Comparison) -> str:
    """The table as CSV (RFC 4180): numbers in full, ``inf`` for no error, empty where a column has no meaning."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    sensitive = {} if comparison.sensitivity is None else comparison.sensitivity.by_index()
    for row in comparison.rows:
        writer.writerow([_cell(comparison, row, sensitive.get(row.index), column) for column in COLUMNS])
    return out.getvalue()


def _cell(comparison: Comparison, row: LayerRow, sensitive: LayerSensitivity | None, column: str) -> str:
    findings = comparison.findings[row.index]
    if column == "diagnosis":
        return "; ".join(map(str, findings))
    if column == "remedy":
        return "; ".join(dict.fromkeys(f.remedy for f in findings))
    if column in ("scale", "zero_point"):
        params = row.layer.params
        return "" if params is None or params.axis is not None else str(getattr(params, column))
    if column in SENSITIVITY:
        trial, measure = SENSITIVITY[column]
        error = None if sensitive is None else sensitive.error(trial, measure)
        return "" if error is None else repr(value(error, measure))
    found = getattr(row, column)
    return "" if found is None else repr(found) if isinstance(found, float) else str(found)
