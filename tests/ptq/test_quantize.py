"""Post-training quantization as a whole: results, determinism, what is refused, what survives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from halfeven.errors import DataError, ModelError, ParameterError, UnsupportedError
from halfeven.interop import metadata, to_bytes
from halfeven.ptq.quantize import quantize
from halfeven.ranges import Percentile

Build = Callable[..., onnx.ModelProto]
GRAPH = "g (float[N,4] x) => (float[N,5] y) { t = Gemm(x, w, b)  y = Relu(t) }"
RNG = np.random.default_rng(2)
W, B = RNG.normal(size=(4, 5)).astype(np.float32), RNG.normal(size=5).astype(np.float32)
X = RNG.normal(size=(32, 4)).astype(np.float32)


def runs(model: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(ort.InferenceSession(to_bytes(model)).run(None, {"x": x})[0])


def test_the_report(build: Build, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(build(GRAPH, w=W, b=B), path)
    calls: list[tuple[int, int | None]] = []
    result = quantize(path, X, method="max", progress=lambda *c: calls.append(c))
    assert calls == [(k, 34) for k in range(1, 35)]  # two algorithms, one product
    assert result.samples == 32
    assert result.equality.samples == 4
    assert result.widened == ()
    assert [row.tensors for row in result.ranges] == [("x",), ("y",)]
    x = result.ranges[0]
    assert (x.lo, x.hi, x.seen_lo, x.seen_hi, x.infinite) == (X.min(), X.max(), X.min(), X.max(), 0)
    assert x.params.scale == np.float32(float(np.abs(X).max()) / 128)
    assert result.params["y"] == result.ranges[1].params
    named = metadata(result.model)
    assert named["halfeven.profile"] == "journey6"
    assert named["halfeven.source"].startswith("net.onnx sha256:")
    assert "halfeven.version" in named


def test_the_profile_is_named(build: Build) -> None:
    result = quantize(build(GRAPH, w=W, b=B), X, profile="onnxruntime")
    assert metadata(result.model)["halfeven.profile"] == "onnxruntime"


def test_the_same_data_give_the_same_bytes(build: Build) -> None:
    model = build(GRAPH, w=W, b=B)
    first = to_bytes(quantize(model, X).model)
    again = to_bytes(quantize(model, [{"x": x} for x in X[::-1]]).model)
    assert first == again


def test_percentile_leaves_outliers_out(build: Build) -> None:
    model, x = build(GRAPH, w=W, b=B), X.copy()
    x[3, 2] = 1000
    assert quantize(model, x, method="max").ranges[0].hi == 1000
    found = quantize(model, x, method=Percentile(99)).ranges[0]
    assert found.hi < 3
    assert found.seen_hi == 1000
    assert quantize(model, np.repeat(X, 999, axis=0), method="percentile").ranges[0].hi <= X.max()


def test_a_generator_is_read_once(build: Build) -> None:
    reads = 0

    def stream() -> Iterator[np.ndarray]:
        nonlocal reads
        for x in X:
            reads += 1
            yield x

    calls: list[tuple[int, int | None]] = []
    assert quantize(build(GRAPH, w=W, b=B), stream(), progress=lambda *c: calls.append(c)).samples == 32
    assert reads == 32
    # and eight once more, to compare ranges, and a product for each of two algorithms
    assert calls == [(k, None) for k in range(1, 43)]
    calls.clear()
    quantize(build(GRAPH, w=W, b=B), X, progress=lambda *c: calls.append(c))
    assert calls[-1] == (42, 42)


def test_dead_channels_constant_tensors_and_dead_inputs(build: Build) -> None:
    graph = "g (float[N,4] x) => (float[N,5] y) { t = Gemm(x, w, b)  u = Relu(t)  v = Mul(u, zero)  y = Add(v, b2) }"
    w, b = W.copy(), B.copy()
    w[:, 1] = 0
    w[:, 2] = 1e-37
    b[2] = 3
    model = build(graph, w=w, b=b, zero=np.float32(0), b2=np.float32(2.5))
    result = quantize(model, np.zeros((3, 4), np.float32))
    assert result.ranges[0].params.scale == 1
    got, expected = runs(result.model, X), np.full((32, 5), 2.5)
    np.testing.assert_allclose(got, expected, rtol=1 / 127)


def test_a_dead_channel_keeps_its_bias(build: Build) -> None:
    w, b = W.copy(), B.copy()
    w[:, 1], b[1] = 0, 1.75
    w[:, 2], b[2] = 1e-37, 3.0
    result = quantize(build(GRAPH, w=w, b=b), X)
    assert [(row.node != "", row.channels) for row in result.widened] == [(True, 1)]
    step = float(result.ranges[1].params.scale)
    got = runs(result.model, X)
    np.testing.assert_allclose(got[:, 1], 1.75, atol=step / 2 * 1.0001)
    np.testing.assert_allclose(got[:, 2], 3.0, atol=step / 2 * 1.0001)


@pytest.mark.parametrize("size", [1e30, 1e-30])
def test_extreme_ranges(build: Build, size: float) -> None:
    graph = "g (float[N,4] x) => (float[N,5] y) { y = Gemm(x, w) }"
    model = build(graph, w=W)
    x = (X * size).astype(np.float32)
    got, expected = runs(quantize(model, x).model, x), x @ W
    assert np.abs(got - expected).max() < 0.03 * np.abs(expected).max()


def test_an_infinite_mask_sets_no_range(build: Build) -> None:
    mask = np.where(np.tri(4) > 0, 0, -np.inf).astype(np.float32)
    graph = "g (float[N,4,4] x) => (float[N,4,4] y) { s = Add(x, m)  y = Softmax(s) }"
    x = RNG.normal(size=(16, 4, 4)).astype(np.float32) * 4
    result = quantize(build(graph, m=mask), x)
    row = next(r for r in result.ranges if "s" in r.tensors)
    assert np.isfinite([row.lo, row.hi]).all()
    assert -30 < row.seen_lo < row.seen_hi < 30


def test_integer_inputs_stay_as_they_are(build: Build) -> None:
    graph = "g (int64[N,3] i) => (float[N,3,4] y) { t = Gather(k, i)  y = Tanh(t) }"
    result = quantize(build(graph, k=W.T.copy()), np.array([[0, 1, 2], [3, 4, 0]]))
    assert result.model.graph.inputs[0].dtype.name == "INT64"


def test_a_fixed_batch(build: Build) -> None:
    result = quantize(build(GRAPH.replace("N", "4"), w=W, b=B), X)
    assert result.samples == 8


def test_quantized_models_are_refused(build: Build) -> None:
    made = quantize(build(GRAPH, w=W, b=B), X).model
    with pytest.raises(ModelError, match="is quantized already"):
        quantize(onnx.load_from_string(to_bytes(made)), X)


def test_models_without_real_arithmetic_are_refused(build: Build) -> None:
    with pytest.raises(UnsupportedError, match=r"CumSum 'y': no integer form is known") as caught:
        quantize(build("g (float[N,4] x) => (float[N,4] y) { y = CumSum(x, k) }", k=np.array(1)), X)
    assert caught.value.nodes == ("y",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activations": "int4"}, "activations can be int8, uint8, int16 or uint16, not int4"),
        ({"activations": "int32"}, "not int32"),
        ({"weights": "uint8"}, "weights can be int4, int8 or int16, not uint8"),
        ({"activations": "int9"}, "int9"),
        ({"method": "kll"}, "kll"),
        ({"profile": "journey7"}, "journey7"),
    ],
)
def test_options_that_cannot_be(build: Build, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        quantize(build(GRAPH, w=W, b=B), X, **options)


def test_bad_data_late_in_the_stream_are_named(build: Build) -> None:
    x = [np.ones(4, np.float32)] * 20 + [np.ones(5, np.float32)]
    with pytest.raises(DataError, match=r"item 20.*expected float32 \[N, 4\]"):
        quantize(build(GRAPH, w=W, b=B), x)
