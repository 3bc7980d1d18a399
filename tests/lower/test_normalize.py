"""Normalization: docs/math/normalize.md eq. 25 bounds the error before the last rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from one_operator import OneOperator

from halfeven.errors import AccumulatorError
from halfeven.execute.normalize import rows_of
from halfeven.execute.run import reference_backend, run_program
from halfeven.ir.normalize import Normalize
from halfeven.lower import lower
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import int8, int16, uint8

Array = np.ndarray
RNG = np.random.default_rng(11)
OUT8, OUTU = AffineParams(0.031, -3, int8), AffineParams(0.027, 120, uint8)
OUT16 = AffineParams(0.00031, 17, int16)


def gains(channels: int) -> tuple[Array, Array]:
    gain = RNG.uniform(-1.5, 1.5, channels).astype(np.float32).astype(np.float64)
    return gain, RNG.uniform(-0.7, 0.7, channels).astype(np.float32).astype(np.float64)


def check(model: OneOperator, codes: Array, epsilon: float = 1e-5) -> None:
    """Every code is the rounded real answer, wherever that is farther from a tie than the bound."""
    (_, x), y = model.inputs[0], model.output
    program = lower(model.qdq(), "journey6", strict=True)
    (made,) = [i for i in program if isinstance(i, Normalize)]
    got = run_program(program, {"x0.q": codes}, ["y.q"], reference_backend())["y.q"]
    rows = rows_of(made, codes.shape)
    reals = (codes.astype(np.float64) - int(x.zero_point)).reshape(rows.shape) * float(x.scale)
    mean = reals.mean(axis=(2, 3), keepdims=True)
    variance = ((reals - mean) ** 2).mean(axis=(2, 3), keepdims=True)
    t = (reals - mean) / np.sqrt(np.maximum(variance + np.float32(epsilon), 1e-300))
    gain, offset = (np.asarray(c).reshape(-1) / float(y.scale) for c in model.constants)
    shape = (1, *rows.shape[1:3], 1)
    exact = t * gain.reshape(shape) + offset.reshape(shape)
    w = rows.length**2 * (variance + epsilon) / float(x.scale) ** 2
    root = 2.0**-30 + 2.0**-31 + 2.0**-32 + 2.0 ** -(2 * rows.half_fraction + 2) / np.maximum(w, 1e-9)
    k, f = made.shift, made.fraction
    slope = np.abs(gain).reshape(shape)
    bound = np.abs(t) * slope * root + slope * 2.0 ** -(f + 1) + np.abs(t) * 2.0 ** -(k - f + 1) + 2.0 ** -(k + 1)
    sure = np.abs(exact - np.floor(exact) - 0.5) > 1.001 * bound + 1e-9
    expected = np.clip(np.rint(exact) + int(y.zero_point), y.qtype.qmin, y.qtype.qmax)
    np.testing.assert_array_equal(got.reshape(rows.shape)[sure], expected[sure])
    assert sure.mean() > 0.9


def rows_of_codes(qtype: Any, count: int, length: int) -> Array:
    """Random rows; then rows of one code, rows with one outlier, rows of the extremes."""
    q = RNG.integers(qtype.qmin, qtype.qmax + 1, (count, length))
    narrow = RNG.integers(-2, 3, (count, length)) + int(RNG.integers(qtype.qmin + 3, qtype.qmax - 3))
    constant = np.repeat(RNG.integers(qtype.qmin, qtype.qmax + 1, (count, 1)), length, axis=1)
    outlier = constant.copy()
    outlier[:, -1] = RNG.integers(qtype.qmin, qtype.qmax + 1, count)
    extremes = RNG.choice([qtype.qmin, qtype.qmax], (count, length))
    return np.concatenate([q, narrow, constant, outlier, extremes]).astype(qtype.storage)


@pytest.mark.parametrize("epsilon", [1e-5, 1e-12, 0.1])
@pytest.mark.parametrize("length", [1, 2, 3, 120, 768])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (AffineParams(0.02, 5, int8), OUT8),
        (AffineParams(0.7, 200, uint8), OUTU),
        (AffineParams(0.02, 5, int8), OUT16),
        (AffineParams(0.0003, -9, int16), OUT16),
        (AffineParams(2e-6, 0, int16), OUT8),
    ],
)
def test_layer_normalization_is_within_its_bound(x: AffineParams, y: AffineParams, length: int, epsilon: float) -> None:
    codes = rows_of_codes(x.qtype, 12, length)
    model = OneOperator("LayerNormalization", [(codes.shape, x)], y, gains(length), {"axis": -1, "epsilon": epsilon})
    check(model, codes, epsilon)


def test_every_pair_of_codes() -> None:
    codes = np.stack(np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)), axis=-1).reshape(-1, 2).astype(np.int8)
    model = OneOperator("LayerNormalization", [(codes.shape, AffineParams(0.004, 3, int8))], OUT16, gains(2))
    check(model, codes)


def test_over_several_axes() -> None:
    codes = rows_of_codes(int8, 4, 35).reshape(20, 5, 7)
    gain, offset = gains(35)
    constants = [gain.reshape(5, 7), offset.reshape(5, 7)]
    model = OneOperator("LayerNormalization", [(codes.shape, AffineParams(0.02, 5))], OUT8, constants, {"axis": 1})
    check(model, codes)


def test_instance_normalization_is_within_its_bound() -> None:
    codes = rows_of_codes(int8, 6, 63).reshape(5, 6, 9, 7)
    model = OneOperator("InstanceNormalization", [(codes.shape, AffineParams(0.02, 5))], OUT8, gains(6))
    check(model, codes)


def test_group_normalization_is_within_its_bound() -> None:
    codes = rows_of_codes(uint8, 2, 6 * 35).reshape(10, 6, 5, 7)
    model = OneOperator(
        "GroupNormalization", [(codes.shape, AffineParams(0.02, 5, uint8))], OUT8, gains(6), {"num_groups": 3}
    )
    check(model, codes)


def layer(shape: tuple[int, ...], x: AffineParams, channels: int, **attributes: Any) -> ir.Model:
    return OneOperator("LayerNormalization", [(shape, x)], OUT8, gains(channels), attributes).qdq()


def test_what_has_no_integer_form_says_why() -> None:
    (part,) = lower(layer((2, 40_000), AffineParams(0.1, 0, int16), 40_000), "journey6").float_parts
    assert "40000 values of 65536 codes is too long" in part.reason
    (part,) = lower(layer((2, 100), AffineParams(1e-12), 100), "journey6").float_parts
    assert "its epsilon is 1e+19 times" in part.reason


def test_a_plane_that_turns_out_too_long_is_refused() -> None:
    model = OneOperator("InstanceNormalization", [((1, 2, 8), AffineParams(0.1, 0, int16))], OUT8, gains(2)).qdq()
    for value in (v for node in model.graph for v in node.inputs if v is not None and v.shape is not None):
        if value.shape is not None and value.shape.rank() == 3:
            value.shape = ir.Shape([1, 2, "W"])
    program = lower(model, "journey6", strict=True)
    with pytest.raises(AccumulatorError, match="40000 values"):
        run_program(program, {"x0.q": np.zeros((1, 2, 40_000), np.int16)}, ["y.q"], reference_backend())
