"""Small ONNX models for tests, and onnxruntime without its optimizations to run them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from halfeven.interop import CleanUp, check_equal, clean_up, read_model, to_bytes

Array = NDArray[Any]
Shape = Sequence[int | str | None] | None
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def node(op_type: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """``node("Add", "x y", "z")``; "-" is an input left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op_type, names, outputs.split(), **attributes)


def port(name: str, shape: Shape, dtype: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def graph(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
    constants: Mapping[str, Array] | None = None,
) -> onnx.GraphProto:
    initializers = [numpy_helper.from_array(np.asarray(a), name) for name, a in (constants or {}).items()]
    ports = [[port(name, shape) for name, shape in side.items()] for side in (inputs, outputs)]
    return helper.make_graph(list(nodes), "g", ports[0], ports[1], initializers)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
    constants: Mapping[str, Array] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", opset)]
    ir_version = 10 if opset >= 21 else 8
    return helper.make_model(graph(nodes, inputs, outputs, constants), opset_imports=opsets, ir_version=ir_version)


def run(proto: onnx.ModelProto | ir.Model, feed: Mapping[str, Array]) -> list[Array]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    data = proto.SerializeToString() if isinstance(proto, onnx.ModelProto) else to_bytes(proto)
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return [np.asarray(y) for y in session.run(None, dict(feed))]


def cleaned(proto: onnx.ModelProto) -> CleanUp:
    return clean_up(read_model(proto))


def ops(found: ir.Model) -> dict[str, int]:
    return dict(Counter(n.op_type for n in found.graph))


def assert_equal(proto: onnx.ModelProto, found: ir.Model, *feeds: Mapping[str, Array], tolerance: float = 1e-5) -> None:
    """Same outputs in onnxruntime within ``tolerance``, and a file that the full checker accepts."""
    onnx.checker.check_model(onnx.load_from_string(to_bytes(found)), full_check=True)
    equality = check_equal(proto, found, feeds, tolerance)
    assert equality.samples == len(feeds) > 0
    assert equality.max_relative <= tolerance, str(equality)


def reals(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
