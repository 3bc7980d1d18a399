"""Sessions of some nodes, whose weights are the model's own arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.testing import assert_array_equal

from halfeven.interop import read_model
from halfeven.ptq.pieces import Source
from halfeven.ptq.shared_weights import SharedWeights

RNG = np.random.default_rng(3)
W = RNG.integers(-8, 8, (64, 48)).astype(np.float32)
TEXT = "g (float[N,64] x) => (float[N,48] y) { t = MatMul(x, w)  u = Add(t, b)  y = Relu(u) }"
B = RNG.integers(-8, 8, 48).astype(np.float32)


def proto() -> onnx.ModelProto:
    model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["" : 21]> ' + TEXT)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(a, n) for a, n in ((W, "w"), (B, "b")))
    return model


@pytest.mark.parametrize("form", [proto, lambda: read_model(proto())])
def test_a_piece_computes_with_the_models_weights(form: Callable[[], onnx.ModelProto | ir.Model]) -> None:
    source = Source(form())
    piece = source.open(source.nodes, ["y"])
    x = RNG.integers(-4, 4, (3, 64)).astype(np.float32)
    assert (piece.inputs, [*piece.weights.values]) == (("x",), ["w"])
    assert_array_equal(piece.run({"x": x})["y"], np.maximum(x @ W + B, 0))
    changed = source.with_constants({"w": -W}).open(source.nodes[:1], ["t"])
    assert_array_equal(changed.run({"x": x})["t"], x @ -W)
    assert_array_equal(piece.run({"x": x})["y"], np.maximum(x @ W + B, 0))


def test_taking_pieces_leaves_the_model_as_it_is() -> None:
    model = read_model(proto())
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    Source(model)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


def test_a_models_arrays_are_not_copied() -> None:
    tensor = read_model(proto()).graph.initializers["w"].const_value
    assert tensor is not None
    shared = SharedWeights.of({"w": tensor}).values["w"]
    assert shared.data_ptr() == tensor.numpy().ctypes.data


@pytest.mark.parametrize(
    "tensor",
    [
        ir.tensor(np.zeros(4, np.float32), name="other"),
        ir.Tensor(np.arange(4000, dtype=np.uint16), ir.DataType.BFLOAT16, name="other"),
        ir.StringTensor([b"a" * 2000] * 3, shape=ir.Shape([3]), name="other"),
    ],
    ids=["small", "bfloat16", "strings"],
)
def test_the_others_are_copied_under_the_name_that_is_asked_for(tensor: ir.TensorProtocol) -> None:
    weights = SharedWeights.of({"w": tensor})
    (copied,) = weights.initializers
    assert (copied.name, dict(weights.values)) == ("w", {})
    assert copied.data_location == onnx.TensorProto.DEFAULT
    assert ir.from_proto(copied).numpy().tolist() == ir.from_proto(ir.to_proto(tensor)).numpy().tolist()
