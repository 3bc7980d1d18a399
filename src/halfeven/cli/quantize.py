"""``halfeven quantize``: float ONNX and data in, integer ONNX out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from halfeven import api
from halfeven.cli import console
from halfeven.cli.options import Debug
from halfeven.cli.summary import print_quantized


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Float ONNX model.", show_default=False)],
    data: Annotated[Path, typer.Option(metavar="PATH", help="Calibration data: a .npz, or a folder of .npy files.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.onnx", help="Where the result goes.")],
    activations: Annotated[str, typer.Option(help="int8, uint8 or int16.")] = "int8",
    weights: Annotated[str, typer.Option(help="int4, int8 or int16.")] = "int8",
    method: Annotated[
        str, typer.Option(help="Ranges: default (the best of the others), max, percentile, kl or mse.")
    ] = "default",
    config: Annotated[Path | None, typer.Option(metavar="quant_config.json", help="Settings for each node.")] = None,
    profile: Annotated[str, typer.Option(help="Arithmetic that the model is made for.")] = "journey6",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a model of which a part runs in float32.")] = False,
    debug: Debug = False,  # noqa: ARG001  read by main
) -> None:
    """Quantize a float ONNX model after training."""
    with console.progress("calibrating") as progress:
        quantized = api.quantize_model(
            model,
            data,
            activations=activations,
            weights=weights,
            config=config,
            method=method,
            profile=profile,
            strict=strict,
            progress=progress,
        )
    quantized.save(output)
    print_quantized(quantized, model, output)
