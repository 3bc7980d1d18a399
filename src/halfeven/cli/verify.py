"""``halfeven verify``: every backend on the same data, bit by bit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from halfeven import api
from halfeven.cli import console
from halfeven.cli.complain import complain
from halfeven.cli.options import Debug, ModelPath, Profile, given_path
from halfeven.cli.run import read_npz
from halfeven.errors import DataError, ParameterError
from halfeven.execute import run as execute
from halfeven.report.feeds import codes_or_reals
from halfeven.report.verify import Verification, random_samples, same_bits, verify

Sample = dict[str, NDArray[Any]]


def command(
    model: ModelPath,
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", parser=given_path, help="Samples; by default random ones.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="OUT.npz", help="Outputs expected of the first sample.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many samples.")] = 8,
    shape: Annotated[list[str] | None, typer.Option(metavar="INPUT=1x3x48x192", help="Size of a free input.")] = None,
    profile: Profile = None,
    debug: Debug = False,  # noqa: ARG001  read by main
) -> None:
    """Compare every tensor between the reference, native and torch backends; exit 1 at a difference."""
    if data is not None and shape:
        raise ParameterError("--shape gives random samples their size: leave it out with --data")
    loaded = api.load(model, profile)
    chosen = list(itertools.islice(_samples(loaded, data, limit, shape or []), limit))
    found = verify(loaded.program, chosen, execute.reference_backend(), _others())
    if not found.elements:
        raise DataError(f"{model}: nothing was compared, the samples are empty: give samples with elements")
    _print(found)
    wrong = _compare_outputs(loaded, chosen, against) if against else []
    for line in wrong:
        complain(line)
    if wrong or not found.equal:
        raise typer.Exit(1)


def _samples(model: api.QuantizedModel, data: Path | None, limit: int, shape: list[str]) -> Iterator[Sample]:
    if data is not None:
        return codes_or_reals(data, model.program)
    return random_samples(model.program, limit, dict(map(_parse_shape, shape)))


def _parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, sizes = text.partition("=")
    try:
        return name, tuple(int(n) for n in sizes.split("x"))
    except ValueError:
        raise ParameterError(f"--shape takes INPUT=1x3x48x192, not {text!r}") from None


def _others() -> list[execute.Backend]:
    backends = [execute.native_backend()]
    try:
        backends.append(execute.torch_backend())
    except ImportError:
        complain("PyTorch is not installed: its backend is left out")
    return backends


def _print(found: Verification) -> None:
    out = console.out()
    for difference in found.differences:
        out.print(str(difference))
    verdict = "all bits equal" if found.equal else f"{len(found.differences)} difference(s)"
    compared = f"{found.samples} samples, {found.elements} elements of {found.tensors} tensors"
    out.print(f"{', '.join(found.backends)} against the reference: {compared}: {verdict}")


def _compare_outputs(model: api.QuantizedModel, chosen: list[Sample], against: Path) -> list[str]:
    expected = read_npz(against)
    if not chosen:
        raise DataError(f"{against}: there is no sample to compare with")
    got = model.run(chosen[0], backend="reference")
    unknown = [n for n in expected if n not in got]
    if unknown:
        raise DataError(f"{against}: the model has no output '{unknown[0]}' (it has {', '.join(got)})")
    missing = [n for n in got if n not in expected]
    if missing:
        raise DataError(f"{against}: has no array '{missing[0]}': it must hold every output of the first sample")
    return [line for name, value in expected.items() if (line := _mismatch(name, value, got[name]))]


def _mismatch(name: str, expected: NDArray[Any], got: NDArray[Any]) -> str | None:
    if expected.shape != got.shape or expected.dtype != got.dtype:
        return f"output '{name}' is {got.dtype} {got.shape}, expected {expected.dtype} {expected.shape}"
    unequal = int(np.count_nonzero(~same_bits(expected, got)))
    return f"output '{name}': {unequal} of {got.size} elements differ from what was expected" if unequal else None
