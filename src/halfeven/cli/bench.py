"""``halfeven bench``: how fast a quantized model runs here, layer by layer, beside other runtimes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from numpy.typing import NDArray

from halfeven import api
from halfeven.cli import console
from halfeven.cli.options import Debug, ModelPath, Profile, Threads
from halfeven.cli.run import read_npz
from halfeven.errors import DataError, ParameterError
from halfeven.ir.program import Port
from halfeven.report.bench.text import (
    BATCH_COLUMNS,
    ENGINE_COLUMNS,
    LAYER_COLUMNS,
    MOST_LAYERS,
    batch_rows,
    engine_rows,
    layer_rows,
    refusal_lines,
    summary_lines,
)

BUSY = 0.2  # of the cores


def command(
    model: ModelPath,
    threads: Threads = None,
    against: Annotated[str, typer.Option(metavar="NAMES", help="Peers: onnxruntime, openvino, or both.")] = "",
    inputs: Annotated[
        Path | None, typer.Option("--input", metavar="IN.npz", help="One array an input; by default noise.")
    ] = None,
    shape: Annotated[
        list[str] | None, typer.Option(metavar="NAME=1x3x224x224", help="Shape of an input with free sizes.")
    ] = None,
    batch: Annotated[int, typer.Option(min=0, help="Also so many samples at once.", show_default=False)] = 0,
    layers: Annotated[int, typer.Option(min=0, help="So many of the slowest layers.")] = MOST_LAYERS,
    seconds: Annotated[float, typer.Option(min=0.0, help="Of timing, about, for each engine.")] = 3.0,
    profile: Profile = None,
    debug: Debug = False,  # noqa: ARG001  read by main
) -> None:
    """Measure latency and throughput, where the time goes, memory, and ratios to other runtimes."""
    names = tuple(name.strip() for name in against.split(",") if name.strip())
    shapes = dict(_shape(text) for text in shape or [])
    if inputs is not None and shapes:
        raise ParameterError("--input has its own shapes: give it or --shape, not both")
    loaded = api.load(model, profile)
    feeds = None
    if inputs is not None:
        feeds = read_npz(inputs)
        _refuse_values(loaded.inputs, feeds, inputs)
    found = loaded.bench(feeds, shapes=shapes, threads=threads, against=names, seconds=seconds, batch=batch)
    out = console.out()
    for line in (f"{model}", *summary_lines(found)):
        out.print(line)
    _print(f"one run, {len(found.own.rounds_s)} rounds", ENGINE_COLUMNS, engine_rows(found))
    for line in refusal_lines(found):
        out.print(line)
    if found.batch:
        _print(f"{found.batch.samples} samples at once", BATCH_COLUMNS, batch_rows(found.batch))
    if layers:
        _print("slowest layers", LAYER_COLUMNS, layer_rows(found, layers))
    _warn_if_busy()


def _refuse_values(ports: tuple[Port, ...], feeds: Mapping[str, NDArray[Any]], path: Path) -> None:
    for port in ports:
        given = feeds.get(port.name)
        if port.takes_codes and given is not None and given.dtype.kind == "f":
            raise DataError(
                f"{path}: input '{port.name}' takes codes of {port.dtype}, and these are values of {given.dtype}: give "
                "codes, or leave --input out for random ones"
            )


def _print(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = console.table(title, *columns)
    for row in rows:
        table.add_row(*row)
    console.out().print(table)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, sizes = text.rpartition("=")
    parts = sizes.lower().split("x")
    if not name or not all(part.isdecimal() for part in parts):
        raise ParameterError(f"--shape {text}: NAME=1x3x224x224 was expected")
    return name, tuple(int(part) for part in parts)


def _warn_if_busy() -> None:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    cores = os.cpu_count() or 1
    if load > 1 + BUSY * cores:  # one for the measurement itself
        console.out().print(f"load average {load:.1f} on {cores} cores: others were running, the times say little")
