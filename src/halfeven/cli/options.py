"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelPath = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Quantized ONNX model.", show_default=False)]
Profile = Annotated[
    str | None, typer.Option(help="Arithmetic that the file's nodes mean; by default what its metadata names.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of the native backend; by default every core.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
