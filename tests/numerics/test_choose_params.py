"""Scale and zero point from a range, and what parameters are refused (docs/math/affine.md eq. 3, 4)."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import oracle
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import LARGEST, SMALLEST, any_qtype, narrow_qtype

from halfeven.errors import HalfevenError, ParameterError
from halfeven.numerics.affine import dequantize, quantize
from halfeven.numerics.params import AffineParams, choose_params
from halfeven.numerics.profile import JOURNEY6, Profile, get_profile
from halfeven.numerics.qtype import QType, get_qtype, int4, int8, int16, uint8

finite = st.floats(-1e30, 1e30)


def test_symmetric_divides_by_the_lowest_code() -> None:
    # max(|-1|, |2|) / 128 = 2^-6; int16: 2 / 32768 = 2^-14.
    assert choose_params(-1, 2) == AffineParams(2.0**-6, 0, int8)
    assert choose_params(-1, 2, int16) == AffineParams(2.0**-14, 0, int16)
    # narrow: [-127, 127], 2 / 127 rounded once to float32.
    assert choose_params(-1, 2, narrow=True) == AffineParams(np.float32(2 / 127), 0, int8)


def test_asymmetric_spreads_the_range_over_the_codes() -> None:
    # S = (2 - -1) / 255 = 1/85.  Z = rhe(127 - 2 * 85) = -43.
    assert choose_params(-1, 2, int8, symmetric=False) == AffineParams(np.float32(1 / 85), -43, int8)
    # uint8: Z = 255 - 170 = 85.
    assert choose_params(-1, 2, uint8, symmetric=False) == AffineParams(np.float32(1 / 85), 85, uint8)
    # narrow: [-127, 127] has 254 steps.  S = 3/254, Z = rhe(127 - 2 * 254 / 3) = rhe(-42.33) = -42.
    assert choose_params(-1, 2, int8, symmetric=False, narrow=True) == AffineParams(np.float32(3 / 254), -42, int8)


def test_the_zero_point_rounds_its_ties_to_even() -> None:
    # S = 1: (127.5 - -127.5) / 255.  Z = rhe(127 - 127.5) = rhe(-0.5) = 0; and 126.5: rhe(0.5) = 0; 125.5: 2.
    assert choose_params(-127.5, 127.5, symmetric=False) == AffineParams(1.0, 0)
    assert choose_params(-128.5, 126.5, symmetric=False) == AffineParams(1.0, 0)
    assert choose_params(-129.5, 125.5, symmetric=False) == AffineParams(1.0, 2)


def test_a_one_sided_range_is_widened_to_zero() -> None:
    # [3, 5.1] becomes [0, 5.1]: S = 5.1 / 255 = 0.02, Z = qmin.  [-5.1, -3] becomes [-5.1, 0]: Z = qmax.
    assert choose_params(3, 5.1, uint8, symmetric=False) == AffineParams(np.float32(5.1 / 255), 0, uint8)
    assert choose_params(-5.1, -3, int8, symmetric=False) == AffineParams(np.float32(5.1 / 255), 127, int8)
    assert choose_params(3, 5.1) == AffineParams(np.float32(5.1 / 128))


def test_an_empty_range_gives_scale_one() -> None:
    assert choose_params(0, 0) == AffineParams(1.0)
    # eq. 4 with rmax = 0: Z = qmax.
    assert choose_params(0, 0, uint8, symmetric=False) == AffineParams(1.0, 255, uint8)
    assert choose_params([0, -1], [0, 1], axis=0) == AffineParams([1, 1 / 128], 0, int8, axis=0)


def test_a_subnormal_scale_becomes_the_smallest_normal() -> None:
    assert choose_params(-1e-40, 1e-40) == AffineParams(2.0**-126)
    assert choose_params(-(2.0**-119), 0) == AffineParams(2.0**-126)  # 2^-119 / 128: normal by itself
    # [0, 1e-300]: Z = rhe(127 - 1e-300 / 2^-126) = 127: the whole range is code 127 = real zero.
    assert choose_params(0, 1e-300, symmetric=False) == AffineParams(2.0**-126, 127)


def test_the_widest_range_keeps_a_finite_scale() -> None:
    assert choose_params(-LARGEST, LARGEST, symmetric=False).scale == np.float32(2 * LARGEST / 255)
    assert choose_params(-1e300, 1e300).scale == np.float32(LARGEST)


def test_a_channel_each() -> None:
    p = choose_params(np.array([-1, -3.0]), np.array([0.5, 6]), int4, axis=0)
    assert p == AffineParams([1 / 8, 6 / 8], 0, int4, axis=0)


@given(finite, finite, any_qtype, st.booleans())
def test_choose_params_equals_its_definition(a: float, b: float, qtype: QType, narrow: bool) -> None:
    lo, hi = min(a, b), max(a, b)
    p = choose_params(lo, hi, qtype, symmetric=False, narrow=narrow)
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    qmin = qtype.qmin + narrow
    scale = 1.0 if hi == lo else max((hi - lo) / (qtype.qmax - qmin), SMALLEST)
    assert float(p.scale) == float(oracle.float32(Fraction(scale)))
    zero = oracle.half_even(Fraction(qtype.qmax - hi / float(p.scale)))
    assert p.zero_point == oracle.clamp(zero, qmin, qtype.qmax)


@given(finite, finite, narrow_qtype, st.booleans())
def test_zero_is_a_code_and_the_range_is_covered(a: float, b: float, qtype: QType, symmetric: bool) -> None:
    assume(qtype.signed or not symmetric)
    lo, hi = min(a, b, 0.0), max(a, b, 0.0)
    p = choose_params(lo, hi, qtype, symmetric=symmetric)
    assert quantize(np.float32(0), p) == p.zero_point
    first, last = dequantize(np.array([qtype.qmin, qtype.qmax]).astype(qtype.storage), p).astype(np.float64)
    # The top of a symmetric range is one step short; Z moves the grid by up to half a step; S is rounded to float32,
    # which is 2^-8 of a step over 65536 of them.
    slack = 1.01 * float(p.scale)
    assert first <= lo + slack
    assert last >= hi - slack


@pytest.mark.parametrize(
    ("lo", "hi", "options", "message"),
    [
        (1, -1, {}, "lo must not exceed hi"),
        (math.nan, 1, {}, "must be finite"),
        (0, math.inf, {}, "must be finite"),
        (-1, 1, {"qtype": "uint8"}, "symmetric needs a signed qtype, and uint8 is not"),
        (-1, 1, {"qtype": "int9"}, "no qtype is named 'int9'"),
        ([-1, -1], [1, 1], {}, "need an axis"),
    ],
)
def test_ranges_that_cannot_be(lo: object, hi: object, options: dict[str, str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        choose_params(lo, hi, **options)


@pytest.mark.parametrize("scale", [0, -1, math.nan, math.inf, 1e-39, 1e39, 2.0**-127])
def test_scales_that_cannot_be(scale: float) -> None:
    with pytest.raises(ParameterError, match="finite, positive, normal float32"):
        AffineParams(scale)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 1, "zero_point": 128}, r"zero_point 128 is outside int8's codes \[-128, 127\]"),
        ({"scale": 1, "zero_point": -1, "qtype": "uint8"}, "outside uint8"),
        ({"scale": 1, "zero_point": 0.5}, "must be an integer"),
        ({"scale": [1, 2]}, "need an axis"),
        ({"scale": 1, "axis": 0}, "one scale a channel"),
        ({"scale": 1, "block_size": 2}, "block_size needs an axis"),
        ({"scale": [[1]], "axis": 0, "block_size": 0}, "must be >= 1"),
        ({"scale": [1, 2], "zero_point": [0, 0, 0], "axis": 0}, "zero_point has shape"),
    ],
)
def test_parameters_that_cannot_be(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        AffineParams(**arguments)


def test_a_scale_is_rounded_once_to_float32_and_frozen() -> None:
    p = AffineParams(0.1)
    assert p.scale.dtype == np.float32
    assert p.scale == np.float32(0.1)
    with pytest.raises(ValueError, match="read-only"):
        p.scale[...] = 1


def test_an_axis_that_does_not_exist() -> None:
    with pytest.raises(ParameterError, match=r"axis 2 does not exist in a tensor of shape \(3, 2\)"):
        quantize(np.ones((3, 2), np.float32), AffineParams([1, 1], axis=2))


def test_names_are_looked_up_and_values_pass() -> None:
    assert get_profile("journey6") is JOURNEY6
    assert get_profile(JOURNEY6) is JOURNEY6
    assert get_qtype("int4") is int4
    for wrong in ("journey5", "", "JOURNEY6"):
        with pytest.raises(HalfevenError, match="no profile is named"):
            get_profile(wrong)


def test_a_profile_of_ones_own() -> None:
    mine = Profile("mine", "reciprocal, Z inside", scaling=get_profile("pytorch").scaling)
    assert_array_equal(quantize(np.float32([37.5]), AffineParams(15.0), mine), [3])
