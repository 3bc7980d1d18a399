"""Small float models, in the text form of the onnx package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

CNN = """
<ir_version: 8, opset_import: ["" : 17]>
cnn (float[N, 3, 12, 12] image) => (float[N, 5] score) {
  c1 = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (image, w1, b1)
  n1 = BatchNormalization (c1, gamma, beta, mean, var)
  a1 = Relu (n1)
  c2 = Conv <group = 8, pads = [1, 1, 1, 1]> (a1, w2)
  a2 = HardSwish (c2)
  s = Add (a1, a2)
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (s)
  g = GlobalAveragePool (p)
  f = Flatten (g)
  d = Gemm <transB = 1> (f, w3, b3)
  score = Softmax <axis = -1> (d)
}
"""

NOT_INTEGER = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 4] x) => (float[N, 4] y) {
  a = MatMul (x, w)
  b = CumSum (a, one)
  y = Relu (b)
}
"""


def _with(text: str, arrays: dict[str, np.ndarray]) -> onnx.ModelProto:
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in arrays.items())
    onnx.checker.check_model(model)
    return model


def cnn(seed: int = 0) -> onnx.ModelProto:
    """Convolutions, BatchNormalization, depthwise, HardSwish, a residual, pools, Gemm, Softmax."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, scale: float = 0.3) -> np.ndarray:
        return rng.normal(0, scale, shape).astype(np.float32)

    arrays = {
        "w1": normal(8, 3, 3, 3),
        "b1": normal(8),
        "gamma": 1 + normal(8, scale=0.1),
        "beta": normal(8),
        "mean": normal(8),
        "var": rng.uniform(0.5, 2, 8).astype(np.float32),
        "w2": normal(8, 1, 3, 3),
        "w3": normal(5, 8, scale=1.0),
        "b3": normal(5),
    }
    return _with(CNN, arrays)


def not_integer() -> onnx.ModelProto:
    """A model of which one operator has no integer form."""
    w = np.random.default_rng(1).normal(0, 1, (4, 4)).astype(np.float32)
    return _with(NOT_INTEGER, {"w": w, "one": np.array(1, np.int64)})


def images(count: int, seed: int = 1) -> np.ndarray:
    """Inputs of :func:`cnn`, (count, 3, 12, 12)."""
    return np.random.default_rng(seed).normal(0, 1, (count, 3, 12, 12)).astype(np.float32)


def saved(model: onnx.ModelProto, path: Path) -> Path:
    """Write a model and return its path."""
    onnx.save(model, path)
    return path
