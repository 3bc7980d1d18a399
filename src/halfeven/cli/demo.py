"""``halfeven demo``: the main job on real models and real data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from halfeven.cli import console
from halfeven.cli.options import Debug
from halfeven.demo.agreement import Agreement
from halfeven.demo.run import DemoResult, run_demo


def command(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where the models go.")] = Path("out"),
    profile: Annotated[str, typer.Option(help="Arithmetic that the models are made for.")] = "journey6",
    debug: Debug = False,  # noqa: ARG001  read by main
) -> None:
    """Quantize real models, compare accuracy, and check that every backend gives the same codes."""
    results = run_demo(output, _say, profile=profile)
    _print(results)
    if not all(r.agrees for r in results):
        raise typer.Exit(1)


def _percent(agreement: Agreement) -> str:
    """Never rounded up to 100 %."""
    return f"{int(10000 * agreement.share) / 100:g} %"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _print(results: list[DemoResult]) -> None:
    out = console.out()
    table = console.table(
        "", "task", "metric", "samples", "float", "integer", "bits equal to native", "size", "written to"
    )
    for r in results:
        equal = ", ".join(f"{a.backends[1]} {_percent(a)}" for a in r.agreements)
        sizes = f"{console.size(r.float_size_bytes)} -> {console.size(r.integer_size_bytes)}"
        scores = f"{r.float_score:.4f}", f"{r.integer_score:.4f}"
        table.add_row(r.name, r.metric_name, str(r.samples), *scores, equal, sizes, str(r.path))
    out.print(table)
    for r in results:
        for a in r.agreements:
            verdict = "all equal" if not a.differing else f"{a.differing} DIFFER, first in '{a.first_difference}'"
            pair = " and ".join(a.backends)
            samples = f"{a.samples} sample{'s' if a.samples != 1 else ''}"
            out.print(f"{r.name}: {pair}: {a.compared} codes of {a.tensors} tensors on {samples}: {verdict}")
        for note in r.notes:
            out.print(f"{r.name}: {note}")
