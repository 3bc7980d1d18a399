"""Models written as text, cleaned up, with their nodes named."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

from halfeven.interop import clean_up, read_model

F32 = np.float32
GRAPH = """g (float[N,3,6,6] x) => (float[N,5] y, float[N,4,4,4] s) {
    c = Conv (x, w, b)  r = Relu(c)  s = HardSigmoid(r)  m = Mul(r, s)  p = MaxPool <kernel_shape=[4,4]> (m)
    f = Flatten(p)  k = Add(f, a)  y = Gemm(k, v, z) }"""


def _arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    shapes = {"w": (4, 3, 3, 3), "b": (4,), "a": (1, 4), "v": (4, 5), "z": (5,)}
    return {name: rng.normal(size=shape).astype(F32) for name, shape in shapes.items()}


@pytest.fixture
def proto() -> onnx.ModelProto:
    """Conv_0, Relu_1, HardSigmoid_2, Mul_3, MaxPool_4, Flatten_5, Add_6 (which clean-up folds away), Gemm_7."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> {GRAPH}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(a, n) for n, a in _arrays().items())
    for k, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{k}"
    return model


@pytest.fixture
def model(proto: onnx.ModelProto) -> ir.Model:
    """The same, cleaned up."""
    return clean_up(read_model(proto)).model


@pytest.fixture
def data() -> np.ndarray:
    """Samples for it."""
    return np.random.default_rng(8).normal(size=(24, 3, 6, 6)).astype(F32)
