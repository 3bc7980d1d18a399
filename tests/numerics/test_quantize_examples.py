"""Quantize and dequantize on values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from halfeven.errors import NotANumberError, ParameterError
from halfeven.numerics.affine import dequantize, fake_quantize, quantize, quantize_unchecked
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import profiles
from halfeven.numerics.qtype import int8, int16, int32, uint8

HALF_GRID = (np.arange(-256, 256) / 2).astype(np.float32)  # -128, -127.5, ..., 127.5: every second one is a tie
BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))  # 0.49999997, the float32 below one half


def test_the_seed_case_rounds_ties_to_even() -> None:
    # r / S = r.  -2.5 lies between -3 and -2: even is -2.  -1.5 -> -2.  -0.5 -> 0.  0.5 -> 0.  1.5 -> 2.  2.5 -> 2.
    r = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)
    q = quantize(r, AffineParams(1.0))
    assert q.dtype == np.int8
    assert_array_equal(q, [-2, -2, 0, 0, 2, 2])


def test_a_quarter_of_a_half_grid_differs_between_half_even_and_legacy() -> None:
    # 256 of the 512 values are ties k + 1/2.  floor(k + 1) = k + 1; half-even gives k when k is even: 128 differ.
    p = AffineParams(1.0)
    differ = quantize(HALF_GRID, p, "journey6") != quantize(HALF_GRID, p, "journey6-legacy")
    assert differ.sum() == 128
    assert differ.mean() == 0.25


def test_a_quarter_of_a_half_grid_differs_between_half_even_and_half_away() -> None:
    # Away from zero: k + 1 for k >= 0, k for k < 0.  Half-even differs for k = 0, 2, .., 126 (64 ties; 127.5 saturates
    # both ways) and for k odd below zero: -127, -125, .., -1 (64 ties).
    p = AffineParams(1.0)
    differ = quantize(HALF_GRID, p, "onnxruntime") != quantize(HALF_GRID, p, "tflite")
    assert differ.sum() == 128


@pytest.mark.parametrize(("zero_point", "differing"), [(0, 0), (1, 256), (2, 0), (3, 256), (-1, 256), (-128, 0)])
def test_half_of_a_half_grid_differs_with_the_side_of_an_odd_zero_point(zero_point: int, differing: int) -> None:
    # A tie k + 1/2: inside gives the even one of k + Z, k + Z + 1; outside gives Z + the even one of k, k + 1.
    # For odd Z these always differ (256 ties of 512 values); for even Z never.  int16: nothing saturates.
    p = AffineParams(1.0, zero_point, int16)
    differ = quantize(HALF_GRID, p, "journey6") != quantize(HALF_GRID, p, "onnxruntime")
    assert differ.sum() == differing


def test_an_even_zero_point_inside_the_rounding_still_shows_beside_a_tie() -> None:
    # v = 0.50000006 (one above 1/2).  Outside: rhe(v) + 2 = 3.  Inside: v + 2 = 2.50000006 lies between the float32
    # 2.5 and 2.50000024, nearer 2.5; rhe(2.5) = 2.
    above_half = np.nextafter(np.float32(0.5), np.float32(1))
    p = AffineParams(1.0, 2, int8)
    assert quantize(above_half, p, "onnxruntime") == 3
    assert quantize(above_half, p, "journey6") == 2


def test_the_float32_below_one_half() -> None:
    # 0.49999997 + 0.5 = 0.99999997 lies midway between the float32 0.99999994 and 1: to even, 1.  Only legacy adds.
    p = AffineParams(1.0)
    codes = {name: int(quantize(BELOW_HALF, p, name)) for name in profiles}
    assert codes.pop("journey6-legacy") == 1
    assert set(codes.values()) == {0}
    # With Z = 1 inside, f32(1.49999997) = 1.5 is already the tie, and even is 2; outside it stays 0 + 1.
    odd = AffineParams(1.0, 1)
    assert quantize(BELOW_HALF, odd, "journey6") == 2
    assert quantize(BELOW_HALF, odd, "onnxruntime") == 1


@pytest.mark.parametrize("profile", list(profiles))
@pytest.mark.parametrize("zero_point", [0, -3, 127])
def test_huge_and_infinite_values_saturate(profile: str, zero_point: int) -> None:
    # Far outside on the right is qmax, on the left qmin; a cast before the clamp would give INT_MIN for both.
    r = np.array([1e20, np.inf, 3e38, -1e20, -np.inf, -3e38], np.float32)
    assert_array_equal(quantize(r, AffineParams(0.01, zero_point), profile), [127, 127, 127, -128, -128, -128])


def test_a_quotient_beyond_float32_saturates() -> None:
    # 3e38 / 2^-126 overflows to infinity, which saturates.
    assert_array_equal(quantize(np.float32([3e38, -3e38]), AffineParams(2.0**-126, 5, int32)), [2**31 - 1, -(2**31)])


def test_subnormal_values_are_real_numbers() -> None:
    # 2^-149 * 3 / 2^-126 = 3 * 2^-23: rounds to 0.  2^-127 / 2^-126 = 1/2: a tie, to even 0; one subnormal more: 1.
    p = AffineParams(2.0**-126)
    r = np.array([3 * 2.0**-149, 2.0**-127, 2.0**-127 + 2.0**-149, -(2.0**-127) - 2.0**-149], np.float32)
    assert_array_equal(quantize(r, p), [0, 0, 1, -1])


def test_division_and_reciprocal_are_two_functions() -> None:
    # S = 15, r = 37.5: 37.5 / 15 = 2.5, a tie, to even 2.  f32(1/15) = 8947849 * 2^-27 = 0.06666667014 is above 1/15;
    # 37.5 times it is 2.50000013, above the midpoint of the float32 2.5 and 2.50000024: 2.50000024, so 3.
    p = AffineParams(15.0)
    assert np.float32(1) / np.float32(15) == np.float32(8947849 * 2.0**-27)
    assert quantize(np.float32(37.5), p, "onnxruntime") == 2
    assert quantize(np.float32(37.5), p, "pytorch") == 3
    # Of the 256 ties 15 (k + 1/2), k in [-128, 127], this happens on 52 of either sign.
    ties = (np.arange(-128, 128) + np.float32(0.5)) * np.float32(15)
    assert (quantize(ties, p, "onnxruntime") != quantize(ties, p, "pytorch")).sum() == 104


def test_float64_input_is_rounded_once_to_float32() -> None:
    # 2.5 + 2^-30 is above the tie in float64, and 2.5 after rounding to float32: code 2.
    assert quantize(np.float64(2.5 + 2.0**-30), AffineParams(1.0)) == 2
    # 1e300 becomes infinity and saturates.
    assert_array_equal(quantize(np.array([1e300, -1e300]), AffineParams(1.0)), [127, -128])


def test_float16_input_is_exact() -> None:
    # 0.3000488 is the float16 nearest 0.3; / 0.1 gives 3.0005 -> 3.  65504 saturates.
    assert_array_equal(quantize(np.array([0.3, 65504, -65504], np.float16), AffineParams(0.1)), [3, 127, -128])


def test_nan_raises_and_counts_and_becomes_the_zero_point_in_kernels() -> None:
    r = np.array([np.nan, 1, np.nan], np.float32)
    with pytest.raises(NotANumberError, match="2 NaN") as caught:
        quantize(r, AffineParams(1.0, 7))
    assert caught.value.count == 2
    for profile in profiles.values():
        assert_array_equal(quantize_unchecked(r, AffineParams(1.0, 7), profile), [7, 8, 7])


def test_integer_input_is_refused() -> None:
    with pytest.raises(ParameterError, match="floats, not int64"):
        quantize(np.array([1, 2]), AffineParams(1.0))


def test_dequantize_int32_beyond_the_integers_of_float32() -> None:
    # 2^24 + 1 lies midway between the float32 2^24 and 2^24 + 2: to even, 2^24.  2^24 + 3 -> 2^24 + 4.
    q = np.array([2**24, 2**24 + 1, 2**24 + 3, -(2**24) - 1, 2**31 - 1], np.int32)
    assert_array_equal(
        dequantize(q, AffineParams(1.0, 0, int32)),
        np.array([2**24, 2**24, 2**24 + 4, -(2**24), 2**31], np.float32),
    )


def test_dequantize_subtracts_exactly_before_it_rounds() -> None:
    # q - Z = (2^31 - 1) - (-2^31) = 2^32 - 1, beyond int32; as float32 2^32.
    q = np.array([2**31 - 1, -(2**31)], np.int32)
    assert_array_equal(dequantize(q, AffineParams(0.5, -(2**31), int32)), np.array([2.0**31, 0], np.float32))
    # (2^24 + 1) - 1 = 2^24 exactly; converting the code first would give 2^24 - 1.
    assert dequantize(np.int32(2**24 + 1), AffineParams(1.0, 1, int32)) == np.float32(2**24)


def test_a_zero_point_that_float32_cannot_hold_is_added_exactly() -> None:
    # Z = 2^24 + 1, v = 1: the exact sum 2^24 + 2 is a float32.  f32(Z) + 1 would be 2^24 + 1 -> 2^24.
    p = AffineParams(1.0, 2**24 + 1, int32)
    assert quantize(np.float32(1), p, "journey6") == 2**24 + 2
    # v = 2.5, Z = 2^24 + 1: the sum 2^24 + 3.5 rounds once to the float32 2^24 + 4.
    assert quantize(np.float32(2.5), p, "journey6") == 2**24 + 4
    # v = 1 + 2^-23, Z = 2^25 + 1: the sum 2^25 + 2 + 2^-23 is just above the midpoint of the float32 2^25 and 2^25 + 4,
    # so 2^25 + 4.  Rounding first to float64 and then to float32 also sees it; a rounding to 2^25 + 2 would lose it.
    assert quantize(np.float32(1 + 2.0**-23), AffineParams(1.0, 2**25 + 1, int32), "journey6") == 2**25 + 4
    # v = 1 - 2^-24, Z = 2^31 - 65: the sum 2^31 - 64 - 2^-24 needs 55 bits.  It is below the midpoint of the float32
    # 2^31 - 128 and 2^31: 2^31 - 128.  Through float64 it would become the midpoint itself and then 2^31: qmax.
    below = np.float32(1 - 2.0**-24)
    assert quantize(below, AffineParams(1.0, 2**31 - 65, int32), "journey6") == 2**31 - 128
    assert np.float32(np.float64(below) + (2**31 - 65)) == 2.0**31


def test_per_channel_scales_lie_along_the_axis() -> None:
    r = np.array([[1, 1], [1, 1], [1, 1]], np.float32)
    # Axis 0: 1/1 + 0, 1/0.5 + 1, 1/0.25 + 2.
    rows = AffineParams([1, 0.5, 0.25], [0, 1, 2], int8, axis=0)
    assert_array_equal(quantize(r, rows), [[1, 1], [3, 3], [6, 6]])
    assert_array_equal(fake_quantize(r, rows), r)
    columns = AffineParams([1, 0.5], [0, 1], uint8, axis=-1)
    assert_array_equal(quantize(r, columns), [[1, 3], [1, 3], [1, 3]])
    with pytest.raises(ParameterError, match=r"needs scales of shape \(2,\)"):
        quantize(r, AffineParams([1, 0.5, 0.25], axis=1))


def test_blocks_share_a_scale_and_the_last_may_be_short() -> None:
    # Five elements in blocks of two: scales 1, 0.5, 0.25 serve elements 0-1, 2-3 and 4.
    r = np.ones((1, 5), np.float32)
    p = AffineParams([[1, 0.5, 0.25]], 0, "int4", axis=1, block_size=2)
    assert_array_equal(quantize(r, p), [[1, 1, 2, 2, 4]])
    assert_array_equal(dequantize(quantize(r, p), p), r)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2)])
def test_no_axes_and_no_elements(shape: tuple[int, ...]) -> None:
    q = quantize(np.zeros(shape, np.float32), AffineParams(1.0, 3))
    assert (q.shape, q.dtype) == (shape, np.int8)
    assert dequantize(q, AffineParams(1.0, 3)).shape == shape


def test_dequantize_wants_the_stored_type() -> None:
    with pytest.raises(ParameterError, match="stored as int8, not int64"):
        dequantize(np.array([1]), AffineParams(1.0))
