"""Second-order rounding of whole models: what it changes, what it leaves, and what the integer program makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import small_models

import halfeven as he
from halfeven.errors import ParameterError
from halfeven.interop import to_bytes
from halfeven.ptq.algorithms import second_order
from halfeven.ptq.algorithms.second_order import SecondOrderRounding
from halfeven.ptq.algorithms.weight_matrix import WeightMatrix, weight_matrix
from halfeven.ptq.quantize import quantize
from halfeven.ptq.rounding.columns import spread_evenly

Build = Callable[..., onnx.ModelProto]
RNG = np.random.default_rng(17)
CONVOLUTIONS = """
net (float[N, 6, 11, 9] x) => (float[N, 4] y) {
  a = Conv <strides = [2, 1], pads = [1, 0, 1, 2], kernel_shape = [3, 3]> (x, w0, b0)
  r = Relu (a)
  d = Conv <group = 8, dilations = [2, 2], pads = [2, 2, 2, 2]> (r, w1)
  e = Conv <group = 2, auto_pad = "SAME_UPPER", strides = [2, 2]> (d, w2, b2)
  q = Relu (e)
  u = ConvTranspose <strides = [2, 2]> (q, w3)
  g = GlobalAveragePool (u)
  f = Flatten (g)
  m = MatMul (f, w4)
  t = Relu (m)
  y = Gemm <transB = 1> (t, w5, b5)
}"""
SHAPES = {
    "w0": (8, 6, 3, 3), "b0": (8,), "w1": (8, 1, 3, 3), "w2": (6, 4, 2, 3), "b2": (6,), "w3": (6, 5, 2, 2),
    "w4": (5, 7), "w5": (4, 7), "b5": (4,),
}  # fmt: skip


def network(build: Build) -> tuple[onnx.ModelProto, np.ndarray]:
    rng = np.random.default_rng(3)
    arrays = {
        n: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]) if len(s) > 1 else 4)).astype(np.float32)
        for n, s in SHAPES.items()
    }
    mix = rng.normal(size=(6, 6))
    x = np.einsum("nchw,dc->ndhw", rng.normal(size=(48, 6, 11, 9)), mix) + 1
    return build(CONVOLUTIONS, **arrays), x.astype(np.float32)


def error(model: Any, made: he.QuantizedModel, x: np.ndarray) -> float:
    session = ort.InferenceSession(model.SerializeToString())
    (name,) = [i.name for i in session.get_inputs()]
    f, q = session.run(None, {name: x})[0], next(iter(made.run({name: x}).values()))
    return float(np.square(f - q).sum() / np.square(f).sum())


@pytest.mark.parametrize("weights", ["int4", "int8"])
def test_the_program_comes_nearer_on_other_samples(build: Build, weights: str) -> None:
    model, x = network(build)
    plain = he.quantize_model(model, x[:32], weights=weights, activations="int16", algorithms=())
    rounded = he.quantize_model(model, x[:32], weights=weights, activations="int16", algorithms="second-order-rounding")
    assert error(model, rounded, x[32:]) < 0.7 * error(model, plain, x[32:])
    (report,) = rounded.ptq.algorithms
    assert {change.node for change in report.changes} == {"a", "d", "e", "m", "y"}
    assert len(report.left) == 1
    assert report.left[0].endswith("a transposed convolution keeps the nearest codes")
    assert all(change.after < change.before for change in report.changes)
    assert report.after < report.before
    codes = {n: rounded.run({"x": x[:3]}, backend=n)["y"] for n in ("native", "reference", "torch")}
    np.testing.assert_array_equal(codes["native"], codes["reference"])
    np.testing.assert_array_equal(codes["native"], codes["torch"])


def test_every_product_gets_the_bias_that_its_codes_need(build: Build) -> None:
    model, x = network(build)
    draft = quantize(model, x[:16], weights="int4", algorithms=()).draft
    samples = [{"x": a[None]} for a in x[:16]]
    refined = SecondOrderRounding().round_weights(draft, samples, lambda: None)
    assert {product.node for product in refined.draft.biases} == {"a", "d", "e", "m", "y"}
    assert set(refined.draft.weights) <= set(draft.placement.products)


def test_a_channel_whose_bias_fits_no_other_codes_keeps_its_own(build: Build) -> None:
    # with 16-bit inputs the bias sets the scale of channel 0, whose weights are nearly nothing
    model, x = network(build)
    arrays = {i.name: onnx.numpy_helper.to_array(i).copy() for i in model.graph.initializer}
    arrays["w0"][0] *= 1e-7
    arrays["b0"][0] = 3
    model = build(CONVOLUTIONS, **arrays)
    plain = quantize(model, x[:32], activations="int16", algorithms=())
    assert {w.node: w.channels for w in plain.draft.constants.widened} == {"a": 1}
    found = SecondOrderRounding(samples=24).round_weights(
        plain.draft, [{"x": one[None]} for one in x[:24]], lambda: None
    )
    assert found.changes[0].node == "a"
    (product,) = [p for p in plain.placement.products if p.node == "a"]
    old, new = (draft.constants.weights[product] for draft in (plain.draft, found.draft))
    assert new.params.scale[0] == old.params.scale[0]
    assert (new.params.scale[1:] != old.params.scale[1:]).any()
    np.testing.assert_array_equal(new.codes[0], old.codes[0])
    assert (new.codes[1:] != old.codes[1:]).any()
    assert found.draft.biases[product][0] == np.float32(3)


def test_the_same_file_twice_and_codes_in_range(build: Build) -> None:
    model, x = network(build)
    made = [quantize(model, x[:20], weights="int4", algorithms=[SecondOrderRounding(samples=10)]) for _ in range(2)]
    assert to_bytes(made[0].model) == to_bytes(made[1].model)
    for weight in made[0].draft.weights.values():
        assert weight.codes.dtype == np.int8
        assert -8 <= weight.codes.min() <= weight.codes.max() <= 7


def test_one_sample_and_a_fixed_damping() -> None:
    model, x = small_models.cnn(), small_models.images(1)
    draft = quantize(model, x, weights="int4", algorithms=()).draft
    made = SecondOrderRounding(damping=0.1).round_weights(draft, [{"image": x}], lambda: None)
    assert made.changes
    assert all("damping 0.1" in change.what for change in made.changes)


def test_a_weight_that_two_products_read_keeps_its_codes(build: Build) -> None:
    w = RNG.normal(size=(4, 4)).astype(np.float32)
    model = build("g (float[N,4] x) => (float[N,4] y) { a = MatMul(x, w)  r = Relu(a)  y = MatMul(r, w) }", w=w)
    made = quantize(
        model, RNG.normal(size=(20, 4)).astype(np.float32), weights="int4", algorithms="second-order-rounding"
    )
    assert not made.algorithms[0].changes
    assert all("read by more than one product" in line for line in made.algorithms[0].left)


def test_exact_weights_are_left(build: Build) -> None:
    w = (np.array([[1, -8], [-8, 3]]) / 8).astype(np.float32)
    model = build("g (float[N,2] x) => (float[N,2] y) { y = MatMul(x, w) }", w=w)
    x = RNG.integers(-128, 128, (30, 2)).astype(np.float32)
    x[0] = -128  # the scale is 1
    made = quantize(
        model,
        x,
        weights="int8",
        method="max",
        algorithms="second-order-rounding",
    )
    assert "bring its result no nearer" in made.algorithms[0].left[0]


@pytest.mark.parametrize("kind", ["conv", "depthwise", "grouped", "gemm", "matmul"])
def test_rows_times_the_matrix_is_the_product(build: Build, kind: str) -> None:
    model, x = network(build)
    draft = quantize(model, x[:2], algorithms=()).draft
    name = {"conv": "a", "depthwise": "d", "grouped": "e", "gemm": "y", "matmul": "m"}[kind]
    product = next(p for p in draft.placement.products if p.node == name)
    matrix = weight_matrix(draft, product)
    assert isinstance(matrix, WeightMatrix)
    weight = draft.arrays[product.weight].astype(np.float64)
    np.testing.assert_array_equal(matrix.array(matrix.matrix(weight)), weight)
    graph = onnx.helper.make_graph(
        [replace_input(n) for n in model.graph.node if n.name == name or n.output[0] == name],
        "one",
        [onnx.helper.make_tensor_value_info("in", 1, None)],
        [onnx.helper.make_tensor_value_info(name, 1, None)],
        [t for t in model.graph.initializer if t.name == product.weight],
    )
    one = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    inputs = {
        "conv": (2, 6, 11, 9),
        "depthwise": (2, 8, 6, 9),
        "grouped": (2, 8, 6, 9),
        "gemm": (3, 7),
        "matmul": (3, 5),
    }
    a = RNG.normal(size=inputs[kind]).astype(np.float32)
    expected = ort.InferenceSession(one.SerializeToString()).run(None, {"in": a})[0]
    found = matrix.rows(a.astype(np.float64)) @ matrix.matrix(weight).swapaxes(-1, -2)
    if a.ndim > 2:
        n, channels, *_ = expected.shape
        found = found.reshape(matrix.group, n, -1, channels // matrix.group).transpose(1, 0, 3, 2)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
    assert matrix.row_count(a) == matrix.rows(a).shape[1]
    chosen = np.array([0, matrix.row_count(a) - 1])
    np.testing.assert_array_equal(matrix.rows(a, chosen), matrix.rows(a)[:, chosen])


def test_places_are_spread_evenly() -> None:
    assert spread_evenly(10, 20, 3).tolist() == list(range(10))
    assert spread_evenly(100, 4, 10).tolist() == [10, 35, 60, 85]
    assert spread_evenly(100, 4, 90).tolist() == [15, 40, 65, 90]
    assert spread_evenly(0, 4, 0).tolist() == []


def test_a_part_of_the_rows_is_enough(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = network(build)
    whole = he.quantize_model(model, x[:32], weights="int4", algorithms="second-order-rounding")
    monkeypatch.setattr(second_order, "MOST_ROWS", 300)
    monkeypatch.setattr(second_order, "GATHERED", 100)
    part = he.quantize_model(model, x[:32], weights="int4", algorithms="second-order-rounding")
    assert error(model, part, x[32:]) < 1.3 * error(model, whole, x[32:])


def replace_input(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.input[:]
    copy.input.extend(["in", node.input[1]])
    return copy


def test_a_layer_too_wide_for_its_moments_is_left(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_order, "MOST_MOMENTS", 5 * 5)
    model, x = network(build)
    made = quantize(model, x[:8], weights="int4", algorithms="second-order-rounding").algorithms[0]
    assert {change.node for change in made.changes} <= {"m"}  # 5 inputs
    assert sum("more than 25" in line for line in made.left) == 4


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"damping": 0.0}, {"damping": -1.0}, {"damping": float("nan")}])
def test_options_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="second-order-rounding: samples of at least 1"):
        SecondOrderRounding(**wrong)


def test_options_are_values() -> None:
    assert replace(SecondOrderRounding(), samples=3) == SecondOrderRounding(samples=3)
    assert SecondOrderRounding.name == "second-order-rounding"
