"""Folders of .npy files, one sample a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from halfeven.errors import DataError
from halfeven.ptq.data.arrays import named_array
from halfeven.ptq.data.check import Input, Piece
from halfeven.ptq.data.files import read_npy

SHOWN = 3  # names that an error lists


@dataclass(frozen=True)
class Folder:
    """Files of samples, read as they are asked for: for each input its files in natural order."""

    files: Mapping[str, Sequence[Path]]

    def __iter__(self) -> Iterator[dict[str, Piece]]:
        for paths in zip(*self.files.values(), strict=True):
            named = zip(self.files, paths, strict=True)
            yield {name: Piece(read_npy(path, mapped=False), str(path)) for name, path in named}

    def __len__(self) -> int:
        return min(map(len, self.files.values()), default=0)


def open_folder(folder: Path, inputs: Sequence[Input]) -> Folder:
    """The .npy files of ``folder``: ``<folder>/<input>/<k>.npy``, or ``<folder>/<k>.npy`` for a model of one input.

    Raises
    ------
    DataError
        If a sub-folder or a file is missing, or there are none.
    """
    if len(inputs) == 1 and not (folder / inputs[0].name).is_dir():
        return Folder({inputs[0].name: _npy_files(folder)})
    found = {p.name: p for p in sorted(folder.iterdir()) if p.is_dir()}
    if len(inputs) > 1 and not found:
        raise _flat(folder, inputs)
    where = f"{folder} (one sub-folder an input)"
    files = {i.name: _npy_files(named_array(found, i, inputs, where)) for i in inputs}
    _check_partners(files)
    return Folder(files)


def _flat(folder: Path, inputs: Sequence[Input]) -> DataError:
    names = ", ".join(i.name for i in inputs)
    layout = " and ".join(str(folder / i.name / "0.npy") for i in inputs[:2])
    return DataError(
        f"{folder}: has no sub-folders, found: {_some(sorted(folder.iterdir()))}: a model of {len(inputs)} inputs "
        f"({names}) takes one an input, with a file a sample: {layout}",
        source=str(folder),
    )


def _some(entries: Sequence[Path]) -> str:
    """The first names."""
    more = ", ..." if len(entries) > SHOWN else ""
    return (", ".join(p.name for p in entries[:SHOWN]) + more) or "nothing"


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key by which ``2`` comes before ``10``."""
    parts = re.split(r"(\d+)", name)  # text, digits, text, ...: alike at alike places
    return [(int(p) if k % 2 else 0, p) for k, p in enumerate(parts)], name


def _npy_files(folder: Path) -> list[Path]:
    entries = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    files = sorted((p for p in entries if p.suffix == ".npy"), key=lambda p: natural_key(p.stem))
    if not files:
        raise DataError(
            f"{folder}: no .npy files, found: {_some(entries)}: save each preprocessed sample with np.save, in one "
            "sub-folder an input",
            source=str(folder),
        )
    return files


def _check_partners(files: Mapping[str, Sequence[Path]]) -> None:
    """Every sample must have a file for each input."""
    names = {name: {p.name for p in paths} for name, paths in files.items()}
    everything = sorted(set().union(*names.values()), key=natural_key)
    for file in everything:
        for lacks, own in names.items():
            if file not in own:
                has = next(name for name, others in names.items() if file in others)
                missing = files[lacks][0].parent / file
                raise DataError(
                    f"{missing}: no such file, and input '{has}' has one of that name: give each sample a file for "
                    "every input",
                    source=str(missing),
                )
