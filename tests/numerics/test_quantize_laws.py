"""Laws of the affine map, each with the conditions under which float32 makes it one, and a counterexample outside them.

A scale is *roomy* for a qtype when ``S (qmax - qmin)`` does not overflow float32.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from strategies import LARGEST, any_profile, any_qtype, any_scale, narrow_qtype, params, reals_near_codes

from halfeven.numerics.affine import dequantize, fake_quantize, quantize
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, ZeroPoint, profiles
from halfeven.numerics.qtype import QType, int8, int16, int32, uint16
from halfeven.numerics.rounding import Rounding


def all_codes(qtype: QType) -> NDArray[np.integer]:
    return np.arange(qtype.qmin, qtype.qmax + 1).astype(qtype.storage)


def is_roomy(p: AffineParams) -> bool:
    return float(p.scale) * (p.qtype.qmax - p.qtype.qmin) <= LARGEST


@given(params(narrow_qtype), any_profile)
def test_every_code_of_up_to_16_bits_survives_the_round_trip(p: AffineParams, profile: Profile) -> None:
    assume(is_roomy(p))
    q = all_codes(p.qtype)
    assert_array_equal(quantize(dequantize(q, p), p, profile), q)


def test_a_scale_without_room_loses_codes_to_infinity() -> None:
    # 2 * 2^127 overflows: the real value of code 2 is infinity, and infinity is code 127.
    p = AffineParams(2.0**127)
    assert_array_equal(dequantize(np.int8([1, 2]), p), np.float32([2.0**127, np.inf]))
    assert_array_equal(quantize(dequantize(np.int8([1, 2]), p), p), [1, 127])
    # An extreme zero point doubles the room that is needed: (32767 - -32768) * 2^112.5 overflows, 32767 * 2^112.5 not.
    wide = AffineParams(np.float32(2**112.5), -32768, int16)
    assert np.isinf(dequantize(np.int16(32767), wide))
    assert quantize(dequantize(np.int16(32766), wide), wide) == 32767
    assert quantize(dequantize(np.int16(32766), AffineParams(wide.scale, 0, int16)), wide) != 32767


@given(any_scale, any_profile, st.data())
def test_small_int32_codes_survive_the_round_trip(scale: float, profile: Profile, data: st.DataObject) -> None:
    # The quotient of the round trip is within |q - Z| * 1.5 * 2^-23 of q - Z: below 3/8 for |q - Z| <= 2^21.  For
    # |q| <= 2^22 the sum with Z then still rounds to q.
    zero = data.draw(st.integers(-(2**22), 2**22))
    q = np.array(data.draw(st.lists(st.integers(-(2**21), 2**21), min_size=32, max_size=32)), np.int64) + zero
    q = q[np.abs(q) <= 2**22].astype(np.int32)
    p = AffineParams(scale, zero, int32)
    assume(scale * 2.0**21 <= LARGEST)
    assert_array_equal(quantize(dequantize(q, p), p, profile), q)


@pytest.mark.parametrize(
    ("code", "scale", "back", "profile"),
    [
        (2**24 + 1, 1.0, 2**24, "journey6"),  # f32(q) itself rounds
        (4244783, 1.9887081384658813, 4244782, "journey6"),  # just above 2^22: product and quotient round the same way
        (4244783, 1.9887081384658813, 4244782, "onnxruntime"),
        (4194325, 1.8649290800094604, 4194324, "pytorch"),  # 2^22 + 21: three roundings
    ],
)
def test_large_int32_codes_do_not(code: int, scale: float, back: int, profile: str) -> None:
    p = AffineParams(scale, 0, int32)
    assert quantize(dequantize(np.int32(code), p), p, profile) == back


@given(params(), any_profile, st.data())
def test_quantize_is_monotone(p: AffineParams, profile: Profile, data: st.DataObject) -> None:
    r = np.sort(data.draw(reals_near_codes(p)))
    q = quantize(r, p, profile).astype(np.int64)
    assert (np.diff(q) >= 0).all()


@given(params(), st.data())
def test_dequantize_is_monotone(p: AffineParams, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.integers(p.qtype.qmin, p.qtype.qmax), min_size=2, max_size=20))
    r = dequantize(np.sort(np.array(codes).astype(p.qtype.storage)), p)
    assert all(b >= a for a, b in pairwise(r))


@given(params(), st.data())
def test_the_error_is_half_a_step_and_two_roundings(p: AffineParams, data: st.DataObject) -> None:
    r = data.draw(reals_near_codes(p))
    zero = int(p.zero_point)
    for x, q in zip(r[np.isfinite(r)], quantize(r[np.isfinite(r)], p), strict=True):
        steps = Fraction(float(x)) / Fraction(float(p.scale))
        if p.qtype.qmin < q < p.qtype.qmax:
            assert abs(steps - (int(q) - zero)) <= Fraction(1, 2) + (abs(steps) + abs(zero)) / 2**23


@given(params(), any_profile)
def test_real_zero_is_exact(p: AffineParams, profile: Profile) -> None:
    # Added inside the rounding, Z must survive f32(0 + Z), and f32(Z + 0.5) under legacy.
    limit = 2**23 if profile.rounding is Rounding.HALF_UP_FLOAT32 else 2**24
    assume(profile.zero_point is ZeroPoint.OUTSIDE or abs(int(p.zero_point)) <= limit)
    zeros = np.array([0.0, -0.0], np.float32)
    assert_array_equal(quantize(zeros, p, profile), np.full(2, p.zero_point))
    assert_array_equal(dequantize(np.array(p.zero_point).astype(p.qtype.storage), p), 0)


def test_real_zero_is_not_exact_for_an_int32_zero_point_that_float32_cannot_hold() -> None:
    # f32(2^24 + 1) = 2^24; added outside the rounding, as an integer, it is kept.
    p = AffineParams(1.0, 2**24 + 1, int32)
    assert quantize(np.float32(0), p, "journey6") == 2**24
    assert quantize(np.float32(0), p, "onnxruntime") == 2**24 + 1
    # legacy: f32(2^23 + 1 + 0.5) is a tie between 2^23 + 1 and 2^23 + 2, to even.
    assert quantize(np.float32(0), AffineParams(1.0, 2**23 + 1, int32), "journey6-legacy") == 2**23 + 2


@given(params(), any_profile)
def test_values_beyond_the_range_saturate(p: AffineParams, profile: Profile) -> None:
    top = quantize(np.float32([np.inf, LARGEST]), p, profile)
    bottom = quantize(np.float32([-np.inf, -LARGEST]), p, profile)
    assert (top[0], bottom[0]) == (p.qtype.qmax, p.qtype.qmin)
    if LARGEST / float(p.scale) > 2.0**33:
        assert (top[1], bottom[1]) == (p.qtype.qmax, p.qtype.qmin)


@given(params(narrow_qtype), any_profile, st.data())
def test_fake_quantize_is_idempotent(p: AffineParams, profile: Profile, data: st.DataObject) -> None:
    assume(is_roomy(p))
    once = fake_quantize(data.draw(reals_near_codes(p)), p, profile)
    assert_array_equal(fake_quantize(once, p, profile), once)


@given(params(any_qtype, zero=0), st.data())
def test_journey6_equals_onnxruntime_without_a_zero_point(p: AffineParams, data: st.DataObject) -> None:
    assume(p.qtype.qmin <= 0)
    r = data.draw(reals_near_codes(p))
    assert_array_equal(quantize(r, p, "journey6"), quantize(r, p, "onnxruntime"))


@given(st.sampled_from([int8, int16, uint16]), st.integers(-126, 100), st.data())
def test_division_equals_reciprocal_for_powers_of_two(qtype: QType, exponent: int, data: st.DataObject) -> None:
    p = AffineParams(2.0**exponent, 0, qtype)
    r = data.draw(reals_near_codes(p))
    assert_array_equal(quantize(r, p, "onnxruntime"), quantize(r, p, "pytorch"))


@given(params(narrow_qtype), st.data())
def test_profiles_differ_by_one_code_at_most(p: AffineParams, data: st.DataObject) -> None:
    # For 16-bit codes every quotient and sum is within 2^-6 of the exact value, so only the neighbour can be chosen.
    r = data.draw(reals_near_codes(p))
    codes = np.stack([quantize(r, p, profile).astype(np.int64) for profile in profiles.values()])
    assert (codes.max(axis=0) - codes.min(axis=0) <= 1).all()
