"""``halfeven verify``: every backend on the same data, bit by bit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from numpy.typing import NDArray

from halfeven import api
from halfeven.cli import console
from halfeven.cli.complain import complain
from halfeven.cli.options import Debug, ModelPath, Profile, given_path
from halfeven.cli.run import read_npz
from halfeven.errors import DataError, ParameterError
from halfeven.execute import run as execute
from halfeven.ptq.data import count_samples
from halfeven.report.dumped import Dumped
from halfeven.report.feeds import codes_or_reals
from halfeven.report.verify import Verification, random_samples, verify

Sample = Mapping[str, NDArray[Any]]
LIMIT = 8


def command(
    model: ModelPath,
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", parser=given_path, help="Samples; by default random ones.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="OUT.npz", help="Outputs expected of the samples of --data, one array an output."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many samples.", show_default="8; all of --data with --against"),
    ] = None,
    shape: Annotated[list[str] | None, typer.Option(metavar="INPUT=1x3x48x192", help="Size of a free input.")] = None,
    profile: Profile = None,
    debug: Debug = False,  # noqa: ARG001  read by main
) -> None:
    """Compare every tensor between the reference, native and torch backends; exit 1 at a difference."""
    if data is not None and shape:
        raise ParameterError("--shape gives random samples their size: leave it out with --data")
    if against is not None and data is None:
        raise ParameterError("--against holds outputs of samples: give these with --data")
    loaded = api.load(model, profile)
    names = [p.name for p in loaded.outputs]
    dumped = None if against is None else Dumped(read_npz(against), names, str(against))
    most = limit or (None if against else LIMIT)
    chosen = itertools.islice(_samples(loaded, data, most or LIMIT, shape or []), most)
    total = _total(loaded, data, most)
    with console.progress("verifying", console.SHORT_S) as progress:
        progress(0, total)

        def done(count: int, tensors: Sample) -> None:
            progress(count, total)
            if dumped is not None:
                dumped.add(tensors)

        found = verify(loaded.program, chosen, execute.reference_backend(), _others(), done)
    if not found.elements:
        raise DataError(f"{model}: nothing was compared, the samples are empty: give samples with elements")
    _print(found)
    wrong = [] if dumped is None else dumped.mismatches()
    for line in wrong:
        complain(line)
    if dumped is not None and not wrong:
        console.out().print(f"outputs of {found.samples} sample(s): as in {against}")
    if wrong or not found.equal:
        raise typer.Exit(1)


def _total(model: api.QuantizedModel, data: Path | None, most: int | None) -> int | None:
    """How many samples there will be, where it is known."""
    try:
        count = most if data is None else count_samples(data, model.inputs)
    except DataError:
        count = None  # what is wrong with them is said when they are read
    return count if count is None or most is None else min(count, most)


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
    samples = f"{found.samples} sample{'s' if found.samples != 1 else ''}"
    compared = f"{samples}, {found.elements} elements of {found.tensors} tensors"
    out.print(f"{', '.join(found.backends)} against the reference: {compared}: {verdict}")
