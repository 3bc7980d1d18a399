"""Arrays in files: .npy and .npz, without unpickling anything, and without reading more than is asked for."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from halfeven.errors import DataError
from halfeven.ptq.data.arrays import named_array
from halfeven.ptq.data.check import Array, Input

# what NumPy and zipfile raise on files that are not theirs, or are cut short
BROKEN = (ValueError, OSError, EOFError, SyntaxError, zipfile.BadZipFile)


def read_npy(path: Path, *, mapped: bool) -> Array:
    """The array of a .npy file, read whole; ``mapped``: each page when it is used.

    Raises
    ------
    DataError
        If it is no .npy of numbers.
    """
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except BROKEN as error:
        raise _broken(path, error) from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise DataError(f"{path}: is a .npz archive, not a .npy file: rename it", source=str(path))
    return array


def _broken(path: Path, error: Exception) -> DataError:
    reason = _reason(path, error)
    return DataError(
        f"{path}: cannot be read as an array of numbers ({reason}): write it again with np.save or np.savez",
        source=str(path),
    )


def _reason(path: Path, error: Exception) -> str:
    """Why it cannot be read: in our words where the file is no .npy or .npz at all."""
    magic, kind = (b"PK", ".npz") if path.suffix == ".npz" else (b"\x93NUMPY", ".npy")
    with path.open("rb") as stream:
        head = stream.read(len(magic))
    if not head:
        return "it is empty"
    if head != magic:
        return f"it does not begin as a {kind} file does"
    return " ".join(str(error).split())[:160] or type(error).__name__


@dataclass(frozen=True, eq=False)
class NpzMember:
    """One array of a .npz, whose samples are read one after the other; the rest is not unpacked."""

    path: Path
    member: str
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def label(self) -> str:
        """Where it comes from, for errors."""
        return f"{self.path} ('{self.member}')"

    def blocks(self, rows: int) -> Iterator[Array]:
        """The whole, ``rows`` rows at a time, front to back."""
        if self.fortran:  # its columns lie together: read whole
            with np.load(self.path) as archive:
                whole = archive[self.member]
            yield from (whole[start : start + rows] for start in range(0, self.shape[0], rows))
            return
        size = rows * math.prod(self.shape[1:]) * self.dtype.itemsize
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{self.member}.npy") as stream:
            read_header(stream)
            for _ in range(0, self.shape[0], rows):
                yield np.frombuffer(self._read(stream, size), self.dtype).reshape(rows, *self.shape[1:])

    def _read(self, stream: IO[bytes], size: int) -> bytes:
        try:
            data = stream.read(size)
        except (zipfile.BadZipFile, OSError, EOFError) as error:
            raise _broken(self.path, error) from None
        if len(data) != size:
            raise _broken(self.path, EOFError("it ends too early"))
        return data


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the order is Fortran's, and type of the .npy that the stream stands at the beginning of."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    return shape, fortran, dtype


def open_npz(path: Path, inputs: Sequence[Input]) -> dict[str, NpzMember]:
    """One :class:`NpzMember` an input; ``arr_0``, NumPy's name for an array saved without one, for a single input.

    Raises
    ------
    DataError
        If an input is missing, or it is no .npz of arrays of numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            members = {inputs[0].name: "arr_0"} if len(inputs) == 1 and found == ["arr_0"] else {n: n for n in found}
            return {i.name: _member(archive, path, named_array(members, i, inputs, str(path))) for i in inputs}
    except BROKEN as error:
        raise _broken(path, error) from None


def _member(archive: zipfile.ZipFile, path: Path, member: str) -> NpzMember:
    with archive.open(f"{member}.npy") as stream:
        return NpzMember(path, member, *read_header(stream))
