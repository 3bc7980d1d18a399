"""``halfeven compare``: every layer of a quantized model against the float model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from halfeven import api
from halfeven.cli import console
from halfeven.cli.options import Debug, Profile, check_apart, given_path
from halfeven.errors import ModelError, NotQuantizedError
from halfeven.ptq.difference import Measure
from halfeven.report.sensitivity import Trial
from halfeven.report.sensitivity.found import FORWARD
from halfeven.report.sensitivity.text import sensitivity_text
from halfeven.report.text import text, worst_rows
from halfeven.report.whole_file import check_place

SHOWN = 20


def command(
    float_model: Annotated[Path, typer.Argument(metavar="FLOAT.onnx", help="Float ONNX model.", show_default=False)],
    model: Annotated[
        Path, typer.Argument(metavar="QUANT.onnx", help="The model quantized from it.", show_default=False)
    ],
    data: Annotated[
        Path, typer.Option(metavar="PATH", parser=given_path, help="Samples: a .npz, or a folder of .npy files.")
    ],
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many samples; by default all.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one self-contained page.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one row a layer.")] = None,
    speed: Annotated[bool, typer.Option(help="Time both models on the first sample.")] = True,
    full: Annotated[
        bool, typer.Option("--full", help="Show every layer, not just those with the largest errors.")
    ] = False,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Quantize one layer at a time, and rank them by the model's outputs.")
    ] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="The reverse, too: quantize all but one layer at a time.")
    ] = False,
    sensitivity_samples: Annotated[int, typer.Option(min=1, help="On how many samples.")] = 8,
    metric: Annotated[
        Measure, typer.Option(help="By which layers are ranked for sensitivity.", show_default="sqnr")
    ] = Measure.SQNR,
    profile: Profile = None,
    debug: Debug = False,  # noqa: ARG001  read by main
) -> None:
    """Compare a quantized model with its float model layer by layer, and say what to do about the errors."""
    for place in filter(None, (html, csv)):
        check_apart(place, {"the float model": float_model, "the quantized model": model, "the data": data})
        check_place(place)
    if html is not None and csv is not None:
        check_apart(csv, {"the file of --html": html})
    loaded = _quantized(float_model, model, profile)
    with console.progress("comparing") as progress:
        found = loaded.compare(float_model, data, limit=limit, speed=speed, progress=progress)
    if sensitivity or leave_out:
        with console.progress("sensitivity") as progress:
            trials = [*(FORWARD if sensitivity else ()), *([Trial.WITHOUT] if leave_out else [])]
            several = min(limit or sensitivity_samples, sensitivity_samples)
            measured = loaded.sensitivity(float_model, data, trials=trials, limit=several, progress=progress)
        if measured.interrupted:
            console.out().print(sensitivity_text(measured, SHOWN, measure=metric))
            raise KeyboardInterrupt
        found = found.with_sensitivity(measured)
    if csv is not None:
        found.to_csv(csv)
    if html is not None:
        found.to_html(html)
    out = console.out()
    rows = found.rows if full else worst_rows(found, SHOWN)
    out.print(text(found, rows))
    if len(rows) < len(found.rows):
        out.print(
            f"{len(rows)} of {len(found.rows)} layers shown, those with the largest errors alone: --full shows all"
        )
    if found.sensitivity is not None:
        out.print(f"\n{sensitivity_text(found.sensitivity, None if full else SHOWN, measure=metric)}")
    for path in filter(None, (csv, html)):
        out.print(f"written: {path}")


def _quantized(float_model: Path, model: Path, profile: str | None) -> api.QuantizedModel:
    """The second model; an error that says so where it is the first that is quantized."""
    try:
        return api.load(model, profile)
    except NotQuantizedError as error:
        if not _is_quantized(float_model):
            raise
        swapped = f"{model}: is the float model, and {float_model} the quantized one: name the float model first"
        raise NotQuantizedError(swapped) from error


def _is_quantized(path: Path) -> bool:
    try:
        api.load(path)
    except ModelError:
        return False
    return True
