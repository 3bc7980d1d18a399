"""Models written as text, in ONNX's own notation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

from halfeven.interop import clean_up, read_model

Build = Callable[..., onnx.ModelProto]


def _build(graph: str, opset: int = 21, **constants: np.ndarray) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> {graph}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items())
    return model


@pytest.fixture
def build() -> Build:
    """``build("g (float[N,3] x) => (float[N,2] y) { y = Gemm(x, w) }", w=array)`` -> ModelProto."""
    return _build


@pytest.fixture
def cleaned() -> Callable[..., ir.Model]:
    """The same, read and cleaned up: what placement is given."""

    def make(graph: str, opset: int = 21, **constants: np.ndarray) -> ir.Model:
        return clean_up(read_model(_build(graph, opset, **constants))).model

    return make
