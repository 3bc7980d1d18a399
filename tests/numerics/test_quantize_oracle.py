"""Quantize and dequantize against the exact rational oracle, in every profile."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import oracle
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import any_profile, params, reals_near_codes

from halfeven.numerics.affine import dequantize, quantize
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, profiles


def expected_codes(r: np.ndarray, p: AffineParams, profile: Profile) -> list[int]:
    scale, zero, t = float(p.scale), int(p.zero_point), p.qtype
    return [oracle.quantize(float(x), scale, zero, t.qmin, t.qmax, profile) for x in r]


@given(params(), any_profile, st.data())
def test_quantize_equals_the_oracle(p: AffineParams, profile: Profile, data: st.DataObject) -> None:
    r = data.draw(reals_near_codes(p))
    assert_array_equal(quantize(r, p, profile), expected_codes(r, p, profile))


@pytest.mark.parametrize("profile", list(profiles.values()), ids=list(profiles))
@pytest.mark.parametrize(
    "p",
    [AffineParams(0.37, 3, "int8"), AffineParams(2.0**-126, 1, "uint16"), AffineParams(3e37, -7, "int32")],
    ids=["usual", "smallest", "large"],
)
def test_every_eighth_bfloat16_equals_the_oracle(p: AffineParams, profile: Profile) -> None:
    # All signs and exponents of float32, subnormals included, with 16 significands each.
    r = (np.arange(0, 1 << 16, 8, dtype=np.uint32) << np.uint32(16)).view(np.float32)
    r = r[~np.isnan(r)]
    assert_array_equal(quantize(r, p, profile), expected_codes(r, p, profile))


@given(params(), st.data())
def test_dequantize_equals_the_oracle(p: AffineParams, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.integers(p.qtype.qmin, p.qtype.qmax), min_size=1, max_size=20))
    r = dequantize(np.array(codes).astype(p.qtype.storage), p)
    for code, real in zip(codes, r, strict=True):
        expected = oracle.dequantize(code, float(p.scale), int(p.zero_point))
        assert float(real) == float(expected)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
@example(1.0, 2.0**-24)
@example(2.0**-126, -(2.0**-150))
@example(3.4028235677973366e38, 0.0)  # the smallest that rounds to infinity
def test_the_oracle_rounds_to_float32_as_the_hardware_does(a: float, b: float) -> None:
    # A double rounds once to float32 in hardware; the oracle must agree before anything is compared with it.
    for value in (a, b, a * 2.0**-1000):
        with np.errstate(over="ignore", under="ignore"):
            hardware = float(np.float32(value))
        assert float(oracle.float32(Fraction(value))) == hardware
    if abs(a) < 1e30 and abs(b) < 1e30:  # and sums and quotients of float32, by the hardware's own operations
        x, y = np.float32(a), np.float32(b)
        assert float(oracle.float32(Fraction(float(x)) + Fraction(float(y)))) == float(x + y)
        if y != 0:
            with np.errstate(over="ignore", under="ignore"):
                quotient = float(x / y)
            assert float(oracle.float32(Fraction(float(x)) / Fraction(float(y)))) == quotient


def test_the_oracle_rounds_integers_as_stated() -> None:
    halves = [Fraction(k, 2) for k in range(-5, 6)]
    assert [oracle.half_even(v) for v in halves] == [-2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2]
    assert [oracle.half_up(v) for v in halves] == [-2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3]
    assert [oracle.half_away(v) for v in halves] == [-3, -2, -2, -1, -1, 0, 1, 1, 2, 2, 3]
    assert math.isinf(float(oracle.float32(Fraction(2) ** 128)))
