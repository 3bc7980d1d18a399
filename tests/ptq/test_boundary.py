"""Inputs and outputs as floats, as codes, and without codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import small_models
from numpy.testing import assert_array_equal

import halfeven as he
from halfeven.errors import DataError, ModelError, ParameterError
from halfeven.interop import to_bytes

Build = Callable[..., onnx.ModelProto]
RNG = np.random.default_rng(3)
X = RNG.normal(size=(24, 4)).astype(np.float32)
TWO = "g (float[N,4] x, int64[N] k) => (float[N,3] y, float[N,4] e) { m = MatMul(x, w)  y = Relu(m)  e = Gather(t, k) }"


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(0, 0.5, shape).astype(np.float32)


def every_backend(model: he.QuantizedModel, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs, the same from all."""
    found = model.run(feeds)
    for backend in ("reference", "torch"):
        if backend == "torch":
            pytest.importorskip("torch", reason="the torch backend needs PyTorch")
        for name, got in model.run(feeds, backend=backend).items():
            assert got.dtype == found[name].dtype
            assert_array_equal(got, found[name])
    return found


@pytest.mark.parametrize("activations", ["int8", "uint8", "int16", "uint16"])
def test_codes_at_the_boundary_are_those_that_were_inside(activations: str) -> None:
    model, data = small_models.cnn(), small_models.images(16)
    real = he.quantize_model(model, data, activations=activations, method="max")
    made = he.quantize_model(model, data, activations=activations, method="max", boundary="codes")
    (x,), (y,) = made.inputs, made.outputs
    assert (x.dtype, y.dtype) == (np.dtype(activations), np.dtype(activations))
    assert (x.params, y.params) == (real.inputs[0].params, real.outputs[0].params)
    feeds = {"image": he.quantize(data[:5], x.params)}
    found = every_backend(made, feeds)["score"]
    assert_array_equal(found, real.run_codes(feeds)["score"])
    assert_array_equal(found, made.run_codes(feeds)["score"])
    assert_array_equal(found, he.load(onnx.load_from_string(to_bytes(made._graph))).run(feeds)["score"])
    onnxruntime = made.run(feeds, backend="onnxruntime")["score"]  # its Softmax is a float one
    assert np.abs(onnxruntime.astype(int) - found.astype(int)).max() <= (1 if activations.endswith("8") else 40)
    assert not {type(i).__name__ for i in made.program} & {"Quantize", "Dequantize"}


def test_a_boundary_can_be_changed_afterwards_and_back() -> None:
    model, data = small_models.cnn(), small_models.images(16)
    real = he.quantize_model(model, data, method="max")
    codes = real.with_boundary("codes")
    assert str(codes.program) == str(he.quantize_model(model, data, method="max", boundary="codes").program)
    back = codes.with_boundary("float")
    assert_array_equal(back.run({"image": data[:3]})["score"], real.run({"image": data[:3]})["score"])
    assert str(codes.with_boundary("codes").program) == str(codes.program)


def test_a_boundary_can_be_changed_by_name() -> None:
    model, data = small_models.cnn(), small_models.images(16)
    real = he.quantize_model(model, data, method="max")
    for named in ({"image": "codes"}, {"score": "codes"}, {"image": "codes", "score": "float"}):
        made = real.with_boundary(named)
        assert {p.name: p.takes_codes for p in (*made.inputs, *made.outputs)} == {
            name: named.get(name) == "codes" for name in ("image", "score")
        }
        assert str(made.program) == str(he.quantize_model(model, data, method="max", boundary=named).program)
        assert real.with_boundary("float").inputs == real.inputs  # which is as it was
    mixed = real.with_boundary("codes").with_boundary({"score": "float"})  # the input stays as it is
    assert (mixed.inputs[0].takes_codes, mixed.outputs[0].takes_codes) == (True, False)
    feeds = {"image": he.quantize(data[:3], mixed.inputs[0].params)}
    assert_array_equal(mixed.run(feeds)["score"], real.run({"image": data[:3]})["score"])


@pytest.mark.parametrize(
    ("boundary", "match"),
    [
        ("int8", "no form is named 'int8': one of float, codes, unquantized"),
        ({"image": "int8"}, "no form is named 'int8'"),
        ({0: "codes"}, "no input or output '0': inputs are image, outputs score"),
        ({"imag": "codes"}, "no input or output 'imag': 'image' is near it"),
        ("unquantized", "'unquantized' is chosen before scales are: quantize the float model with it"),
        ({"score": "unquantized"}, "'unquantized' is chosen before scales are"),
    ],
)
def test_a_boundary_that_cannot_be_is_one_line(boundary: object, match: str) -> None:
    made = he.quantize_model(small_models.cnn(), small_models.images(8), method="max", algorithms=())
    with pytest.raises(ParameterError, match=match) as caught:
        made.with_boundary(boundary)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_values_given_for_codes_are_refused_and_the_remedy_named() -> None:
    made = he.quantize_model(small_models.cnn(), small_models.images(8), method="max", boundary="codes")
    remedy = r"with_boundary\('float'\), or 'halfeven run --float', takes"
    params = r"quantize\(\) with the input's params, AffineParams\(scale=.*, makes them of values"
    with pytest.raises(DataError, match=rf"'image' takes codes of int8, not float32: {params}; {remedy}"):
        made.run({"image": small_models.images(1)})
    with pytest.raises(DataError, match=r"'image' takes codes of int8, not float32: quantize\(\) with"):
        made.with_boundary("float").run_codes({"image": small_models.images(1)})
    with pytest.raises(DataError, match=r"'image' takes codes of int8, not int32$"):
        made.run({"image": np.zeros((1, 3, 12, 12), np.int32)})


def test_what_carries_no_codes_stays_as_it_is_and_is_named(build: Build) -> None:
    model = build(TWO, w=normal(4, 3), t=normal(9, 4))
    data = {"x": X, "k": np.arange(24) % 9}
    made = he.quantize_model(model, data, method="max", boundary="codes")
    assert {p.name: str(p.dtype) for p in (*made.inputs, *made.outputs)} == {
        "x": "int8",
        "k": "int64",
        "y": "int8",
        "e": "float32",
    }
    assert made.ptq is not None
    assert [w.split(":")[0] for w in made.ptq.warnings] == ["'k' is not codes", "'e' is not codes"]
    with pytest.raises(ModelError, match="'k' cannot be codes: its values are int64, and nothing quantizes them"):
        he.quantize_model(model, data, method="max", boundary={"k": "codes"})


@pytest.mark.parametrize(
    ("boundary", "match"),
    [
        ("bits", "no form is named 'bits': one of float, codes, unquantized"),
        ({"z": "codes"}, "no input or output 'z': inputs are x, k, outputs y, e"),
        ({"x": "int8"}, "no form is named 'int8'"),
    ],
)
def test_a_wrong_boundary_is_one_line(build: Build, boundary: object, match: str) -> None:
    model = build(TWO, w=normal(4, 3), t=normal(9, 4))
    with pytest.raises(ParameterError, match=match) as caught:
        he.quantize_model(model, {"x": X, "k": np.arange(24) % 9}, boundary=boundary)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_an_unquantized_output_is_the_last_products_exact_sum(build: Build) -> None:
    graph = "g (float[N,4] x) => (float[N,3] y) { h = MatMul(x, v)  r = Relu(h)  m = MatMul(r, w)  y = Add(m, b) }"
    model = build(graph, v=normal(4, 6), w=normal(6, 3), b=normal(3))
    real = he.quantize_model(model, X, method="max")
    made = he.quantize_model(model, X, method="max", boundary={"y": "unquantized"})
    assert [type(i).__name__ for i in made.program] == ["Quantize", "Linear", "Linear", "Dequantize"]
    assert not made.program.float_parts
    y = every_backend(made, {"x": X})["y"]
    codes = real.run_codes({"x": he.quantize(X, real.inputs[0].params)})["y"]
    assert_array_equal(he.quantize(y, real.outputs[0].params), codes)  # rounding the sums gives the codes
    assert len(np.unique(y)) > len(np.unique(codes))
    sums = made.run_codes({"x": he.quantize(X, made.inputs[0].params)})["y"]
    assert sums.dtype == np.int32
    assert_array_equal(he.dequantize(sums, made.outputs[0].params), y)


def test_what_stands_behind_the_last_product_computes_in_float_with_its_reason(build: Build) -> None:
    graph = "g (float[N,4] x) => (float[N,3] y) { m = MatMul(x, w)  s = Softmax(m)  y = Sqrt(s) }"
    made = he.quantize_model(build(graph, w=normal(4, 3)), X, method="max", boundary={"y": "unquantized"})
    plan = he.api.plan_quantization(build(graph, w=normal(4, 3)), boundary={"y": "unquantized"})
    assert {n.operator: n.reason for n in plan.placement.float_nodes} == dict.fromkeys(
        ("Softmax", "Sqrt"), "output 'y' is left unquantized"
    )
    assert "boundary: y unquantized" in str(plan)
    assert [type(i).__name__ for i in made.program] == ["Quantize", "Linear", "Dequantize", "Float", "Float"]
    every_backend(made, {"x": X})


def test_an_output_that_is_read_inside_too_has_codes_there_alone(build: Build) -> None:
    graph = "g (float[N,4] x) => (float[N,4] y, float[N,3] z) { y = MatMul(x, v)  z = MatMul(y, w) }"
    model = build(graph, v=normal(4, 4), w=normal(4, 3))
    real = he.quantize_model(model, X, method="max")
    made = he.quantize_model(model, X, method="max", boundary={"y": "unquantized"})
    found, expected = every_backend(made, {"x": X}), real.run({"x": X})
    assert_array_equal(found["z"], expected["z"])
    step = float(real.outputs[0].params.scale)
    inside = np.clip(found["y"], -128 * step, 127 * step)  # beyond, codes saturate
    assert np.abs(inside - expected["y"]).max() <= step * 0.5001
    assert len(np.unique(found["y"])) > len(np.unique(expected["y"]))


def test_an_unquantized_input_is_read_in_float_and_what_follows_in_integers(build: Build) -> None:
    graph = """g (float[N,4] x) => (float[N,3] y) {
        t = Concat <axis=1> (x, x)  h = MatMul(t, v)  r = Relu(h)  y = MatMul(r, w) }"""
    model = build(graph, v=normal(8, 6), w=normal(6, 3))
    made = he.quantize_model(model, X, method="max", boundary={"x": "unquantized"})
    assert [type(i).__name__ for i in made.program][-3:] == ["Quantize", "Linear", "Dequantize"]
    assert {p.operator for p in made.program.float_parts} == {"Concat", "MatMul", "Relu"}
    every_backend(made, {"x": X})


@pytest.mark.parametrize("algorithm", ["bias-correction", "second-order-rounding", "block-reconstruction"])
def test_algorithms_work_towards_an_unquantized_output(build: Build, algorithm: str) -> None:
    if algorithm == "block-reconstruction":
        pytest.importorskip("torch", reason="it needs PyTorch")
    graph = "g (float[N,4] x) => (float[N,3] y) { h = MatMul(x, v)  r = Relu(h)  y = MatMul(r, w) }"
    model = build(graph, v=normal(4, 8), w=normal(8, 3))
    made = he.quantize_model(model, X, weights="int4", algorithms=[algorithm], boundary={"y": "unquantized"})
    assert made.ptq is not None
    (report,) = made.ptq.algorithms
    assert report.after < report.before  # so it acted, though for less than half a decibel it is undone
    every_backend(made, {"x": X})


def test_codes_for_outputs_and_none_contradict_each_other(build: Build) -> None:
    config = {"model_config": {"model_output_type": "int16"}}
    model = build("g (float[N,4] x) => (float[N,4] y) { y = Sigmoid(x) }")
    with pytest.raises(ParameterError, match=r"output 'y' is to be unquantized, and .* gives outputs codes of int16"):
        he.quantize_model(model, X, config=config, boundary="unquantized")


@pytest.mark.parametrize("boundary", ["codes", "unquantized"])
def test_a_comparison_takes_the_float_models_samples(boundary: str) -> None:
    model, data = small_models.cnn(), small_models.images(16)
    made = he.quantize_model(model, data, method="max", boundary={"image": "codes", "score": boundary})
    real = he.quantize_model(
        model, data, method="max", boundary={"score": "float" if boundary == "codes" else boundary}
    )
    found, expected = (m.compare(model, data, speed=False) for m in (made, real))
    assert [row.sqnr_db for row in found.rows] == [row.sqnr_db for row in expected.rows]
    assert found.outputs == expected.outputs
    assert found.outputs[0].name == "score"
    assert not found.unpaired
    layers = [m.sensitivity(model, data, limit=2).layers for m in (made, real)]
    assert [x.name for x in layers[0]] == [x.name for x in layers[1]]


def test_the_same_options_give_the_same_file() -> None:
    model, data = small_models.cnn(), small_models.images(8)
    first, again = (he.quantize_model(model, data, boundary="codes")._graph for _ in range(2))
    assert to_bytes(first) == to_bytes(again)


@pytest.mark.parametrize(
    ("body", "floats"),
    [
        ("m = MatMul(x, w)  y = Clip(m, zero, six)", ["Clip"]),  # an upper bound is no bound of sums
        ("m = MatMul(x, w)  y = Relu(m)", []),
        ("a = MatMul(x, w)  b = MatMul(x, v)  m = Concat <axis=1> (a, b)  y = Reshape(m, shape)", ["Concat"]),
        ("a = MatMul(x, w)  s = Sigmoid(a)  y = Mul(a, s)", ["Sigmoid", "Mul"]),
    ],
)
def test_products_before_the_end_give_their_sums(build: Build, body: str, floats: list[str]) -> None:
    constants = {"w": normal(4, 3), "v": normal(4, 3), "zero": np.float32(0), "six": np.float32(1.5)}
    constants["shape"] = np.array([-1, 2, 3])
    read = {name: a for name, a in constants.items() if f" {name})" in body or f" {name}," in body}
    shape = "N,2,3" if "Reshape" in body else "N,3"
    made = he.quantize_model(
        build(f"g (float[N,4] x) => (float[{shape}] y) {{ {body} }}", **read), X, boundary={"y": "unquantized"}
    )
    kinds = [type(i).__name__ for i in made.program]
    assert kinds.count("Linear") == kinds.count("Dequantize") == (2 if "Concat" in body else 1)
    assert set(floats) <= {p.operator for p in made.program.float_parts} <= {*floats, "Reshape"}
    every_backend(made, {"x": X})
