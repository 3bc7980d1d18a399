"""Degenerate ranges are named, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from halfeven.ptq.quantize import quantize

Build = Callable[..., onnx.ModelProto]
X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
W = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
GRAPH = "g (float[N,4] x, float[N,4] k) => (float[N,4] y) { t = MatMul(x, w)  s = Mul(t, k)  y = Relu(s) }"


def warnings(build: Build, x: np.ndarray, k: np.ndarray, w: np.ndarray = W, **options: str) -> tuple[str, ...]:
    return quantize(build(GRAPH, w=w), {"x": x, "k": k}, **options).warnings


def test_a_sound_model_has_none(build: Build) -> None:
    assert warnings(build, X, X[::-1].copy()) == ()


def test_constant_tensors_are_named_with_their_value(build: Build) -> None:
    (line,) = warnings(build, X, np.full_like(X, 0.5))
    assert line == "'k' (0.5): one value on all 12 samples, where the range ends: check the data, or give more samples"
    (line,) = warnings(build, X[:1], np.zeros_like(X[:1]))
    assert line.startswith("'k' (0), 'y' (0): one value on the one sample")


def test_weights_of_zeros_are_named(build: Build) -> None:
    lines = warnings(build, X, X, w=np.zeros_like(W))
    assert lines[-1] == "'w' of 't': all weights are 0: what it computes does not depend on its input"


def test_a_huge_range_is_named_with_its_steps(build: Build) -> None:
    k = X.copy()
    k[0, 0] = 1e30
    (line,) = warnings(build, X, k, method="max")
    assert line.startswith("'k' ([-2.33, 1e+30]), ")
    assert "so wide a range leaves steps of 6.26e+26" in line  # of y, 8.01e28 / 128
    assert "\n" not in line


def test_a_long_list_is_cut(build: Build) -> None:
    sums = "  ".join(f"a{n} = Add(a{n - 1}, x)" for n in range(1, 12))
    graph = f"g (float[N,4] x) => (float[N,4] a11, float[N,4] z) {{ a0 = Sigmoid(x)  {sums}  z = MatMul(x, w) }}"
    (line,) = quantize(build(graph, w=W), np.zeros_like(X)).warnings
    assert line.startswith("'x' (0), 'a0' (0.5), 'a1' (0.5), ")
    assert " and 8 more: one value" in line
