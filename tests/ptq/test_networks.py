"""Networks of many operators: nothing stays in float32, backends agree, the answer is near the float one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from backends import installed
from onnx import numpy_helper

import halfeven
from halfeven.execute.float_part import open_session, run_session

RNG = np.random.default_rng(3)

SEGMENTATION = """
net (float[N, 3, 16, 16] x) => (float[N, 1, 32, 32] y) {
  a = Conv <pads = [1,1,1,1], strides = [2,2]> (x, w0, b0)
  s = Sigmoid (a)
  h = Mul (a, s)
  i = InstanceNormalization (h, g0, o0)
  u = ConvTranspose <strides = [2,2]> (i, t0, o0)
  r = Relu (u)
  z = Resize <mode = "linear"> (r, , scales)
  m = Conv <pads = [1,1,1,1]> (z, w1)
  y = Sigmoid (m)
}"""
DETECTION = """
net (float[N, 3, 16, 16] x) => (float[N, 4] y, float[N, 8, 1, 1] top) {
  a = Conv <pads = [1,1,1,1]> (x, w0, b0)
  p = PRelu (a, p0)
  k = Max (p, a)
  d = Div (k, p1)
  top = GlobalMaxPool (d)
  q = ReduceSum <keepdims = 0> (d, axes)
  y = Gemm (q, f0, c0)
}"""
TRANSFORMER = """
net (float[N, 12, 8] x) => (float[N, 12, 8] y) {
  n = LayerNormalization <axis = -1> (x, g0, o0)
  q = MatMul (n, m0)
  k = MatMul (n, m1)
  kt = Transpose <perm = [0, 2, 1]> (k)
  e = MatMul (q, kt)
  f = Div (e, root)
  w = Softmax <axis = -1> (f)
  v = MatMul (w, n)
  a = Add (x, v)
  l = LayerNormalization <axis = -1> (a, g1)
  h = MatMul (l, m2)
  c = Gelu (h)
  o = MatMul (c, m3)
  y = Add (a, o)
}"""
SHAPES = {
    "w0": (8, 3, 3, 3), "b0": (8,), "g0": (8,), "o0": (8,), "t0": (8, 8, 2, 2), "w1": (1, 8, 3, 3), "p0": (8, 1, 1),
    "f0": (8, 4), "c0": (4,), "m0": (8, 8), "m1": (8, 8), "m2": (8, 16), "m3": (16, 8), "g1": (8,),
}  # fmt: skip
CONSTANTS = {
    "scales": np.array([1, 1, 2, 2], np.float32),
    "axes": np.array([2, 3]),
    "root": np.array(8**0.5, np.float32),
    "p1": np.linspace(0.5, 2, 8, dtype=np.float32).reshape(8, 1, 1),
}


def network(text: str) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 20]>\n{text}')
    arrays = {n: (RNG.normal(size=s) / np.sqrt(s[-1] + 4)).astype(np.float32) for n, s in SHAPES.items()} | CONSTANTS
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in arrays.items() if n in used)
    return model


LEAST_DECIBELS = {"int8": 22, "uint8": 24, "int16": 35}


def decibels(real: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10((real**2).sum() / ((real - found) ** 2).sum()))


@pytest.mark.parametrize("activations", ["int8", "uint8", "int16"])
@pytest.mark.parametrize(
    "text", [SEGMENTATION, DETECTION, TRANSFORMER], ids=["segmentation", "detection", "transformer"]
)
def test_nothing_stays_in_float(text: str, activations: str) -> None:
    model = network(text)
    shape = (4, 12, 8) if text == TRANSFORMER else (4, 3, 16, 16)
    x = RNG.normal(size=shape).astype(np.float32)
    quantized = halfeven.quantize_model(model, {"x": x}, activations=activations)
    assert [(p.operator, p.reason) for p in quantized.program.float_parts] == []
    found, *others = [quantized.run({"x": x}, backend=b.name) for b in installed()]
    for output, expected in run_session(open_session(model.SerializeToString()), {"x": x}).items():
        for other in others:
            np.testing.assert_array_equal(other[output], found[output])
        assert decibels(expected, found[output]) > LEAST_DECIBELS[activations]
