"""From an integer sum to a code: values worked out, and every method against its exact oracle."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from strategies import accumulators, accumulators_near_ties, integer_profile, multipliers, params

from halfeven.errors import ParameterError
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, Requantize, profiles
from halfeven.numerics.qtype import int8, int16, int32, uint8
from halfeven.numerics.requantize import requantize, scale_accumulator

ONE = AffineParams(1.0, 0, int32)  # the output's own scale plays no part in requantize
HALF_EVEN = Profile("even", "")
HALF_UP = Profile("up", "", requantize=Requantize.EXACT_HALF_UP)
DOUBLE = Profile("double", "", requantize=Requantize.DOUBLE_ROUNDING)
FLOAT32 = Profile("float", "", requantize=Requantize.FLOAT32)
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def of(acc: list[int], m: Multiplier, profile: str | Profile = "journey6") -> list[int]:
    return requantize(np.array(acc, np.int64), m, ONE, profile).tolist()


def test_ties_by_method() -> None:
    # M = 1/4: 2/4 = 0.5, 6/4 = 1.5, 10/4 = 2.5 and their negatives.
    quarter = Multiplier.from_real(0.25)
    acc = [-10, -6, -2, 2, 6, 10]
    assert of(acc, quarter, HALF_EVEN) == [-2, -2, 0, 0, 2, 2]
    assert of(acc, quarter, HALF_UP) == [-2, -1, 0, 1, 2, 3]
    # Two roundings: acc / 2 exactly, then / 2: ties away from zero.
    assert of(acc, quarter, DOUBLE) == [-3, -2, -1, 1, 2, 3]
    assert of(acc, quarter, FLOAT32) == [-2, -2, 0, 0, 2, 2]


def test_two_roundings_are_not_one() -> None:
    # M = 1/4 as M0 = 2^30, shift = 32.  acc = 5: 1.25 -> 1.  The high multiply gives 5/2 = 2.5 -> 3 (its ties go up),
    # and 3/2 = 1.5 -> 2 (away from zero): a rounding of a rounding.  -5: -2.5 -> -2 (up), -2/2 = -1.
    # -7: -1.75 -> -2.  -3.5 -> -3, then -1.5 -> -2.  -3: -0.75 -> -1.  -1.5 -> -1, then -0.5 -> -1.
    assert of([5, -5, -7, -3], Multiplier.from_real(0.25), HALF_EVEN) == [1, -1, -2, -1]
    assert of([5, -5, -7, -3], Multiplier.from_real(0.25), DOUBLE) == [2, -1, -2, -1]


def test_a_multiplier_of_one_or_more_shifts_left() -> None:
    # M = 3 (n = -2): exact.  M = 2^40 saturates.
    assert of([5, -7, INT32_MAX], Multiplier.from_real(3.0)) == [15, -21, INT32_MAX]
    assert of([1, 0, -1], Multiplier.from_real(2.0**40)) == [INT32_MAX, 0, INT32_MIN]
    # M = 1.5 (shift 30, still a right shift): 1.5 -> 2, 4.5 -> 4, -1.5 -> -2.
    assert of([1, 3, -1], Multiplier.from_real(1.5)) == [2, 4, -2]
    # M0 = 2^30, shift 0: M = 2^30.
    assert of([1, -2, 2], Multiplier.from_real(2.0**30)) == [2**30, INT32_MIN, INT32_MAX]


def test_a_left_shift_saturates_before_the_high_multiply() -> None:
    # M = 2 as M0 = 2^30, shift = 29: left by 2, then half.  2^30 * 4 saturates to 2^31 - 1; rounded half of it is 2^30.
    assert of([2**30, 5], Multiplier.from_real(2.0), DOUBLE) == [2**30, 10]
    assert of([2**30, 5], Multiplier.from_real(2.0), HALF_EVEN) == [INT32_MAX, 10]
    # M = 2^31 as M0 = 2^30, shift = -1: 1 << 32 saturates, -1 << 32 to -2^31; halved.
    assert of([1, 0, -1], Multiplier(np.int64(2**30), np.int64(-1)), DOUBLE) == [2**30, 0, -(2**30)]


@pytest.mark.parametrize("profile", [HALF_EVEN, HALF_UP, DOUBLE])
@pytest.mark.parametrize("shift", [63, 64, 100, 2000])
def test_a_shift_beyond_62_gives_zero(profile: Profile, shift: int) -> None:
    # |acc M0| < 2^62, so the quotient is below one half.
    m = Multiplier(np.int64(2**31 - 1), np.int64(shift))
    assert of([INT32_MIN, -1, 0, 1, INT32_MAX], m, profile) == [0, 0, 0, 0, 0]


def test_a_shift_of_62_still_rounds() -> None:
    # -2^31 (2^31 - 1) / 2^62 = -1 + 2^-31 -> -1.  -2^31 * 2^30 / 2^62 = -1/2: a tie, to even 0; half up also 0.
    top, half = Multiplier(np.int64(2**31 - 1), np.int64(62)), Multiplier(np.int64(2**30), np.int64(62))
    assert of([INT32_MIN, INT32_MAX], top) == [-1, 1]
    assert of([INT32_MIN, INT32_MAX], half) == [0, 0]
    assert of([INT32_MIN, INT32_MAX], half, HALF_UP) == [0, 0]


def test_a_shift_of_61_at_the_ends() -> None:
    # -2^61 / 2^61 = -1 exactly; (2^31 - 1) 2^30 / 2^61 = 1 - 2^-31 -> 1.
    m = Multiplier(np.int64(2**30), np.int64(61))
    assert of([INT32_MIN, INT32_MAX, -(2**30), 2**30], m) == [-1, 1, 0, 0]


def test_sums_wider_than_32_bits_are_exact() -> None:
    # 3 * 2^40 * 2^-41 = 1.5 -> 2;  (2^53 + 1) / 2 = 2^52 + 1/2 -> 2^52, where float64 could not even hold the sum.
    assert of([3 << 40], Multiplier.from_real(2.0**-41)) == [2]
    wide = scale_accumulator(np.int64([2**53 + 1, 2**53 + 3]), Multiplier.from_real(0.5), Requantize.EXACT_HALF_EVEN)
    assert wide.tolist() == [2**52, 2**52 + 2]
    assert of([2**63 - 1, -(2**63)], Multiplier.from_real(2.0**20)) == [INT32_MAX, INT32_MIN]
    assert of([2**62, -(2**62)], Multiplier.from_real(2.0**-62)) == [1, -1]
    # A result that saturates int64 must not wrap when Z is added.
    for zero_point in (-3, 3):
        p = AffineParams(1.0, zero_point, int8)
        assert requantize(np.int64([2**62, -(2**62)]), Multiplier.from_real(2.0**20), p).tolist() == [127, -128]


def test_a_product_in_float32_is_another_function() -> None:
    # acc = 2^24 + 1, M = 1: f32(acc) = 2^24.
    assert of([2**24 + 1], Multiplier.from_real(1.0), FLOAT32) == [2**24]
    assert of([2**24 + 1], Multiplier.from_real(1.0, 24), HALF_EVEN) == [2**24 + 1]
    # M = f32(0.1) = 13421773 * 2^-27, acc = 5: acc M = 67108865 * 2^-27 = 1/2 + 2^-27, so 1.  In float32 the product is
    # 1/2, a tie, so 0.
    tenth = Multiplier.from_real(float(np.float32(0.1)), 24)
    assert tenth.m0 == 13421773
    assert of([5], tenth, HALF_EVEN) == [1]
    assert of([5], tenth, FLOAT32) == [0]


@pytest.mark.parametrize("zero_point", [-128, -3, 5, 127])
def test_the_zero_point_is_added_after_the_rounding(zero_point: int) -> None:
    # M = 1/2: 1 -> 1/2 -> 0, 3 -> 3/2 -> 2, for every Z, odd or even.
    p = AffineParams(1.0, zero_point, int8)
    q = requantize(np.array([-3, -1, 1, 3]), Multiplier.from_real(0.5), p)
    assert_array_equal(q, np.clip(np.array([-2, 0, 0, 2]) + zero_point, -128, 127))


def test_a_multiplier_a_channel_lies_along_the_axis() -> None:
    m = Multiplier.from_real([1.0, 0.5])
    acc = np.array([[3, 3], [5, 5]], np.int32)
    assert_array_equal(requantize(acc, m, ONE, axis=1), [[3, 2], [5, 2]])
    assert_array_equal(requantize(acc, m, ONE, axis=0), [[3, 3], [2, 2]])
    assert_array_equal(requantize(acc, m, AffineParams([1, 1], [0, 9], int8, axis=-1)), [[3, 11], [5, 11]])
    with pytest.raises(ParameterError, match="needs axis="):
        requantize(acc, m, ONE)
    with pytest.raises(ParameterError, match=r"shape \(2,\) do not fit axis 1"):
        requantize(np.zeros((2, 3), np.int32), m, ONE, axis=1)


def test_channels_with_right_left_and_far_shifts_together() -> None:
    m = Multiplier(np.int64([2**30, 2**30, 2**31 - 1, 0]), np.int64([-3, 31, 90, 0]))
    acc = np.array([[1, 3, INT32_MAX, 12]])
    assert_array_equal(requantize(acc, m, ONE, axis=1), [[INT32_MAX, 2, 0, 0]])


@given(multipliers(), st.lists(accumulators, min_size=1, max_size=20), params(), integer_profile)
def test_every_method_equals_its_oracle(m: Multiplier, acc: list[int], p: AffineParams, profile: Profile) -> None:
    sums: NDArray[np.int64] = np.concatenate([np.array(acc, np.int64), accumulators_near_ties(m)])
    assert profile.requantize is not None
    expected = [
        oracle.requantize(
            int(a), int(m.m0), int(m.shift), int(p.zero_point), p.qtype.qmin, p.qtype.qmax, profile.requantize
        )
        for a in sums
    ]
    assert_array_equal(requantize(sums, m, p, profile), expected)


@given(multipliers(), st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20), st.booleans())
def test_wide_sums_equal_the_oracle(m: Multiplier, acc: list[int], half_up: bool) -> None:
    method = Requantize.EXACT_HALF_UP if half_up else Requantize.EXACT_HALF_EVEN
    expected = [oracle.requantize(a, int(m.m0), int(m.shift), 0, INT32_MIN, INT32_MAX, method) for a in acc]
    assert of(acc, m, HALF_UP if half_up else HALF_EVEN) == expected


@given(multipliers(24), st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_wide_sums_in_float32_equal_the_oracle(m: Multiplier, acc: list[int]) -> None:
    expected = [oracle.requantize(a, int(m.m0), int(m.shift), 0, INT32_MIN, INT32_MAX, Requantize.FLOAT32) for a in acc]
    assert of(acc, m, FLOAT32) == expected


MAGIC = 3 * 2**51


def low_word(real: float) -> int:
    """The low 32 bits of a double's encoding, in two's complement."""
    return int(np.float64(real).view(np.int64).astype(np.int32))


@given(st.integers(2**30, 2**31 - 1), st.integers(31, 62), st.lists(accumulators, min_size=1, max_size=20))
def test_one_fused_multiply_add_gives_the_code(m0: int, shift: int, acc: list[int]) -> None:
    # docs/math/requantize.md: a fraction converts to float with one rounding, as the fused operation rounds once.
    m = Multiplier(np.int64(m0), np.int64(shift))
    for a in (*acc, *accumulators_near_ties(m)):
        fused = float(Fraction(int(a) * m0, 2**shift) + MAGIC)
        assert low_word(fused) == oracle.half_even(Fraction(int(a) * m0, 2**shift))
        p = int(a) * m0
        assert (p + (1 << (shift - 1)) - 1 + ((p >> shift) & 1)) >> shift == oracle.half_even(Fraction(p, 2**shift))


def test_a_product_rounded_before_the_sum_does_not() -> None:
    acc, m0, shift = 46684427, 1073741847, 33
    assert low_word(float(acc) * (m0 * 2.0**-shift) + MAGIC) == 5835554
    assert low_word(float(Fraction(acc * m0, 2**shift) + MAGIC)) == 5835553
    assert of([acc], Multiplier(np.int64(m0), np.int64(shift))) == [5835553]


@given(multipliers(), st.lists(accumulators, min_size=2, max_size=20), integer_profile)
def test_requantize_is_monotone(m: Multiplier, acc: list[int], profile: Profile) -> None:
    q = requantize(np.sort(np.array(acc)), m, AffineParams(1.0, 3, int16), profile).astype(np.int64)
    assert (np.diff(q) >= 0).all()


@pytest.mark.parametrize("right", [1, 2, 3, 5, 7])
def test_two_roundings_differ_in_a_share_that_halves_with_each_bit_shifted(right: int) -> None:
    # The first rounding leaves `right` fraction bits.  It lands on a tie once in 2^right, from below half of the times,
    # and is then rounded away from zero although the exact value is nearer zero: 2^-(right + 1).
    rng = np.random.default_rng(20240607)
    m = Multiplier(rng.integers(2**30, 2**31, 100), np.full(100, 31 + right))
    acc = rng.integers(-(2**24), 2**24, (4000, 100))
    one, two = (requantize(acc, m, ONE, profile, axis=1) for profile in ("tflite", "tflite-double"))
    share = (one != two).mean()
    assert abs(share * 2.0 ** (right + 1) - 1) < 0.05
    assert np.abs(one.astype(np.int64) - two).max() == 1


@pytest.mark.parametrize("acc", [np.float32([1]), np.array([True]), np.uint64([1])])
def test_sums_are_integers(acc: NDArray[np.generic]) -> None:
    with pytest.raises(ParameterError, match="requantize expects"):
        requantize(acc, Multiplier.from_real(0.5), ONE)


def test_two_roundings_are_for_int32_sums() -> None:
    with pytest.raises(ParameterError, match="int32 sums only"):
        of([2**31], Multiplier.from_real(0.5), DOUBLE)


def test_pytorch_defines_no_requantize() -> None:
    with pytest.raises(ParameterError, match="profile pytorch defines no requantize"):
        of([1], Multiplier.from_real(0.5), "pytorch")
    assert {n for n, p in profiles.items() if p.requantize is None} == {"pytorch"}


def test_no_sums_and_no_axes() -> None:
    m, p = Multiplier.from_real(0.5), AffineParams(1.0, 4, uint8)
    assert requantize(np.zeros((0, 3), np.int32), m, p).shape == (0, 3)
    q = requantize(np.int32(7), m, p)
    assert (q.shape, q.dtype, int(q)) == ((), np.uint8, 8)
