"""Files of ours in ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import halfeven
from halfeven.errors import ModelError
from halfeven.execute.float_part import open_session


def linear_of_three_axes() -> onnx.ModelProto:
    """MatMul + Add as PyTorch exports Linear, of a fixed shape: ONNX Runtime makes it Reshape, Gemm, Reshape."""
    model: onnx.ModelProto = onnx.parser.parse_model("""
      <ir_version: 10, opset_import: ["" : 21]>
      linear (float[1, 5, 16] x) => (float[1, 5, 8] y) { m = MatMul (x, w)  y = Add (m, b) }""")
    rng = np.random.default_rng(0)
    for name, shape in (("w", (16, 8)), ("b", (8,))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(0, 1, shape).astype(np.float32), name))
    return model


def test_signed_products_of_three_axes_open_and_give_the_same_bits() -> None:
    samples = [{"x": np.random.default_rng(k).normal(0, 1, (1, 5, 16)).astype(np.float32)} for k in range(8)]
    model = halfeven.quantize_model(linear_of_three_axes(), samples, profile="onnxruntime", activations="int8")
    for sample in samples:
        ours, theirs = (model.run(sample, backend=name)["y"] for name in ("native", "onnxruntime"))
        np.testing.assert_array_equal(ours, theirs)


def test_what_onnxruntime_refuses_either_way_says_why() -> None:
    with pytest.raises(ModelError, match=r"ONNX Runtime refuses the model: .*INVALID_PROTOBUF"):
        open_session(b"no model")
