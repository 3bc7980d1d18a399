"""``halfeven quantize``: float ONNX and data in, integer ONNX out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from halfeven import api
from halfeven.cli import console
from halfeven.cli.complain import complain
from halfeven.cli.options import Debug
from halfeven.cli.summary import print_quantized
from halfeven.errors import ParameterError
from halfeven.ptq.algorithms.names import NAMED


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Float ONNX model.", show_default=False)],
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Calibration data: a .npz, or a folder of .npy files.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT.onnx", help="Where the result goes.")
    ] = None,
    activations: Annotated[str, typer.Option(help="int8, uint8 or int16.")] = "int8",
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
            help="Ranges: default (for each tensor the best of the others), max, percentile, kl or mse.",
            show_default="default",
        ),
    ] = None,
    algorithms: Annotated[
        str,
        typer.Option(metavar="NAME,NAME", help="Accuracy algorithms: " + ", ".join(NAMED) + ".", show_default="none"),
    ] = "",
    config: Annotated[Path | None, typer.Option(metavar="quant_config.json", help="Settings for each node.")] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Show every node's setting and where it comes from, and stop.")
    ] = False,
    profile: Annotated[str, typer.Option(help="Arithmetic that the model is made for.")] = "journey6",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a model of which a part runs in float32.")] = False,
    debug: Debug = False,  # noqa: ARG001  read by main
) -> None:
    """Quantize a float ONNX model after training."""
    asked = [name.strip() for name in algorithms.split(",") if name.strip()]
    if print_config:
        plan = api.plan_quantization(
            model,
            activations=activations,
            weights=weights,
            weight_group=weight_group,
            config=config,
            method=method,
            algorithms=asked,
        )
        console.out().print(str(plan), markup=False)
        warn(plan.warnings)
        return
    if data is None or output is None:
        raise ParameterError(f"{'--data' if data is None else '--output'} is missing: --print-config alone needs none")
    if output.exists() and output.samefile(model):
        raise ParameterError(f"{output}: is the float model itself: name another file for the result")
    with console.progress("calibrating") as progress:
        quantized = api.quantize_model(
            model,
            data,
            activations=activations,
            weights=weights,
            weight_group=weight_group,
            config=config,
            method=method,
            algorithms=asked,
            profile=profile,
            strict=strict,
            progress=progress,
        )
    quantized.save(output)
    warn(quantized.ptq.warnings if quantized.ptq else ())
    print_quantized(quantized, model, output)


def warn(lines: Sequence[str]) -> None:
    """What was read with a remark."""
    for line in lines:
        complain(line)
