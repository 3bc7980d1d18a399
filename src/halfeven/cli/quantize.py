"""``halfeven quantize``: float ONNX and data in, integer ONNX out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

import typer

from halfeven import api
from halfeven.cli import console
from halfeven.cli.complain import complain
from halfeven.cli.options import Debug, check_apart, given_path
from halfeven.cli.summary import print_quantized
from halfeven.errors import ParameterError
from halfeven.ptq.algorithms.names import NAMED
from halfeven.ptq.options import Options
from halfeven.report.whole_file import check_place
from halfeven.search.settings import MixedPrecision

OPTIONS = {
    "min_sqnr_db": "--min-sqnr",
    "min_cosine": "--min-cosine",
    "max_wide": "--max-wide",
    "max_bytes": "--max-bytes",
}
"""What a search is asked for, as the library and as the command line call it."""


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Float ONNX model.", show_default=False)],
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", parser=given_path, help="Calibration data: a .npz, or a folder of .npy files."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT.onnx", parser=given_path, help="Where the result goes."),
    ] = None,
    activations: Annotated[str, typer.Option(help="int8, uint8, int16 or uint16.")] = "int8",
    weights: Annotated[str, typer.Option(help="int4, int8 or int16.")] = "int8",
    weight_group: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="One scale for N inputs of a channel, of int4 weights.", show_default="a channel"
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="Ranges: default (for each tensor the best of the others), symmetric (the same of symmetric codes), "
            "max, percentile, kl or mse.",
            show_default="default",
        ),
    ] = None,
    algorithms: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Accuracy algorithms: none, or some of " + ", ".join(NAMED) + ".",
            show_default="second-order-rounding,bias-correction",
        ),
    ] = None,
    boundary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FORM",
            help="What inputs and outputs are: float, codes (integers, as on a board) or unquantized (an output "
            "straight from the last sums). For all, or for one by NAME; may be repeated.",
            show_default="float",
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="quant_config.json", help="Settings for each node.")] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Show every node's setting and where it comes from, and stop.")
    ] = False,
    min_sqnr: Annotated[
        float | None,
        typer.Option(metavar="DB", help="Search int8/int16: the fewest bits with this SQNR at the outputs."),
    ] = None,
    min_cosine: Annotated[
        float | None, typer.Option(metavar="X", help="Search int8/int16: the fewest bits with this cosine.")
    ] = None,
    max_wide: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Search: at most this share (0 to 1) of the operations on int16."),
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(metavar="N", help="Search: a file of at most so many bytes; with --weights int4.")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(metavar="S", help="Take the best model found after so many seconds of search.")
    ] = None,
    save_config: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write what the search found as a quant_config.json.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Arithmetic that the model is made for.")] = "journey6",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a model of which a part runs in float32.")] = False,
    debug: Debug = False,  # noqa: ARG001  read by main
) -> None:
    """Quantize a float ONNX model after training."""
    if weight_group is not None and weights != "int4" and config is None:
        raise ParameterError(f"--weight-group {weight_group} is for int4 weights: give --weights int4 too")
    options: Options = {
        "activations": activations,
        "weights": weights,
        "weight_group": weight_group,
        "method": method,
        "config": config,
        "boundary": _boundary(boundary or []),
        "algorithms": None if algorithms is None else [name.strip() for name in algorithms.split(",")],
    }
    if print_config:
        plan = api.plan_quantization(model, **options)
        console.out().print(str(plan))
        warn(plan.warnings)
        return
    if data is None or output is None:
        raise ParameterError(f"{'--data' if data is None else '--output'} is missing: --print-config alone needs none")
    check_apart(output, {"the float model itself": model, "the calibration data": data, "the configuration": config})
    check_place(output)
    if save_config is not None:
        check_apart(
            save_config, {"the float model": model, "the calibration data": data, "the quantized model": output}
        )
        check_place(save_config)
    limits = dict(zip(OPTIONS, (min_sqnr, min_cosine, max_wide, max_bytes), strict=True))
    search = _search(limits, time_limit, save_config)
    with console.progress("cleaning up") as progress:
        quantized = api.quantize_model(
            model,
            data,
            **options,
            search=search,
            profile=profile,
            strict=strict,
            progress=progress,
        )
    quantized.save(output)
    if quantized.search is not None and save_config is not None:
        quantized.search.save_config(save_config)
    warn(quantized.ptq.warnings if quantized.ptq else ())
    print_quantized(quantized, model, output)
    if quantized.search is not None:
        console.out().print(str(quantized.search))
        if save_config is not None:
            console.out().print(f"written: {save_config}")
        if not quantized.search.reached:
            raise typer.Exit(1)


def _boundary(given: Sequence[str]) -> str | dict[str, str]:
    """One form for all, or forms by name."""
    pairs = [text.rpartition("=")[::2] for text in given]
    named = dict(pairs)
    if "" not in named:
        _refuse_twice(pairs)
        return named or "float"
    if any("=" in text and text.rpartition("=")[0] == "" for text in given):
        raise ParameterError("--boundary takes FORM or NAME=FORM, and a name is missing before '='")
    if len(given) > 1:
        raise ParameterError(f"--boundary {named['']} is for all: give it alone, or NAME=FORM for each")
    return named[""]


def _refuse_twice(pairs: Sequence[tuple[str, str]]) -> None:
    for name in dict(pairs):
        forms = [f for n, f in pairs if n == name]
        if len(forms) > 1:
            raise ParameterError(f"--boundary names '{name}' twice, as {' and '.join(forms)}: keep one of them")


def _search(limits: Mapping[str, Any], time_limit: float | None, save_config: Path | None) -> MixedPrecision | None:
    """What the options ask for; None where they ask for no search."""
    if all(value is None for value in limits.values()):
        if time_limit is not None or save_config is not None:
            option = "--time-limit" if time_limit is not None else "--save-config"
            raise ParameterError(
                f"{option} belongs to a search: give --min-sqnr, --min-cosine, --max-wide or --max-bytes"
            )
        return None
    try:
        return MixedPrecision(**limits, seconds=time_limit)
    except ParameterError as error:
        words = {**OPTIONS, "seconds must be": "--time-limit must be"}
        raise ParameterError(reduce(lambda text, name: text.replace(name, words[name]), words, str(error))) from error


def warn(lines: Sequence[str]) -> None:
    """What was read with a remark."""
    for line in lines:
        complain(f"warning: {line}")
