"""Models as text, quantized, with constants changed afterwards: defects that a report must name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

import halfeven as he
from halfeven.interop import to_bytes

Change = Callable[[np.ndarray], np.ndarray]


def build(graph: str, opset: int = 21, **constants: np.ndarray) -> onnx.ModelProto:
    """``build("g (float[N,3] x) => (float[N,2] y) { y = Gemm(x, w) }", w=array)``."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> {graph}')
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items())
    return model


def changed(model: he.QuantizedModel, changes: Mapping[str, Change]) -> he.QuantizedModel:
    """The model with constants of its QDQ graph changed, by name."""
    proto = onnx.load_from_string(to_bytes(model._graph))
    for tensor in proto.graph.initializer:
        if tensor.name in changes:
            old = numpy_helper.to_array(tensor)
            new = np.asarray(changes[tensor.name](old)).astype(old.dtype).reshape(old.shape)
            tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))
    return he.load(proto, profile="journey6")


def times(factor: float) -> Change:
    """Make a constant ``factor`` times as large."""
    return lambda a: a * factor
