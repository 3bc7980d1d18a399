"""Integer matrix product and convolution, against loops in plain Python (docs/math/conv.md eq. 6, 7)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from strategies import integer_profile, usual_scale, zero_points

from halfeven.errors import AccumulatorError, ParameterError
from halfeven.numerics.affine import dequantize
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.product import quantize_bias, quantized_conv2d, quantized_matmul
from halfeven.numerics.profile import Profile, Requantize
from halfeven.numerics.qtype import QTYPES, QType, int8, int16, uint8

OPERANDS = st.sampled_from([QTYPES[n] for n in ("int4", "uint4", "int8", "uint8", "int16", "uint16")])
RESULTS = st.sampled_from([int8, uint8, int16])


def draw_codes(data: st.DataObject, qtype: QType, shape: tuple[int, ...]) -> NDArray[Any]:
    size = int(np.prod(shape))
    ends = st.sampled_from([qtype.qmin, qtype.qmax])
    codes = data.draw(st.lists(st.integers(qtype.qmin, qtype.qmax) | ends, min_size=size, max_size=size))
    return np.array(codes, np.int64).reshape(shape).astype(qtype.storage)


def draw_params(data: st.DataObject, qtype: QType, channels: int | None, axis: int) -> AffineParams:
    zero = st.just(0) if channels is not None else zero_points(qtype)
    if channels is None:
        return AffineParams(data.draw(usual_scale), data.draw(zero), qtype)
    scales = data.draw(st.lists(usual_scale, min_size=channels, max_size=channels))
    zeros = data.draw(st.lists(zero_points(qtype), min_size=channels, max_size=channels))
    return AffineParams(scales, zeros, qtype, axis=axis)


def channel(p: AffineParams, k: int) -> tuple[float, int]:
    return (float(p.scale), int(p.zero_point)) if p.axis is None else (float(p.scale[k]), int(p.zero_point[k]))


def finish(acc: int, s1: float, s2: float, out: AffineParams, profile: Profile) -> int:
    m = Multiplier.from_scales((s1, s2), out.scale, profile)
    assert profile.requantize is not None
    zero, t = int(out.zero_point), out.qtype
    return oracle.requantize(acc, int(m.m0), int(m.shift), zero, t.qmin, t.qmax, profile.requantize)


@settings(max_examples=60)
@given(OPERANDS, OPERANDS, RESULTS, st.booleans(), st.booleans(), integer_profile, st.data())
def test_matmul_equals_loops(
    ta: QType, tb: QType, tout: QType, per_column: bool, with_bias: bool, profile: Profile, data: st.DataObject
) -> None:
    if profile.requantize is Requantize.DOUBLE_ROUNDING and ta.bits + tb.bits > 24:
        ta = int8  # two roundings are for int32 sums
    rows, inner, columns = (data.draw(st.integers(1, 4)) for _ in range(3))
    a, b = draw_codes(data, ta, (rows, inner)), draw_codes(data, tb, (inner, columns))
    pa, pb = draw_params(data, ta, None, 0), draw_params(data, tb, columns if per_column else None, -1)
    out = draw_params(data, tout, None, 0)
    bias = [data.draw(st.integers(-(2**20), 2**20)) for _ in range(columns)] if with_bias else [0] * columns
    got = quantized_matmul(a, pa, b, pb, out, np.array(bias, np.int32) if with_bias else None, profile)
    for i, j in itertools.product(range(rows), range(columns)):
        s2, z2 = channel(pb, j)
        acc = sum((int(a[i, k]) - int(pa.zero_point)) * (int(b[k, j]) - z2) for k in range(inner)) + bias[j]
        assert got[i, j] == finish(acc, float(pa.scale), s2, out, profile)


@settings(max_examples=60)
@given(OPERANDS, OPERANDS, RESULTS, st.booleans(), st.booleans(), integer_profile, st.data())
def test_conv2d_equals_loops(
    tx: QType, tw: QType, tout: QType, per_channel: bool, with_bias: bool, profile: Profile, data: st.DataObject
) -> None:
    if profile.requantize is Requantize.DOUBLE_ROUNDING and tx.bits + tw.bits > 24:
        tx = int8
    small = st.integers(1, 2)
    groups, inner, outer, batch = (data.draw(small) for _ in range(4))
    kernel = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)))
    stride, dilation = (data.draw(small), data.draw(small)), (data.draw(small), data.draw(small))
    top, left, bottom, right = (data.draw(st.integers(0, 2)) for _ in range(4))
    span = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    height = data.draw(st.integers(max(span[0] - top - bottom, 1), 6))
    width = data.draw(st.integers(max(span[1] - left - right, 1), 6))
    x = draw_codes(data, tx, (batch, groups * inner, height, width))
    w = draw_codes(data, tw, (groups * outer, inner, *kernel))
    px, pw = draw_params(data, tx, None, 0), draw_params(data, tw, groups * outer if per_channel else None, 0)
    out = draw_params(data, tout, None, 0)
    bias = [data.draw(st.integers(-(2**20), 2**20)) for _ in range(groups * outer)] if with_bias else None
    pads = (top, left, bottom, right)
    got = quantized_conv2d(
        x, px, w, pw, out, None if bias is None else np.array(bias), stride, pads, dilation, groups, profile
    )
    rows = (height + top + bottom - span[0]) // stride[0] + 1
    columns = (width + left + right - span[1]) // stride[1] + 1
    assert got.shape == (batch, groups * outer, rows, columns)
    for n, o, i, j in np.ndindex(*got.shape):
        s2, z2 = channel(pw, o)
        acc = 0 if bias is None else bias[o]
        for c, u, v in np.ndindex(inner, *kernel):
            y, z = i * stride[0] + u * dilation[0] - top, j * stride[1] + v * dilation[1] - left
            if 0 <= y < height and 0 <= z < width:  # padding is real zero
                code = int(x[n, (o // outer) * inner + c, y, z])
                acc += (code - int(px.zero_point)) * (int(w[o, c, u, v]) - z2)
        assert got[n, o, i, j] == finish(acc, float(px.scale), s2, out, profile)


def test_a_product_worked_out() -> None:
    # (q - Z): a = [3 - 1, 5 - 1] = [2, 4], b = [10, -20]: 20 - 80 = -60, + bias 7 = -53.
    # M = 0.5 * 0.25 / 0.5 = 1/4: -13.25 -> -13, + Z3 = 3: -10.
    pa, pb, out = AffineParams(0.5, 1), AffineParams(0.25), AffineParams(0.5, 3)
    q = quantized_matmul(np.int8([[3, 5]]), pa, np.int8([[10], [-20]]), pb, out, np.int32([7]))
    assert_array_equal(q, [[-10]])
    # bias -60 + 58 = -2: -0.5 -> 0, + 3: 3 (to even before Z3 is added; -0.5 + 3 = 2.5 would give 2).
    assert quantized_matmul(np.int8([[3, 5]]), pa, np.int8([[10], [-20]]), pb, out, np.int32([58])) == 3


def test_batches_and_vectors_multiply_as_numpy_does() -> None:
    p = AffineParams(1.0)
    rng = np.random.default_rng(3)
    a, b = rng.integers(-5, 5, (2, 1, 3, 4)).astype(np.int8), rng.integers(-2, 2, (5, 4, 2)).astype(np.int8)
    for left, right in ((a, b), (a[0, 0, 0], b), (a, b[0, :, 0]), (a[0, 0, 0], b[0, :, 0])):
        expected = np.clip(np.matmul(left.astype(np.int64), right.astype(np.int64)), -128, 127)
        assert_array_equal(quantized_matmul(left, p, right, p, p), expected)


def test_sums_of_16_bit_codes_do_not_wrap() -> None:
    # 4 * (65535 - 0) * (65535 - 0) > 2^33, then M = 2^-33: 2^34 (1 - 2^-15) / 2^33 = 1.99994 -> 2.
    p = AffineParams(1.0, 0, "uint16")
    ones = np.full((1, 4), 65535, np.uint16)
    assert quantized_matmul(ones, p, ones.T, p, AffineParams(2.0**33, 0, int8)) == 2


@pytest.mark.parametrize("shape", [(0, 2, 5, 5), (1, 2, 5, 5)])
def test_an_empty_batch_is_a_batch(shape: tuple[int, ...]) -> None:
    p = AffineParams(1.0)
    q = quantized_conv2d(np.ones(shape, np.int8), p, np.ones((4, 1, 3, 3), np.int8), p, p, groups=2)
    assert q.shape == (shape[0], 4, 3, 3)
    assert (q == 9).all()


def test_a_product_over_nothing_is_the_bias() -> None:
    p = AffineParams(1.0, 5)
    q = quantized_matmul(np.zeros((2, 0), np.int8), p, np.zeros((0, 3), np.int8), p, p, np.int32([1, 2, 3]))
    assert_array_equal(q, [[6, 7, 8], [6, 7, 8]])


def test_padding_is_real_zero() -> None:
    # Every q - Z is 0, so padding with Z1 must not show: the output is Z3 everywhere.
    p, w = AffineParams(0.1, -7), AffineParams(0.1, 3, uint8)
    x = np.full((1, 1, 2, 2), -7, np.int8)
    q = quantized_conv2d(x, p, np.full((1, 1, 3, 3), 200, np.uint8), w, AffineParams(1.0, 9, int16), padding=1)
    assert_array_equal(q, np.full((1, 1, 2, 2), 9))


def test_the_expansion_with_zero_points_is_the_same_sum() -> None:
    # sum (q1 - Z1)(q2 - Z2) = sum q1 q2 - Z2 sum q1 - Z1 sum q2 + K Z1 Z2 (docs/math/conv.md), on extreme codes.
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 256, (8, 40)), rng.integers(-128, 128, (40, 6))
    for z1, z2 in ((0, 0), (3, 0), (255, -128), (128, 1)):
        expanded = a @ b - z2 * a.sum(1, keepdims=True) - z1 * b.sum(0) + 40 * z1 * z2
        out = AffineParams(1.0, 0, "int32")
        direct = quantized_matmul(
            a.astype(np.uint8), AffineParams(1.0, z1, uint8), b.astype(np.int8), AffineParams(1.0, z2), out
        )
        assert_array_equal(direct, expanded)


def test_bias_codes_round_half_to_even_and_are_not_clipped() -> None:
    # r_b / (S1 S2) with S1 S2 = 2^-2: 0.125 * 4 = 1/2 -> 0, 0.375 * 4 = 3/2 -> 2, -0.125 * 4 -> 0.
    assert quantize_bias([0.125, 0.375, -0.125], 0.25).tolist() == [0, 2, 0]
    # 1e6 / 2^-20 = 1.05e12 does not fit int32: it comes back whole, for a wider accumulator or an error.
    assert quantize_bias(1e6, 2.0**-20) == 1_048_576_000_000
    with pytest.raises(AccumulatorError, match="does not fit"):
        quantize_bias(1e30, 2.0**-20)
    with pytest.raises(ParameterError, match="must be finite"):
        quantize_bias(np.nan, 1.0)


def test_a_bias_beyond_int32_is_added_in_full() -> None:
    # acc = 1 * 1 + 2^40, M = 2^-40: 1 + 2^-40 -> 1.
    p = AffineParams(1.0)
    q = quantized_matmul(np.int8([[1]]), p, np.int8([[1]]), p, AffineParams(2.0**40), np.int64([2**40]))
    assert q == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.zeros((2, 3), np.int8)}, "do not multiply"),
        ({"a": np.zeros((2, 4), np.uint8)}, "stored as int8"),
        ({"a_params": AffineParams([1, 1], axis=0)}, "one scale for the whole tensor"),
        ({"out_params": AffineParams([1, 1, 1], axis=1)}, "one scale for the whole tensor"),
        ({"b_params": AffineParams([1, 1, 1, 1], axis=0)}, "one a column"),
        ({"bias": np.float32([1, 2, 3])}, "a bias is given as integer codes"),
        ({"profile": "pytorch"}, "defines no requantize"),
    ],
)
def test_products_that_cannot_be(change: dict[str, Any], message: str) -> None:
    p = AffineParams(1.0)
    arguments: dict[str, Any] = {
        "a": np.zeros((2, 4), np.int8), "a_params": p, "b": np.zeros((4, 3), np.int8), "b_params": p, "out_params": p,
    }  # fmt: skip
    with pytest.raises(ParameterError, match=message):
        quantized_matmul(**(arguments | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((2, 5, 5), np.int8)}, "expects"),
        ({"groups": 2}, "do not fit together"),
        ({"groups": 0}, "do not fit together"),
        ({"stride": 0}, "must be >= 1"),
        ({"dilation": (1, 0)}, "must be >= 1"),
        ({"stride": (1, 1, 1)}, "1 or 2 values"),
        ({"padding": -1}, "padding is one number"),
        ({"padding": (1, 1, 1)}, "padding is one number"),
        ({"dilation": 3}, "does not fit a padded input"),
        ({"w_params": AffineParams([1, 1], axis=1)}, "one an output channel"),
    ],
)
def test_convolutions_that_cannot_be(change: dict[str, Any], message: str) -> None:
    p = AffineParams(1.0)
    arguments: dict[str, Any] = {
        "x": np.zeros((1, 2, 5, 5), np.int8), "x_params": p, "w": np.zeros((3, 2, 3, 3), np.int8), "w_params": p,
        "out_params": p,
    }  # fmt: skip
    with pytest.raises(ParameterError, match=message):
        quantized_conv2d(**(arguments | change))


def test_a_product_approximates_its_real_value() -> None:
    # eq. 6 against float64: within half a step of the output and the multiplier's 2^-31.
    rng = np.random.default_rng(11)
    a, b = rng.integers(-128, 128, (16, 32)).astype(np.int8), rng.integers(-128, 128, (32, 8)).astype(np.int8)
    pa, pb, out = AffineParams(0.02, 5), AffineParams(rng.uniform(0.01, 0.02, 8), axis=1), AffineParams(0.9, -4, int16)
    real = dequantize(a, pa).astype(np.float64) @ dequantize(b, pb).astype(np.float64)
    got = dequantize(quantized_matmul(a, pa, b, pb, out), out)
    assert np.abs(got - real).max() <= 0.5001 * float(out.scale)
