"""Where one sample ends and the next begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from halfeven.errors import DataError
from halfeven.ptq.data.check import Array, Input, Piece, describe


class Stack(Protocol):
    """Samples along a leading axis: an array in memory, or one in an archive."""

    @property
    def label(self) -> str:
        """Where it comes from, for errors."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole."""

    def blocks(self, rows: int) -> Iterator[Array]:
        """The whole, ``rows`` rows at a time, front to back."""


@dataclass(frozen=True, eq=False)
class ArrayStack:
    """Samples along the leading axis of an array, which may be mapped from a file."""

    array: Array
    label: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole."""
        return self.array.shape

    def blocks(self, rows: int) -> Iterator[Array]:
        """The whole, ``rows`` rows at a time, front to back."""
        for start in range(0, self.shape[0], rows):
            yield np.asarray(self.array[start : start + rows])


# --- a leading sample axis ---


def stacked_count(stacks: Mapping[str, Stack], inputs: Sequence[Input]) -> int:
    """How many samples the arrays with a leading sample axis hold: the same number each.

    Raises
    ------
    DataError
        If an array does not divide into samples, or they hold different numbers of them.
    """
    counts = {i.name: _count(stacks[i.name], i) for i in inputs}
    for name, count in counts.items():
        if count != counts[inputs[0].name]:
            raise DataError(
                f"the data hold {counts[inputs[0].name]} sample(s) of input '{inputs[0].name}' and {count} of input "
                f"'{name}': give the same number of each"
            )
    return min(counts.values(), default=0)


def stacked_samples(stacks: Mapping[str, Stack], inputs: Sequence[Input]) -> Iterator[dict[str, Piece]]:
    """Samples of arrays with a leading sample axis, in order."""
    count = stacked_count(stacks, inputs)
    pieces = [_pieces(stacks[i.name], i) for i in inputs]
    for _ in range(count):
        yield {i.name: next(p) for i, p in zip(inputs, pieces, strict=True)}


def _pieces(stack: Stack, wanted: Input) -> Iterator[Piece]:
    rows = _rows(stack, wanted)
    for k, block in enumerate(stack.blocks(rows or 1)):
        yield Piece(block if rows else block[0], f"{stack.label}, sample {k}")


def _rows(stack: Stack, wanted: Input) -> int:
    """Rows a sample; 0 where a sample is one row without its axis."""
    rank = len(stack.shape)
    if wanted.shape is None:
        return 1
    if rank == len(wanted.shape) + 1:
        return 0
    if rank == len(wanted.shape) and rank:
        return batch_size(wanted) or 1
    raise DataError(
        f"{stack.label}: input '{wanted.name}' has shape {list(stack.shape)}, expected samples of {describe(wanted)} "
        "along the first axis: add that axis (x[None]), or preprocess as for inference"
    )


def _count(stack: Stack, wanted: Input) -> int:
    rows = _rows(stack, wanted) or 1
    if stack.shape[0] % rows:
        raise DataError(
            f"{stack.label}: input '{wanted.name}' has {stack.shape[0]} rows, expected a multiple of the model's batch "
            f"size {rows}: leave the last ones out"
        )
    return stack.shape[0] // rows


def batch_size(wanted: Input) -> int:
    """The first size of the input, 0 where dynamic."""
    size = wanted.shape[0] if wanted.shape else None
    return int(size) if isinstance(size, (int, np.integer)) and size > 0 else 0


# --- files and items ---


def samples_of_item(item: Mapping[str, Piece], inputs: Sequence[Input]) -> Iterator[dict[str, Piece]]:
    """The samples of one file or item: one, with or without its batch axis, or a batch of them.

    Raises
    ------
    DataError
        If its arrays hold different numbers of samples.
    """
    cut = {i.name: _cut(item[i.name].array, i) for i in inputs}
    count = max(map(len, cut.values()), default=1)
    for wanted in inputs:
        cut[wanted.name] = _with_count(cut[wanted.name], count, wanted, item[wanted.name].source)
    for k in range(count):
        yield {name: Piece(arrays[k], _source(item[name], k, count)) for name, arrays in cut.items()}


def _cut(array: Array, wanted: Input) -> list[Array]:
    if wanted.shape is None:
        return [array]
    batch, missing = batch_size(wanted), len(wanted.shape) - array.ndim
    if missing == 1 and batch in (0, 1):
        return [array[None]]
    if missing == -1:
        return list(array)
    if missing == 0 and batch and array.shape[0] > batch and array.shape[0] % batch == 0:
        return list(array.reshape(-1, batch, *array.shape[1:]))
    return [array]  # what does not fit is reported by the check


def _with_count(arrays: list[Array], count: int, wanted: Input, source: str) -> list[Array]:
    """``count`` samples: a dynamic batch is cut where another input's batch size is fixed."""
    if len(arrays) == 1 and count > 1 and arrays[0].shape[:1] == (count,) and not batch_size(wanted):
        return [arrays[0][k : k + 1] for k in range(count)]
    if len(arrays) != count:
        raise DataError(
            f"{source}: holds {len(arrays)} sample(s) of input '{wanted.name}' and {count} of another input: "
            "give the same number of each",
            source=source,
        )
    return arrays


def _source(piece: Piece, k: int, count: int) -> str:
    return piece.source if count == 1 else f"{piece.source}, sample {k}"
