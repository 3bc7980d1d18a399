"""One sample against what the model's inputs declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from halfeven.errors import DataError

Array = np.ndarray


class Input(Protocol):
    """An input of a model: every type with these attributes will do."""

    @property
    def name(self) -> str:
        """As in the model."""

    @property
    def shape(self) -> Sequence[int | str | None] | None:
        """Sizes; a symbol or None where dynamic; None where even the rank is unknown."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values that the model reads."""


@dataclass(frozen=True, eq=False)
class Piece:
    """An array and where it comes from, for errors."""

    array: Array
    source: str


def check_sample(pieces: Mapping[str, Piece], inputs: Sequence[Input]) -> dict[str, Array]:
    """The sample with each array of its input's type, after checking types, shapes and values.

    Raises
    ------
    DataError
        At the first thing wrong: where, what was expected, what came, what to do.
    """
    sizes: dict[str, tuple[int, str]] = {}
    sample = {}
    for wanted in inputs:
        piece = pieces[wanted.name]
        array = _converted(piece, wanted)
        _check_shape(array, piece, wanted, sizes)
        _check_finite(array, piece, wanted)
        sample[wanted.name] = array
    return sample


def describe(wanted: Input) -> str:
    """``float32 [N, 3, 224, 224]``."""
    if wanted.shape is None:
        return f"{np.dtype(wanted.dtype)} of any shape"
    return f"{np.dtype(wanted.dtype)} [{', '.join('?' if size is None else str(size) for size in wanted.shape)}]"


def refuse(piece: Piece, wanted: Input, problem: str, remedy: str) -> DataError:
    """The error in one line."""
    return DataError(
        f"{piece.source}: input '{wanted.name}' {problem}, expected {describe(wanted)}: {remedy}", source=piece.source
    )


def _converted(piece: Piece, wanted: Input) -> Array:
    array, dtype = piece.array, np.dtype(wanted.dtype)
    if array.dtype == dtype:
        return np.ascontiguousarray(array).reshape(array.shape)  # ascontiguousarray makes a scalar one-dimensional
    if array.dtype.kind == dtype.kind == "f":
        with np.errstate(over="ignore"):  # what overflows becomes infinite, which is reported as such
            return array.astype(dtype)
    if array.dtype.kind in "iu" and dtype.kind in "iu":
        return _converted_integers(piece, wanted)
    raise refuse(piece, wanted, f"is {array.dtype}", _remedy(array.dtype, dtype))


def _remedy(came: np.dtype[Any], dtype: np.dtype[Any]) -> str:
    if came.kind in "iu" and dtype.kind == "f":
        return "preprocess the samples as for inference (scale, mean, astype)"
    return f"convert it with astype('{dtype}') where that keeps its meaning"


def _converted_integers(piece: Piece, wanted: Input) -> Array:
    info = np.iinfo(wanted.dtype)
    array = piece.array
    if array.size and not (info.min <= int(array.min()) and int(array.max()) <= info.max):
        raise refuse(piece, wanted, f"holds {array.min()} to {array.max()}", "keep it inside that type")
    return array.astype(wanted.dtype)


def _check_shape(array: Array, piece: Piece, wanted: Input, sizes: dict[str, tuple[int, str]]) -> None:
    if wanted.shape is None:
        return
    came = f"has shape {list(array.shape)}"
    if array.ndim != len(wanted.shape):
        raise refuse(piece, wanted, came, f"give it {len(wanted.shape)} axes")
    for axis, (size, declared) in enumerate(zip(array.shape, wanted.shape, strict=True)):
        if isinstance(declared, (int, np.integer)) and declared >= 0:
            if size != declared:
                raise refuse(piece, wanted, came, f"make axis {axis} {declared} long, as for inference")
        elif size == 0:
            raise refuse(piece, wanted, came, f"axis {axis} is empty: leave such samples out")
        elif isinstance(declared, str):
            known, other = sizes.setdefault(declared, (size, wanted.name))
            if size != known:
                raise refuse(piece, wanted, came, f"make '{declared}', {known} in '{other}' and {size} here, equal")


def _check_finite(array: Array, piece: Piece, wanted: Input) -> None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    nan, inf = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    found = " and ".join(f"{n} {what}" for n, what in ((nan, "NaN"), (inf, "infinite value(s)")) if n)
    raise refuse(piece, wanted, f"holds {found}", "remove or replace them (a value too large for the type is infinite)")
