"""Attention masks set no range: the masked model is as good as one that has nothing to mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from halfeven import api
from halfeven.ptq.masks import SoftmaxRead
from halfeven.ptq.quantize import quantize

Build = Callable[..., onnx.ModelProto]
RNG = np.random.default_rng(3)
N = 16
X = (RNG.normal(size=(24, N, N)) * 3).astype(np.float32)
CAUSAL = np.tri(N) > 0
VALUES = {"-1e4": -1e4, "-1e9": -1e9, "-inf": -np.inf, "finfo.min": float(np.finfo(np.float32).min)}
FORMS = {
    "a constant is added": "s = Add(t, m)  y = Softmax(s)",
    "what is added is computed": "k = Sub(one, keep)  v = Mul(k, low)  s = Add(t, v)  y = Softmax(s)",
    "Where chooses": "s = Where(c, t, low)  y = Softmax(s)",
    "a Reshape lies between": "s = Add(t, m)  r = Reshape(s, shape)  y = Softmax(r)",
}


def masked(build: Build, form: str, low: float) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    used = FORMS[form]
    keep = "keep)" in used
    constants = {
        "w": (RNG.normal(size=(N, N)) / 4).astype(np.float32),
        "m": np.where(CAUSAL, 0, low).astype(np.float32),
        "low": np.float32(low),
        "one": np.float32(1),
        "c": CAUSAL,
        "shape": np.array([-1, N, N]),
    }
    text = f"g (float[B,{N},{N}] x{f', float[B,{N},{N}] keep' if keep else ''}) => (float[B,{N},{N}] y) "
    body = f"{{ t = MatMul(x, w)  {used} }}"
    read = {name: a for name, a in constants.items() if name == "w" or f"{name})" in used or f"{name}, " in used}
    feeds = {"x": X} | ({"keep": np.broadcast_to(CAUSAL, X.shape).astype(np.float32)} if keep else {})
    return build(text + body, **read), feeds


def error(model: onnx.ModelProto, feeds: dict[str, np.ndarray], method: str) -> float:
    """Root of the mean squared error of y, by the integer program."""
    session = ort.InferenceSession(model.SerializeToString())
    expected = session.run(None, feeds)[0]
    got = api.quantize_model(model, feeds, method=method).run(feeds)["y"]
    return float(np.sqrt(np.mean((got - expected) ** 2)))


def cases() -> Iterator[tuple[str, str, str]]:
    """All of them, but one of what is computed: 0 times minus infinity is NaN."""
    for form, low, method in product(FORMS, VALUES, ("default", "max")):
        if form != "what is added is computed" or low != "-inf":
            yield form, low, method
    for method in ("symmetric", "percentile", "kl", "mse"):
        yield "what is added is computed", "-1e4", method


@pytest.mark.parametrize(("form", "low", "method"), list(cases()))
def test_a_masked_model_is_as_good_as_one_without_a_mask(build: Build, form: str, low: str, method: str) -> None:
    graph = f"g (float[B,{N},{N}] x) => (float[B,{N},{N}] y) {{ t = MatMul(x, w)  s = Add(t, z)  y = Softmax(s) }}"
    w, z = (RNG.normal(size=(N, N)) / 4).astype(np.float32), np.zeros((N, N), np.float32)
    plain = build(graph, w=w, z=z)
    model, feeds = masked(build, form, VALUES[low])
    assert error(model, feeds, method) < 1.5 * error(plain, {"x": X}, method) + 1e-3


def test_what_is_read_elsewhere_keeps_its_range(build: Build) -> None:
    m = np.where(CAUSAL, 0, -1e4).astype(np.float32)
    graph = f"g (float[B,{N},{N}] x) => (float[B,{N},{N}] y, float[B,{N},{N}] s) {{ s = Add(x, m)  y = Softmax(s) }}"
    row = next(r for r in quantize(build(graph, m=m), X, method="max").ranges if "s" in r.tensors)
    assert row.lo < -9990


def test_values_that_a_softmax_cannot_tell_apart() -> None:
    x = np.float32([[0, -1e4, -np.inf, 5], [-3, -3, -3, -1e9]])
    got = SoftmaxRead(-1, 256).told_apart(x)
    reach = np.log(2 * 256 * 4)
    np.testing.assert_allclose(got, [[0, 5 - reach, 5 - reach, 5], [-3, -3, -3, -3 - reach]], rtol=1e-6)
    masked_whole = np.float32([[-np.inf] * 2, [np.finfo(np.float32).min] * 2])
    np.testing.assert_array_equal(SoftmaxRead(-1, 256).told_apart(masked_whole), 0)


@pytest.mark.parametrize("activations", ["int8", "int16"])
@pytest.mark.parametrize("difference", ["Sub(one, x)", "Sub(x, one)", "Add(minus, x)"])
@pytest.mark.parametrize("method", ["max", "symmetric", "percentile"])
def test_what_is_taken_from_its_greatest_value_leaves_nothing(
    build: Build, difference: str, activations: str, method: str
) -> None:
    constants = {"one": np.float32([1]), "minus": np.float32([-1])}
    read = {name: a for name, a in constants.items() if name in difference}
    graph = f"g (float[N,4] x) => (float[N,4] y) {{ d = {difference}  y = Mul(d, thousand) }}"
    x = (RNG.normal(size=(64, 4)) > 0).astype(np.float32)
    made = api.quantize_model(
        build(graph, thousand=np.float32(1000), **read), x, activations=activations, method=method
    )
    y = made.run({"x": x})["y"]
    assert np.all(y[x == 1] == 0)
    assert np.all(np.abs(y[x == 0]) > 990)
    assert float(made.inputs[0].params.scale) == pytest.approx(1 / made.inputs[0].params.qtype.qmax)


@pytest.mark.parametrize("graph", ["y = Sub(two, x)", "y = Mul(one, x)", "y = Sub(v, x)"])
def test_other_constants_leave_the_scale_alone(build: Build, graph: str) -> None:
    constants = {"two": np.float32(2), "one": np.float32([1, 1, 1, 1]), "v": np.float32([1, 2, 1, 1])}
    read = {name: a for name, a in constants.items() if f"({name}," in graph}
    x = (RNG.normal(size=(64, 4)) > 0).astype(np.float32)
    made = quantize(build(f"g (float[N,4] x) => (float[N,4] y) {{ {graph} }}", **read), x, method="max")
    assert float(made.params["x"].scale) == 1 / 128
