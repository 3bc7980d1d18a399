"""The findings of all layers together, in a few sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from halfeven.report.comparison import Comparison
from halfeven.report.finding import REMEDIES, Finding, Kind, Severity
from halfeven.report.row import LayerRow
from halfeven.report.thresholds import FINE_DB, POOR_DB

NAMED = 3  # layers named in one sentence
QUIET = (Kind.INHERITED, Kind.DEAD, Kind.MASKED)  # said of the layer alone


@dataclass(frozen=True)
class Statement:
    """A sentence, and the words to find it by."""

    lead: str
    rest: str

    def __str__(self) -> str:
        return f"{self.lead} {self.rest}"


def summary(comparison: Comparison) -> tuple[Statement, ...]:
    """Outputs, where the error comes in, what to do about which layers, what was not compared."""
    return (
        *_outputs(comparison),
        *_where(comparison),
        *_kinds(comparison),
        *_worst_samples(comparison),
        *_unpaired(comparison),
    )


def own_db(row: LayerRow) -> float:
    """SQNR of the layer alone, or of its codes where that is not known."""
    known = row.rounding_sqnr_db if row.alone_sqnr_db is None else row.alone_sqnr_db
    return math.inf if known is None else known


def _outputs(comparison: Comparison) -> Iterator[Statement]:
    for output in comparison.outputs:
        same = f", the largest score is the same {output.same_largest} of {output.decisions} times"
        yield Statement(f"Output '{output.name}':", f"SQNR {db(output.sqnr_db)}{same if output.decisions else ''}.")


def _where(comparison: Comparison) -> Iterator[Statement]:
    rows = comparison.rows
    fallen = next((r for r in rows if r.sqnr_db < POOR_DB), None)
    if fallen is None:
        yield Statement("The quantized run", f"stays above {POOR_DB:g} dB in every layer.")
        return
    yield Statement("The quantized run", f"first falls below {POOR_DB:g} dB at layer {fallen.index}, '{fallen.name}'.")
    ranked = sorted((r for r in rows if math.isfinite(own_db(r))), key=own_db)[:NAMED]
    if not ranked:
        return
    named = ", ".join(f"'{r.name}' ({r.operator}, {db(own_db(r))})" for r in ranked)
    yield Statement("Largest errors of a layer alone:", f"{named}.")
    if own_db(ranked[0]) >= POOR_DB:
        many = sum(own_db(r) < FINE_DB for r in rows)
        yield Statement("No layer is poor by itself:", f"the errors of {many} layers below {FINE_DB:g} dB add up.")


def _kinds(comparison: Comparison) -> Iterator[Statement]:
    grouped: dict[Kind, list[tuple[Finding, LayerRow]]] = {}
    for row in comparison.rows:
        for finding in comparison.findings[row.index]:
            grouped.setdefault(finding.kind, []).append((finding, row))
    loud = [(kind, found) for kind, found in grouped.items() if kind not in QUIET]
    loud.sort(key=lambda entry: (-max(f.severity for f, _ in entry[1]), -len(entry[1])))
    for kind, found in loud:
        yield _kind(kind, found)


def _kind(kind: Kind, found: list[tuple[Finding, LayerRow]]) -> Statement:
    found.sort(key=lambda pair: (-pair[0].severity, own_db(pair[1])))
    where = ", ".join(f"'{row.name}'" for _, row in found[:NAMED])
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    worst = found[0][0]
    said = worst.severity > Severity.NOTE or kind is Kind.FLOAT
    detail = f"{'; the first' if len(found) > 1 else ''}: {worst.text}" if said else ""
    layers = f"{len(found)} layer{'s' if len(found) > 1 else ''}"
    return Statement(f"{kind.value.capitalize()}, {layers}:", f"{where}{more}{detail}. What helps: {REMEDIES[kind]}.")


def _worst_samples(comparison: Comparison) -> Iterator[Statement]:
    worst = comparison.worst_samples[:NAMED]
    if worst and comparison.samples > 1:
        named = ", ".join(f"{w.sample} ({db(w.sqnr_db)})" for w in worst)
        yield Statement("Samples whose outputs differ most:", f"{named}.")


def _unpaired(comparison: Comparison) -> Iterator[Statement]:
    missing = comparison.unpaired
    if missing:
        named = "; ".join(map(str, missing[:NAMED]))
        more = f"; and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        yield Statement(f"Not compared, {len(missing)} tensor{'s' if len(missing) > 1 else ''}:", f"{named}{more}.")


def db(value: float) -> str:
    """A level for people."""
    if math.isinf(value):
        return "exact" if value > 0 else "no signal"
    return f"{value:.1f} dB"
