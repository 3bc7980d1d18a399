"""A progress bar on a terminal, plain lines elsewhere; and the table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from findings import Finding
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

INTERVAL_S = 15.0

T = TypeVar("T")


def tracked(done: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield from ``done``, showing how many of ``total`` have come."""
    if not sys.stdout.isatty():
        yield from _tracked_plainly(done, total, what)
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console()) as progress:
        row = progress.add_task(what, total=total)
        for item in done:
            progress.advance(row)
            yield item


def _tracked_plainly(done: Iterable[T], total: int, what: str) -> Iterator[T]:
    began = shown = time.monotonic()
    for count, item in enumerate(done, start=1):
        if time.monotonic() - shown > INTERVAL_S:
            shown = time.monotonic()
            print(f"{what}: {count} of {total}, {shown - began:.0f} s", flush=True)
        yield item


def print_table(rows: dict[tuple[str, str], Finding]) -> None:
    """One line a case and path: how many inputs, how many differences, seconds of work."""
    width = max((len(case) for case, _ in rows), default=0)
    for (case, path), finding in rows.items():
        counts = f"{finding.values:>13,} {finding.differences:>11,} {finding.elapsed_s:>8.1f} s"
        print(f"{case:<{width}}  {path:<30} {counts}")
        for line in finding.examples:
            print(f"    {line}")


def print_summary(rows: dict[tuple[str, str], Finding]) -> None:
    """One line a path, over all its cases."""
    by_path: dict[str, Finding] = {}
    cases: dict[str, int] = {}
    for (_, path), finding in rows.items():
        by_path.setdefault(path, Finding()).add(finding)
        cases[path] = cases.get(path, 0) + 1
    print(f"{'path':<30} {'cases':>6} {'inputs':>17} {'differences':>12} {'work':>10}")
    for path, total in by_path.items():
        print(f"{path:<30} {cases[path]:>6} {total.values:>17,} {total.differences:>12,} {total.elapsed_s:>8.1f} s")
