"""Read a PyTorch state dict (``torch.save``, zip or legacy layout) without PyTorch and without running what it says.

A pickle is a program. The one here may name nothing but the functions that put a tensor together, the storage types
and ``OrderedDict``; each name is answered by a token of this module, never by an import. Sizes, strides and offsets
are checked against the stored bytes before a view is made.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from halfeven.errors import ModelError

_STORAGE_DTYPES: Mapping[str, str] = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
_LEGACY_HEADER = 3  # pickles before the state dict: magic number, protocol version, the writer's type sizes


def read_state_dict(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of the state dict at ``path`` by name, each a fresh C-contiguous array of its own dtype.

    Raises
    ------
    ModelError
        The file is no state dict, is cut short, or its pickle names anything else than tensors.
    """
    try:
        content = path.read_bytes()
        return _read_zip(content) if zipfile.is_zipfile(io.BytesIO(content)) else _read_legacy(content)
    except Exception as error:  # a hostile pickle can make its reader raise anything
        reason = str(error) or type(error).__name__
        message = f"'{path}' is not a PyTorch state dict that can be read: {reason}"
        raise ModelError(message, source=str(path)) from error


@dataclass(frozen=True)
class _TensorRecord:
    """A tensor before its storage is read: which storage, and which elements of it."""

    dtype: str
    key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, storage: bytes) -> npt.NDArray[Any]:
        """Copy the tensor's elements out of the bytes of its storage."""
        elements = np.frombuffer(storage, np.dtype(self.dtype))
        self._check_bounds(elements.size)
        step = elements.dtype.itemsize
        strides = [stride * step for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(elements[self.offset :], self.shape, strides, writeable=False)
        return np.array(view, order="C")

    def _check_bounds(self, stored: int) -> None:
        """Raise unless every element that the view reaches lies in a storage of ``stored`` elements."""
        numbers = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or any(type(n) is not int or n < 0 for n in numbers):
            message = f"tensor in storage '{self.key}' has impossible shape {self.shape} or strides {self.strides}"
            raise ValueError(message)
        if 0 in self.shape:
            return
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        count = 1
        for n in self.shape:
            count *= n
        if last >= stored or count > stored:
            message = f"a tensor of shape {self.shape} reaches outside storage '{self.key}' of {stored} elements"
            raise ValueError(message)


class _RebuildTensor:
    """Stands for ``torch._utils._rebuild_tensor`` and its later forms. Without attributes: a pickle cannot alter it."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _TensorRecord:
        dtype, key = storage
        return _TensorRecord(str(dtype), str(key), offset, tuple(shape), tuple(strides))


class _RebuildParameter:
    """Stands for ``torch._utils._rebuild_parameter``: a parameter is its tensor."""

    __slots__ = ()

    def __call__(self, tensor: Any, *_: Any) -> Any:
        return tensor


_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor"): _RebuildTensor(),
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
    ("collections", "OrderedDict"): OrderedDict,
    **{("torch", name): name for name in _STORAGE_DTYPES},
}


class _TensorUnpickler(pickle.Unpickler):
    """An unpickler that knows `_ALLOWED` and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            message = f"refused '{module}.{name}': a state dict holds tensors only"
            raise pickle.UnpicklingError(message) from None

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        kind, storage_type, key, *_ = pid
        if kind != "storage" or storage_type not in _STORAGE_DTYPES:
            message = f"refused the record {kind!r} of type {storage_type!r}: expected a storage"
            raise pickle.UnpicklingError(message)
        return _STORAGE_DTYPES[storage_type], str(key)


def _unpickle(stream: BinaryIO) -> Any:
    return _TensorUnpickler(stream, encoding="latin1").load()


def _read_zip(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The layout since PyTorch 1.6: ``<name>/data.pkl`` and one file ``<name>/data/<key>`` a storage."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(names) != 1:
            message = f"expected one 'data.pkl' in the archive, found {len(names)}"
            raise ValueError(message)
        prefix = names[0].removesuffix("data.pkl")
        if prefix + "byteorder" in archive.namelist() and archive.read(prefix + "byteorder") != b"little":
            raise ValueError("its storages are not little-endian")
        records = _unpickle(io.BytesIO(archive.read(names[0])))
        return _read_tensors(records, lambda record: archive.read(f"{prefix}data/{record.key}"))


def _read_legacy(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The layout before PyTorch 1.6: five pickles, then for each storage its element count and its elements."""
    stream = io.BytesIO(content)
    for _ in range(_LEGACY_HEADER):
        _unpickle(stream)
    records = _unpickle(stream)
    item_sizes = {record.key: np.dtype(record.dtype).itemsize for record in _tensor_records(records).values()}
    storages: dict[str, bytes] = {}
    for key in _unpickle(stream):
        (count,) = struct.unpack("<q", stream.read(8))
        storages[str(key)] = stream.read(max(count, 0) * item_sizes[str(key)])
    return _read_tensors(records, lambda record: storages[record.key])


def _tensor_records(records: Any) -> dict[str, _TensorRecord]:
    """Check that what was unpickled is a dict of tensors by name."""
    if not isinstance(records, dict):
        message = f"expected a dict of tensors, found {type(records).__name__}"
        raise TypeError(message)
    for name, record in records.items():
        if not isinstance(name, str) or not isinstance(record, _TensorRecord):
            message = f"entry {name!r} is not a tensor"
            raise TypeError(message)
    return dict(records)


def _read_tensors(records: Any, storage: Callable[[_TensorRecord], bytes]) -> dict[str, npt.NDArray[Any]]:
    return {name: record.read(storage(record)) for name, record in _tensor_records(records).items()}
