"""Other tools' weights with one scale a block: scales that are multiples of nothing, zero points, a short block."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import halfeven as he
from halfeven.ir.instructions import Dequantize, Linear

GRAPH = """
<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 70] x) => (float[N, 9] y) {
  xq = QuantizeLinear (x, sx, zx)
  xd = DequantizeLinear (xq, sx, zx)
  wd = DequantizeLinear <axis = 0, block_size = 32> (w, sw, zw)
  m = MatMul (xd, wd)
  yq = QuantizeLinear (m, sy, zy)
  y = DequantizeLinear (yq, sy, zy)
}
"""
OPEN = GRAPH.replace("  yq = QuantizeLinear (m, sy, zy)\n  y = DequantizeLinear (yq, sy, zy)\n", "").replace(
    "m = ", "y = "
)
RNG = np.random.default_rng(2)
SCALE = RNG.uniform(0.01, 0.1, (3, 9)).astype(np.float32)


def model(text: str, kind: str) -> tuple[onnx.ModelProto, np.ndarray]:
    low, high = (0, 15) if "u" in kind else (-8, 7)
    dtype = np.int8 if kind == "int8" else getattr(ml_dtypes, kind)
    codes = RNG.integers(low, high + 1, (70, 9)) if kind != "int8" else RNG.integers(-128, 128, (70, 9))
    zero = RNG.integers(low, high + 1, (3, 9)) if "u" in kind else np.zeros((3, 9), int)
    arrays = {
        "sx": np.float32(0.02), "zx": np.int8(3), "sy": np.float32(0.1), "zy": np.int8(-2),
        "sw": SCALE, "w": codes.astype(dtype), "zw": zero.astype(dtype),
    }  # fmt: skip
    made = onnx.parser.parse_model(text)
    used = {name for node in made.graph.node for name in node.input}
    made.graph.initializer.extend(numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items() if n in used)
    real = (codes - np.repeat(zero, 32, axis=0)[:70]) * np.repeat(SCALE, 32, axis=0)[:70].astype(np.float64)
    return made, real


@pytest.mark.parametrize("profile", ["journey6", "onnxruntime"])
@pytest.mark.parametrize("kind", ["int4", "uint4"])
def test_every_backend_computes_the_product_within_the_stated_error(kind: str, profile: str) -> None:
    made, real = model(GRAPH, kind)
    loaded = he.load(made, profile)
    (layer,) = [i for i in loaded.program if isinstance(i, Linear)]
    assert layer.weight.dtype == np.int16
    x = RNG.normal(size=(50, 70)).astype(np.float32)
    found = loaded.run({"x": x}, backend="reference")["y"]
    for backend in ("native", "torch"):
        np.testing.assert_array_equal(loaded.run({"x": x}, backend=backend)["y"], found)
    params = he.AffineParams(0.02, 3)
    codes = he.dequantize(he.quantize(x, params, profile), params).astype(np.float64)
    exact = np.clip(codes @ real, -12.6, 12.9)
    slack = np.abs(codes).sum(axis=1, keepdims=True) * SCALE.max(axis=0) * 2.0**-8
    assert (np.abs(found - exact) <= 0.05 + slack + 1e-5).all()


def test_a_product_that_is_read_as_floats() -> None:
    made, real = model(OPEN, "int4")
    loaded = he.load(made)
    assert any(isinstance(i, Dequantize) for i in loaded.program)
    x = RNG.normal(size=(6, 70)).astype(np.float32)
    found = loaded.run({"x": x}, backend="reference")["y"]
    np.testing.assert_array_equal(loaded.run({"x": x})["y"], found)
    params = he.AffineParams(0.02, 3)
    codes = he.dequantize(he.quantize(x, params, "onnxruntime"), params).astype(np.float64)
    assert np.abs(found - codes @ real).max() < 0.02


def test_eight_bits_that_do_not_fit_stay_in_float() -> None:
    made, _ = model(GRAPH, "int8")
    loaded = he.load(made)
    assert "too wide for 16 bits" in loaded.program.float_parts[0].reason
    x = RNG.normal(size=(6, 70)).astype(np.float32)
    np.testing.assert_array_equal(loaded.run({"x": x})["y"], loaded.run({"x": x}, backend="reference")["y"])
