"""Resize in mode linear: docs/math/resize.md eq. 27, 28 against interpolation in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from one_operator import OneOperator
from onnx import TensorProto, helper, numpy_helper

from halfeven.execute.linear import fraction_of
from halfeven.execute.run import native_backend, reference_backend, run_program
from halfeven.lower import lower
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import int8, int16, uint8

X8, Y8 = AffineParams(0.037, 3, int8), AffineParams(0.034, -4, int8)
NO_ROI = np.zeros(0, np.float32)


def position(o: np.ndarray, n: int, m: int, scale: float, coordinates: str) -> np.ndarray:
    if coordinates == "asymmetric":
        return o / scale
    if coordinates == "align_corners":
        return o * (n - 1) / (m - 1) if m > 1 else o * 0.0
    if coordinates == "pytorch_half_pixel" and m == 1:
        return o * 0.0
    offset = n / 2 * (1 - m / (n * scale)) if coordinates == "half_pixel_symmetric" else 0
    return offset + (o + 0.5) / scale - 0.5


def interpolated(x: np.ndarray, scales: list[float], coordinates: str) -> np.ndarray:
    for axis, scale in enumerate(scales):
        n = x.shape[axis]
        m = int(np.floor(np.float32(n) * np.float32(scale)))
        if scale == 1 and m == n:
            continue
        at = np.clip(position(np.arange(m), n, m, scale, coordinates), 0, n - 1)
        low = np.floor(at).astype(int)
        high, part = np.minimum(low + 1, n - 1), at - low
        part = part.reshape([-1 if k == axis else 1 for k in range(x.ndim)])
        x = np.take(x, low, axis) * (1 - part) + np.take(x, high, axis) * part
    return x


def check(model: OneOperator, scales: list[float], coordinates: str, bound: float) -> None:
    (_, x), y = model.inputs[0], model.output
    program = lower(model.qdq(), "journey6", strict=True)
    codes = model.codes()
    got = run_program(program, codes, ["y.q"], reference_backend())["y.q"]
    np.testing.assert_array_equal(got, run_program(program, codes, ["y.q"], native_backend())["y.q"])
    reals = (codes["x0.q"].astype(np.float64) - int(x.zero_point)) * float(x.scale)
    exact = interpolated(reals, scales, coordinates) / float(y.scale)
    expected = np.clip(np.rint(exact) + int(y.zero_point), y.qtype.qmin, y.qtype.qmax)
    assert got.shape == expected.shape
    sure = np.abs(exact - np.floor(exact) - 0.5) > bound
    np.testing.assert_array_equal(got[sure], expected[sure])
    assert sure.mean() > 0.8


def resize(
    shape: tuple[int, ...], x: AffineParams, y: AffineParams, constants: list[Any], coordinates: str
) -> OneOperator:
    attributes = {"mode": "linear", "coordinate_transformation_mode": coordinates}
    return OneOperator("Resize", [(shape, x)], y, [NO_ROI, *constants], attributes)


KINDS = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]


@pytest.mark.parametrize("coordinates", KINDS)
@pytest.mark.parametrize(
    ("shape", "scales"),
    [
        ((1, 2, 5, 4), [1, 1, 2, 2]),
        ((1, 2, 8, 6), [1, 1, 0.5, 0.5]),
        ((2, 3, 7), [1, 1, 3]),
        ((1, 2, 5, 4), [1, 1, 1.7, 1.25]),
        ((1, 4, 5, 3), [1, 4, 4, 1]),
        ((1, 2, 3, 4, 2), [1, 1, 2, 2, 2]),
        ((1, 2, 1, 1), [1, 1, 4, 5]),
    ],
)
def test_simple_scales_are_exact(shape: tuple[int, ...], scales: list[float], coordinates: str) -> None:
    model = resize(shape, X8, Y8, [np.array(scales, np.float32)], coordinates)
    check(model, scales, coordinates, 1e-6)


@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners"])
@pytest.mark.parametrize(
    ("x", "y"),
    [(AffineParams(0.02, 250, uint8), AffineParams(0.019, 0, uint8)), (AffineParams(2e-4, 5, int16), Y8)],
)
def test_sizes_are_exact(x: AffineParams, y: AffineParams, coordinates: str) -> None:
    model = resize((1, 2, 5, 7), x, y, [NO_ROI, np.array([1, 2, 13, 9])], coordinates)
    check(model, [1, 1, 13 / 5, 9 / 7], coordinates, 1e-6)


def test_awkward_scales_are_within_their_bound() -> None:
    scale = float(np.float32(1.2345678))
    assert fraction_of(scale).denominator > 1 << 14
    model = resize((1, 2, 40, 33), X8, Y8, [np.array([1, 1, scale, scale], np.float32)], "half_pixel")
    check(model, [1, 1, scale, scale], "half_pixel", 2 * 2.0**-15 * 255 * 0.037 / 0.034)


@pytest.mark.parametrize("coordinates", KINDS)
def test_onnxruntime_interpolates_the_same_reals(coordinates: str) -> None:
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 7)).astype(np.float32)
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear", coordinate_transformation_mode=coordinates)
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "y")]
    scales = numpy_helper.from_array(np.array([1, 1, 1.5, 0.6], np.float32), "s")
    graph = helper.make_graph([node], "g", ports[:1], ports[1:], [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x})
    np.testing.assert_allclose(found, interpolated(x.astype(np.float64), [1, 1, 1.5, 0.6], coordinates), atol=1e-5)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [({"mode": "cubic"}, "its mode cubic"), ({"mode": "linear", "antialias": 1}, "filters against aliasing")],
)
def test_what_has_no_integer_form_says_why(attributes: dict[str, Any], reason: str) -> None:
    model = OneOperator("Resize", [((1, 1, 4, 4), X8)], Y8, [NO_ROI, np.float32([1, 1, 0.5, 0.5])], attributes)
    (part,) = lower(model.qdq(), "journey6").float_parts
    assert reason in part.reason
