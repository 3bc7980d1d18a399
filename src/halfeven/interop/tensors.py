"""Whether the tensors of a file hold what they declare, before anything trusts their shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx import TensorProto

from halfeven.interop.lines import model_error

TYPED_FIELDS = {
    TensorProto.FLOAT: "float_data",
    TensorProto.COMPLEX64: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.COMPLEX128: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
    TensorProto.STRING: "string_data",
}  # every other type is kept in int32_data


@dataclass(frozen=True)
class Place:
    """A tensor and the words that say where it stands."""

    tensor: TensorProto
    where: str
    node: str | None


def check_tensors(model: onnx.ModelProto, source: str, base_dir: Path | None) -> None:
    """Check that every tensor holds exactly the bytes that its type and shape declare.

    ``base_dir`` is the folder of external data; None means that there is none to look in.

    Raises
    ------
    ModelError
        Naming the first tensor that does not.
    """
    for place in _tensors(model):
        problem = _problem(place.tensor, base_dir)
        if problem:
            raise model_error(f"{source}: {place.where} {problem}", source=source, node=place.node)


def _tensors(model: onnx.ModelProto) -> Iterator[Place]:
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _node_tensors(node)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[Place]:
    for tensor in graph.initializer:
        yield Place(tensor, f"initializer '{tensor.name}'", None)
    for node in graph.node:
        yield from _node_tensors(node)


def _node_tensors(node: onnx.NodeProto) -> Iterator[Place]:
    name = node.name or next(iter(node.output), "")
    for attribute in node.attribute:
        for tensor in ([attribute.t] if attribute.HasField("t") else []) + list(attribute.tensors):
            yield Place(tensor, f"node '{name}' ({node.op_type}): the tensor in attribute '{attribute.name}'", name)
        for graph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            yield from _graph_tensors(graph)


def _problem(tensor: TensorProto, base_dir: Path | None) -> str | None:
    try:
        dtype = ir.DataType(tensor.data_type)
    except ValueError:
        return f"has the unknown data type {tensor.data_type}: export it again with a type of the ONNX standard"
    if dtype is ir.DataType.UNDEFINED:
        return "has no data type: export the model again"
    if any(d < 0 for d in tensor.dims):
        return f"has the shape {list(tensor.dims)}: dimensions of a constant cannot be negative"
    if tensor.data_location == TensorProto.EXTERNAL:
        return _external_problem(tensor, dtype, base_dir)
    return _embedded_problem(tensor, dtype)


def byte_count(dims: list[int], dtype: ir.DataType) -> int:
    """Bytes of a tensor in a file, sub-byte types packed."""
    bits = round(float(dtype.itemsize) * 8)
    return -(-math.prod(dims) * bits // 8)


def _embedded_problem(tensor: TensorProto, dtype: ir.DataType) -> str | None:
    declared = f"declares shape {list(tensor.dims)} of {dtype.name}"
    if tensor.HasField("raw_data"):
        expected, found = byte_count(list(tensor.dims), dtype), len(tensor.raw_data)
        unit = "bytes"
    else:
        field = TYPED_FIELDS.get(tensor.data_type, "int32_data")
        expected, found = _element_count(list(tensor.dims), dtype), len(getattr(tensor, field))
        unit = "values"
    if expected != found:
        return f"{declared}, which is {expected} {unit}, but holds {found}: the file is damaged, export it again"
    return None


def _element_count(dims: list[int], dtype: ir.DataType) -> int:
    if dtype in (ir.DataType.COMPLEX64, ir.DataType.COMPLEX128):
        return 2 * math.prod(dims)
    if dtype is ir.DataType.STRING:
        return math.prod(dims)
    return byte_count(dims, dtype) if dtype.itemsize < 1 else math.prod(dims)


def _external_problem(tensor: TensorProto, dtype: ir.DataType, base_dir: Path | None) -> str | None:
    info = {entry.key: entry.value for entry in tensor.external_data}
    location = info.get("location", "")
    if base_dir is None:
        return f"is kept in the file '{location}', and a model in memory has no folder: pass the path of the .onnx file"
    file = base_dir / location
    if not location or not file.resolve().is_relative_to(base_dir.resolve()):
        return f"is kept in '{location}', outside the model's own folder {base_dir}: copy the file beside the model"
    if not file.is_file():
        return f"is kept in the external data file {file}, which does not exist: copy it beside the model"
    if file.stat().st_nlink > 1:  # onnx and onnx_ir refuse to follow these
        return f"is kept in {file}, which has several hard links: make it a copy of its own"
    if not _is_inside(info, byte_count(list(tensor.dims), dtype), file.stat().st_size):
        return (
            f"declares shape {list(tensor.dims)} of {dtype.name}, and {file} does not hold so many bytes at its place: "
            "copy the whole file again"
        )
    return None


def _is_inside(info: dict[str, str], expected: int, size: int) -> bool:
    try:
        offset, length = int(info.get("offset", "0")), int(info.get("length", str(expected)))
    except ValueError:
        return False
    return length == expected and 0 <= offset <= size - expected
