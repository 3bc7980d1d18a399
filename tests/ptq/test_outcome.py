"""What is said of outputs that are far from the float model's: where, and what still can be done."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

import halfeven as he

Build = Callable[..., onnx.ModelProto]
RNG = np.random.default_rng(3)
X = RNG.normal(0, 1, (48, 8)).astype(np.float32)
SPOILED = np.concatenate([X, 1e8 * X[:1]])  # one sample sets a range in which the others are nothing, at 16 bits too
ONE = "g (float[N,8] x) => (float[N,4] y) { y = MatMul(x, w) }"
TWO = "g (float[N,8] x, float[N,8] z) => (float[N,4] near, float[N,4] y) { y = MatMul(x, w)  near = MatMul(z, w) }"
W = RNG.normal(0, 1, (8, 4)).astype(np.float32)


def remark(model: onnx.ModelProto, data: dict[str, np.ndarray], **options: str) -> str:
    made = he.quantize_model(model, data, method="max", algorithms=(), **options)
    assert made.ptq is not None
    assert made.ptq.outcome is not None
    (said,) = made.ptq.outcome.remarks
    assert said in made.ptq.warnings
    return said


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({}, "If so, some layers need int16: 'halfeven compare"),
        ({"activations": "int16"}, "If so, some layers need int16 weights: 'halfeven compare"),
        ({"activations": "int16", "weights": "int16"}, "If so, 16 bits, which all codes have, are too few for some"),
    ],
)
def test_the_advice_is_of_what_is_left_to_widen(build: Build, options: dict[str, str], advice: str) -> None:
    said = remark(build(ONE, w=W), {"x": SPOILED}, **options)
    assert advice in said
    assert "farthest" not in said
    assert ("--min-sqnr finds them" in said) == (options.get("weights") != "int16")


def test_of_several_outputs_the_farthest_is_named(build: Build) -> None:
    z = RNG.normal(0, 1, SPOILED.shape).astype(np.float32)
    assert "far from the float model, farthest at 'y': are these" in remark(build(TWO, w=W), {"x": SPOILED, "z": z})
