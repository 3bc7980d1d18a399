"""One node in onnxruntime: build the model, run it, give back the array."""

from __future__ import annotations

import zlib
from typing import Any

import ml_dtypes
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import halfeven as he

ELEMENT = {
    "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "uint16": TensorProto.UINT16,
    "int32": TensorProto.INT32,
    "float32": TensorProto.FLOAT,
}
PACKED = {"int4": np.dtype(ml_dtypes.int4), "uint4": np.dtype(ml_dtypes.uint4)}


def generator(*key: object) -> np.random.Generator:
    """Random numbers that depend on the test's own parameters alone."""
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def as_tensor_type(a: NDArray[Any], qtype: he.QType) -> NDArray[Any]:
    """Codes in the type that a tensor of ``qtype`` has in a file."""
    return a.astype(PACKED.get(qtype.name, qtype.storage))


def run_node(
    op_type: str,
    inputs: dict[str, NDArray[Any]],
    constants: dict[str, NDArray[Any] | None],
    output: int,
    **attributes: Any,
) -> NDArray[Any]:
    """The output of a node whose inputs are ``inputs`` and then ``constants`` in order; None leaves one out.

    4-bit outputs are cast to int8 and uint8 in the graph: the runtime hands no 4-bit array to NumPy.
    """
    wide = {TensorProto.INT4: TensorProto.INT8, TensorProto.UINT4: TensorProto.UINT8}.get(output, output)
    names = [*inputs, *(name if a is not None else "" for name, a in constants.items())]
    nodes = [helper.make_node(op_type, names, ["result"], **attributes)]
    nodes.append(helper.make_node("Cast", ["result"], ["y"], to=wide))
    return run_graph(nodes, inputs, {n: a for n, a in constants.items() if a is not None}, wide)


def run_graph(
    nodes: list[Any],
    inputs: dict[str, NDArray[Any]],
    constants: dict[str, NDArray[Any]],
    output: int,
    *,
    fuse: bool = False,
) -> NDArray[Any]:
    """Output ``y`` of a graph, with the runtime's graph transformations or without."""
    values = [helper.make_tensor_value_info(n, ELEMENT[a.dtype.name], a.shape) for n, a in inputs.items()]
    stored = [numpy_helper.from_array(a, n) for n, a in constants.items()]
    graph = helper.make_graph(nodes, "one", values, [helper.make_tensor_value_info("y", output, None)], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if fuse else level.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], inputs)[0])
