"""Bias correction: the shift, where it is kept, what the integer program gains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import small_models

import halfeven as he
from halfeven.errors import ParameterError
from halfeven.interop import to_bytes
from halfeven.ptq.algorithms import BiasCorrection
from halfeven.ptq.algorithms.bias_correction import least_squares_shift
from halfeven.ptq.algorithms.walk import Walk
from halfeven.ptq.difference import Measure
from halfeven.ptq.quantize import quantize

Build = Callable[..., onnx.ModelProto]
RNG = np.random.default_rng(5)


def test_the_shift_is_the_mean_where_nothing_is_clamped() -> None:
    f = RNG.normal(size=(50, 3)).astype(np.float32)
    q = (f - np.array([0.5, 0, -2])).astype(np.float32)
    halves = [(f[:20], q[:20]), (f[20:], q[20:])]
    np.testing.assert_allclose(least_squares_shift(halves, -np.inf, np.inf), [0.5, 0, -2], atol=1e-6)


def test_clamped_elements_do_not_count() -> None:
    q = np.array([[0], [1], [2], [6]], np.float32)
    f = np.array([[5], [1.5], [2.5], [9]], np.float32)
    assert least_squares_shift([(f, q)], 0, 6).tolist() == [0.5]
    assert least_squares_shift([(f[:1], q[:1])], 0, 6).tolist() == [0]


GRAPHS = {
    "Gemm": "g (float[N,16] x) => (float[N,8] y) { t = Gemm(x, w, b)  y = Relu(t) }",
    "Gemm without a bias": "g (float[N,16] x) => (float[N,8] y) { y = Gemm(x, w) }",
    "MatMul": "g (float[N,4,16] x) => (float[N,4,8] y) { t = MatMul(x, w)  u = Add(t, b)  y = Clip(u, lo, hi) }",
    "MatMul without a bias": "g (float[N,4,16] x) => (float[N,4,8] y) { y = MatMul(x, w) }",
    "MatMul without a bias, inside": "g (float[N,4,16] x) => (float[N,4,8] y) { t = MatMul(x, w)  y = Relu(t) }",
}
CONSTANTS = {
    "w": RNG.normal(size=(16, 8)).astype(np.float32),
    "b": RNG.normal(size=8).astype(np.float32),
    "lo": np.float32(-1),
    "hi": np.float32(9),
}


def built(build: Build, name: str) -> tuple[onnx.ModelProto, np.ndarray]:
    text = GRAPHS[name]
    used = {k: v for k, v in CONSTANTS.items() if f"{k})" in text or f"{k}," in text}
    shape = (64, 4, 16) if "[N,4,16]" in text else (64, 16)
    return build(text, **used), (RNG.normal(size=shape) + 1).astype(np.float32)


@pytest.mark.parametrize("name", GRAPHS)
def test_four_bit_weights_lose_less(build: Build, name: str) -> None:
    model, x = built(build, name)
    made = he.quantize_model(model, x, weights="int4", algorithms="bias-correction")
    assert made.ptq is not None
    (report,) = made.ptq.algorithms
    assert report.left == ()
    (change,) = report.changes
    assert change.after < change.before
    assert report.after < report.before
    assert made.program.float_parts == ()
    plain = he.quantize_model(model, x, weights="int4", algorithms=())
    errors = [((m.run({"x": x})["y"] - float_run(model, x)) ** 2).mean() for m in (made, plain)]
    assert errors[0] < errors[1]
    same = made.run({"x": x}, backend="reference")["y"]
    np.testing.assert_array_equal(made.run({"x": x})["y"], same)


def float_run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    from halfeven.execute.float_part import open_session, run_session  # noqa: PLC0415

    return next(iter(run_session(open_session(model.SerializeToString()), {"x": x}).values()))


def test_no_layer_gets_worse_and_the_mean_error_goes() -> None:
    data = {"image": small_models.images(32)}
    model = small_models.cnn()
    plain = quantize(model, data, weights="int4", algorithms=()).draft
    samples = [{"image": x[None]} for x in data["image"]]
    result = BiasCorrection(samples=32).correct_biases(plain, samples, lambda: None)
    assert len(result.changes) + len(result.left) == len(plain.placement.products)
    assert all(c.after < c.before for c in result.changes if c.after is not None and c.before is not None)
    for layer in Walk(result.draft, samples):
        bias, e = np.concatenate(layer.expected), np.concatenate(layer.results(result.draft))
        if layer.product.node == "d":  # not clamped
            step = float(result.draft.activations.own["d"].scale)
            assert np.abs((bias - e).mean(axis=0)).max() < step


def test_the_same_data_give_the_same_bytes(build: Build) -> None:
    model, x = built(build, "Gemm")
    first = to_bytes(he.quantize_model(model, x, algorithms=["bias-correction"])._graph)
    assert first == to_bytes(he.quantize_model(model, x[::-1], algorithms=["bias-correction"])._graph)


def test_a_configuration_asks_for_it(build: Build) -> None:
    model, x = built(build, "Gemm")
    config: dict[str, Any] = {"model_config": {"weight": {"bias_correction": {"num_sample": 3, "metric": "mse"}}}}
    made = he.quantize_model(model, x, config=config, algorithms="none")
    (report,) = made.ptq.algorithms
    assert (report.name, report.options) == ("bias-correction", {"metric": "mse", "samples": 3})
    same = he.quantize_model(model, x, algorithms=[BiasCorrection(3, Measure.MSE)])
    assert to_bytes(same._graph) == to_bytes(made._graph)
    assert [r.name for r in he.quantize_model(model, x, config=config).ptq.algorithms] == [
        "second-order-rounding",
        "bias-correction",
    ]
    with pytest.raises(ParameterError, match=r"bias correction is asked for twice.*the configuration"):
        he.quantize_model(model, x, config=config, algorithms="bias-correction")
