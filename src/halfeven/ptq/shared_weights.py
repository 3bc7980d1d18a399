"""Constants of a float model in onnxruntime sessions, without a copy of them."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort

SMALL_BYTES = 1024  # what onnxruntime may want to read while it loads stands in the model itself
MUCH_BYTES = 1 << 22
PLAIN = frozenset(ir.DataType.from_numpy(np.dtype(f"{kind}{size}")) for kind in "iu" for size in (1, 2, 4, 8)) | {
    ir.DataType.FLOAT16,
    ir.DataType.FLOAT,
    ir.DataType.DOUBLE,
    ir.DataType.BOOL,
}


@dataclass(frozen=True, eq=False)
class SharedWeights:
    """Some constants.

    Attributes
    ----------
    initializers : for the graph; of large ones without their values.
    values : of the large ones, by name; they must live as long as the session.
    """

    initializers: tuple[onnx.TensorProto, ...]
    values: Mapping[str, Any]

    @classmethod
    def of(cls, tensors: Mapping[str, ir.TensorProtocol]) -> SharedWeights:
        """Large tensors of plain types are shared, others copied."""
        shared = {n: t.numpy() for n, t in tensors.items() if t.nbytes >= SMALL_BYTES and _is_plain(t)}
        protos = [_without_values(t, n) if n in shared else _copied(t, n) for n, t in tensors.items()]
        return cls(tuple(protos), {n: ort.OrtValue.ortvalue_from_numpy(a) for n, a in shared.items()})

    def give_to(self, options: ort.SessionOptions) -> None:
        """Let a session that is opened with these options find them."""
        if self.values:
            options.add_external_initializers(list(self.values), list(self.values.values()))

    def tidy(self) -> None:
        """After the session was opened: give back what laying out the weights left in the allocator."""
        if sum(value.tensor_size_in_bytes() for value in self.values.values()) >= MUCH_BYTES:
            trim_heap()


def _is_plain(tensor: ir.TensorProtocol) -> bool:
    """Whether NumPy has the type; onnxruntime is told an array's type by its own."""
    return tensor.dtype in PLAIN and tensor.numpy().dtype == tensor.dtype.numpy()


def _without_values(tensor: ir.TensorProtocol, name: str) -> onnx.TensorProto:
    proto = onnx.TensorProto(name=name, data_type=int(tensor.dtype), data_location=onnx.TensorProto.EXTERNAL)
    proto.dims.extend(int(size) for size in tensor.shape)
    proto.external_data.add(key="location", value="given to the session")
    return proto


def _copied(tensor: ir.TensorProtocol, name: str) -> onnx.TensorProto:
    proto = ir.to_proto(tensor)
    proto.name = name
    return proto


def trim_heap() -> None:
    """Give back what is freed: glibc keeps it, here up to twice the weights; elsewhere there is nothing to do."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
