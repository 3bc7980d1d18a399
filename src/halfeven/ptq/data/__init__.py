"""Samples from whatever users have: arrays, dicts, .npy, .npz, folders, data loaders. One at a time, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from halfeven.errors import DataError
from halfeven.ptq.data.arrays import is_array, named_array, to_numpy
from halfeven.ptq.data.check import Input, Piece, check_sample
from halfeven.ptq.data.cut import ArrayStack, Stack, samples_of_item, stacked_count, stacked_samples
from halfeven.ptq.data.files import open_npz, read_npy
from halfeven.ptq.data.folders import open_folder

__all__ = ["Data", "Input", "Sample", "count_samples", "samples"]

Data = Any  # an array, a mapping, a path or an iterable: told apart by _open
Sample = dict[str, np.ndarray]


def samples(data: Data, inputs: Sequence[Input]) -> Iterator[Sample]:
    """Yield one dict of arrays for each run of the model, fitted to ``inputs`` and checked; one is in memory at a time.

    Parameters
    ----------
    data : one of

        - an array, or a dict of arrays, with a leading sample axis (a NumPy array, a torch tensor, ...);
        - a ``.npz`` with such an array for each input, or a ``.npy`` for a model of one input;
        - a folder with a sub-folder of ``.npy`` files for each input, ``<folder>/<input>/<k>.npy``, or with ``.npy``
          files for a model of one input, in natural order (2 before 10);
        - an iterable (a list, a generator, a torch DataLoader) of dicts of arrays, of arrays for a model of one input,
          or of tuples whose first members are the inputs; what follows them (labels) is not read.
    inputs : of the model: anything with ``name``, ``shape`` (numbers, symbols, None) and ``dtype``.

    With a leading sample axis, sample k is ``x[k:k+1]`` where the model's first size is 1 or dynamic, the k-th block of
    N where it is N, and ``x[k]`` where x has one axis more than the input. Files and items hold one sample, with or
    without the batch axis, or a batch, which is cut where the model's batch size is fixed.

    Raises
    ------
    DataError
        In one line, when the sample at fault is reached: a wrong name, type, shape, a NaN or an infinity, no samples.
    """
    return _checked(_open(data, inputs), inputs)


def count_samples(data: Data, inputs: Sequence[Input]) -> int | None:
    """How many samples, or files, :func:`samples` will go through; None where only reading tells (iterables)."""
    if _is_folder(data):
        return len(open_folder(Path(data), inputs))
    stacks = _stacks(data, inputs)
    return None if stacks is None else stacked_count(stacks, inputs)


def _checked(pieces: Iterator[dict[str, Piece]], inputs: Sequence[Input]) -> Iterator[Sample]:
    found = False
    for sample in pieces:
        found = True
        yield check_sample(sample, inputs)
    if not found:
        raise DataError("the data hold no samples: at least one was expected")


def _is_folder(data: Data) -> bool:
    return isinstance(data, (str, Path)) and Path(data).is_dir()


def _refuse_empty_path(data: Data) -> None:
    if isinstance(data, str) and not data.strip():
        raise DataError(
            "the path of the data is empty: name a .npz, a .npy or a folder of .npy files ('.' for this one)"
        )


def _open(data: Data, inputs: Sequence[Input]) -> Iterator[dict[str, Piece]]:
    _refuse_empty_path(data)
    if _is_folder(data):
        return _items(open_folder(Path(data), inputs), inputs)
    stacks = _stacks(data, inputs)
    if stacks is not None:
        return stacked_samples(stacks, inputs)
    if isinstance(data, Iterable):
        return _items(_named(data, inputs), inputs)
    raise DataError(
        f"data of type {type(data).__name__} are not understood: an array, a dict of arrays, a .npz, a folder of .npy "
        "files or an iterable of dicts of arrays was expected"
    )


def _stacks(data: Data, inputs: Sequence[Input]) -> Mapping[str, Stack] | None:
    """The arrays with a leading sample axis, by input; None where data are of another form."""
    if isinstance(data, (str, Path)):
        return _stacks_in_file(Path(data), inputs)
    if isinstance(data, Mapping):
        arrays = {i.name: named_array(data, i, inputs, "the data") for i in inputs}
        return {name: ArrayStack(to_numpy(a, f"input '{name}'"), "the data") for name, a in arrays.items()}
    if is_array(data):
        return {_only(inputs, "the data"): ArrayStack(to_numpy(data, "the data"), "the data")}
    return None


def _stacks_in_file(path: Path, inputs: Sequence[Input]) -> Mapping[str, Stack]:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder: check the path of the data", source=str(path))
    if path.suffix == ".npz":
        return open_npz(path, inputs)
    if path.suffix == ".npy":
        return {_only(inputs, str(path)): ArrayStack(read_npy(path, mapped=True), str(path))}
    raise DataError(
        f"{path}: is neither a .npz, a .npy nor a folder of .npy files: save the preprocessed samples as one of these",
        source=str(path),
    )


def _only(inputs: Sequence[Input], source: str) -> str:
    """The name of the one input."""
    if len(inputs) != 1:
        raise DataError(
            f"{source}: one array was given to a model of {len(inputs)} inputs ({', '.join(i.name for i in inputs)}): "
            "give a dict, a .npz or sub-folders by these names",
            source=source,
        )
    return inputs[0].name


def _items(items: Iterable[dict[str, Piece]], inputs: Sequence[Input]) -> Iterator[dict[str, Piece]]:
    for item in items:
        yield from samples_of_item(item, inputs)


def _named(data: Iterable[Any], inputs: Sequence[Input]) -> Iterator[dict[str, Piece]]:
    """Items of an iterable as pieces by input."""
    for k, item in enumerate(data):
        source = f"item {k} of the data"
        if isinstance(item, Mapping):
            arrays = {i.name: named_array(item, i, inputs, source) for i in inputs}
        elif isinstance(item, (tuple, list)):
            arrays = dict(zip((i.name for i in inputs), _enough(item, inputs, source), strict=False))
        elif is_array(item):
            arrays = {_only(inputs, source): item}
        else:
            raise DataError(
                f"{source} is a {type(item).__name__}: a dict of arrays, an array or a tuple of arrays was expected",
                source=source,
            )
        yield {name: Piece(to_numpy(a, f"{source}, input '{name}'"), source) for name, a in arrays.items()}


def _enough(item: Sequence[Any], inputs: Sequence[Input], source: str) -> Sequence[Any]:
    if len(item) < len(inputs) or not all(map(is_array, item[: len(inputs)])):
        raise DataError(
            f"{source} is a {type(item).__name__} of {len(item)}: the model's {len(inputs)} input(s) as arrays were "
            f"expected first ({', '.join(i.name for i in inputs)})",
            source=source,
        )
    return item
