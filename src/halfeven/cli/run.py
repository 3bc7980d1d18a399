"""``halfeven run``: inputs from a .npz, outputs to a .npz."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from halfeven import api
from halfeven.cli import console
from halfeven.cli.complain import one_line
from halfeven.cli.options import Debug, ModelPath, Profile, Threads, check_apart
from halfeven.errors import DataError, ParameterError
from halfeven.report.whole_file import check_place, whole_file


def command(
    model: ModelPath,
    inputs: Annotated[Path, typer.Option("--input", metavar="IN.npz", help="One array an input, by name.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.npz", help="One array an output, by name.")],
    backend: Annotated[str, typer.Option(help="native, reference, torch or onnxruntime.")] = "native",
    threads: Threads = None,
    profile: Profile = None,
    codes: Annotated[
        bool, typer.Option("--codes", help="Integer codes in and out, without the boundary nodes.")
    ] = False,
    reals: Annotated[
        bool, typer.Option("--float", help="Values in and out, of a model that takes and gives codes.")
    ] = False,
    debug: Debug = False,  # noqa: ARG001  read by main
) -> None:
    """Run a quantized model."""
    if codes and reals:
        raise ParameterError("--codes and --float are opposites: give one of them")
    check_apart(output, {"the model itself": model, "the file of the inputs": inputs})
    check_place(output)
    loaded = api.load(model, profile)
    if reals:
        loaded = loaded.with_boundary("float")
    feeds = read_npz(inputs)
    run = loaded.run_codes if codes else loaded.run
    with console.progress("running", console.SHORT_S) as progress:
        values = run(feeds, backend=backend, threads=threads, progress=progress)
    write_npz(output, values)
    for name, value in values.items():
        console.out().print(f"{name}: {value.dtype} {value.shape}")


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of a .npz by name."""
    try:
        if path.is_file() and not zipfile.is_zipfile(path):
            raise DataError(f"{path}: is not a whole .npz: write one array an input with numpy.savez")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: check the path") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: is not a readable .npz ({one_line(error)})") from error


def write_npz(path: Path, values: dict[str, NDArray[Any]]) -> None:
    """Write a .npz, whole or not at all."""
    with whole_file(path) as file:
        _write_members(file, values)


def _write_members(file: IO[bytes], values: dict[str, NDArray[Any]]) -> None:
    """The members of a .npz; numpy.savez cannot take an array named 'file'."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, value in values.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(value), allow_pickle=False)
