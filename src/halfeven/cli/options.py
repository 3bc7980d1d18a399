"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from halfeven.errors import ParameterError


def given_path(text: str) -> Path:
    """The path; an empty text is none, though Path makes the current folder of it."""
    if not text:
        raise typer.BadParameter("an empty path: the name of a file or folder was expected")
    return Path(text)


def check_apart(output: Path, read: Mapping[str, Path | None]) -> None:
    """Refuse a result that would take the place of what it is made from, by what that is called."""
    for what, path in read.items():
        if path is not None and (output.resolve() == path.resolve() or (output.exists() and _same(output, path))):
            raise ParameterError(f"{output}: is {what}: name another file for the result")


def _same(output: Path, path: Path) -> bool:
    return path.exists() and output.samefile(path)


ModelPath = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Quantized ONNX model.", show_default=False)]
Profile = Annotated[
    str | None, typer.Option(help="Arithmetic that the file's nodes mean; by default what its metadata names.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of the native backend; by default every core.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
