"""Real multipliers as integers (docs/math/requantize.md eq. 8)."""

from __future__ import annotations

import math

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfeven.errors import ParameterError
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import profiles

positive = st.one_of(st.floats(2.0**-40, 2.0**20), st.floats(2.0**-400, 2.0**400))


def pair(m: Multiplier) -> tuple[int, int]:
    return int(m.m0), int(m.shift)


@pytest.mark.parametrize(
    ("value", "m0", "shift"),
    [
        # 0.5 = 2^30 * 2^-31: n = 0.   1 = 2^30 * 2^-30: n = -1.   3 = 1.5 * 2^30 * 2^-29: n = -2.
        (0.5, 2**30, 31),
        (1.0, 2**30, 30),
        (3.0, 3 * 2**29, 29),
        (2.0**40, 2**30, -10),
        (0.0, 0, 0),
        # 0.1 = 0.8 * 2^-3: M0 = rhe(0.8 * 2^31) = rhe(1717986918.4).
        (0.1, 1717986918, 34),
        # 1 - 2^-40: 2^31 - 2^-9 rounds up to 2^31, so M0 = 2^30 and one shift less: M = 1.
        (1 - 2.0**-40, 2**30, 30),
        (0.5 - 2.0**-41, 2**30, 31),
        # M0 = 2^30 + 1/2 is a tie, to even 2^30; 2^30 + 3/2 -> 2^30 + 2.
        ((2**30 + 0.5) * 2.0**-31, 2**30, 31),
        ((2**30 + 1.5) * 2.0**-31, 2**30 + 2, 31),
        # The largest M0 is kept: 2^31 - 1.  2^31 - 1/2 is a tie, to even 2^31.
        ((2**31 - 1) * 2.0**-31, 2**31 - 1, 31),
        ((2**31 - 0.5) * 2.0**-31, 2**30, 30),
        # Float64's smallest subnormal, 2^-1074 = 2^30 * 2^-1104.
        (5e-324, 2**30, 1104),
    ],
)
def test_values_worked_out(value: float, m0: int, shift: int) -> None:
    m = Multiplier.from_real(value)
    assert pair(m) == (m0, shift)
    assert m.n == shift - 31


def test_tensorflow_lite_rounds_m0_itself_half_away() -> None:
    # 2^30 + 1/2 goes up.
    m = Multiplier.from_real((2**30 + 0.5) * 2.0**-31, half_away=True)
    assert pair(m) == (2**30 + 1, 31)


@pytest.mark.parametrize(
    ("bits", "m0", "shift"), [(15, 26214, 18), (24, 13421773, 27), (31, 1717986918, 34), (1, 1, 3)]
)
def test_widths_of_m0(bits: int, m0: int, shift: int) -> None:
    # 0.1 = 0.8 * 2^-3: 0.8 * 2^15 = 26214.4; 0.8 * 2^24 = 13421772.8; with one bit 0.8 * 2 = 1.6 -> 2 = 2^1, so 1 and
    # a shift less: 2^-3.
    assert pair(Multiplier.from_real(0.1, bits)) == (m0, shift)


@given(positive, st.integers(1, 31), st.booleans())
def test_from_real_equals_its_definition(value: float, bits: int, half_away: bool) -> None:
    m = Multiplier.from_real(value, bits, half_away=half_away)
    assert pair(m) == oracle.multiplier(value, bits, half_away_from_zero=half_away)
    assert abs(float(m.value) - value) <= value * 2.0**-bits  # half a unit of M0 >= 2^(bits - 1)


@given(st.floats(2.0**-60, 2.0**60, width=32))
def test_a_float32_fits_24_bits_exactly(value: float) -> None:
    for bits in (24, 31):
        assert float(Multiplier.from_real(value, bits).value) == value


def test_scales_combine_in_float64_or_in_float32_steps() -> None:
    s1, s2, s3 = np.float32([0.1, 0.3, 0.7])
    exact = Multiplier.from_scales((s1, s2), s3, "journey6")
    assert pair(exact) == oracle.multiplier(float(s1) * float(s2) / float(s3), 31)
    stepwise = Multiplier.from_scales((s1, s2), s3, "onnxruntime")
    assert float(stepwise.value) == float(s1 * s2 / s3)
    assert stepwise.bits == 24
    # The two differ here by one unit in the last place of float32: f32(S1 S2 / S3) is another number.
    assert float(stepwise.value) != float(np.float32(float(s1) * float(s2) / float(s3)))


@pytest.mark.parametrize("name", [n for n, p in profiles.items() if p.requantize is not None])
def test_a_multiplier_a_channel(name: str) -> None:
    scales = np.float32([0.1, 0.2, 1.0])
    m = Multiplier.from_scales((np.float32(0.5), scales), np.float32(0.3), name)
    for k, s in enumerate(scales):
        assert pair(Multiplier.from_scales((np.float32(0.5), s), np.float32(0.3), name)) == (m.m0[k], m.shift[k])


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, [0.5, -0.5]])
def test_values_that_cannot_be(value: float) -> None:
    with pytest.raises(ParameterError, match="finite and not negative"):
        Multiplier.from_real(value)


@pytest.mark.parametrize(("m0", "bits"), [(2**29, 31), (2**31, 31), (-(2**30), 31), (2**24, 24)])
def test_m0_outside_its_width(m0: int, bits: int) -> None:
    with pytest.raises(ParameterError, match="M0 must lie in"):
        Multiplier(np.int64(m0), np.int64(31), bits)


@pytest.mark.parametrize("bits", [0, 32])
def test_widths_that_cannot_be(bits: int) -> None:
    with pytest.raises(ParameterError, match="1 to 31 bits"):
        Multiplier.from_real(0.5, bits)


def test_equal_values_are_equal_and_hash_alike() -> None:
    assert Multiplier.from_real(0.1) == Multiplier.from_real(0.1)
    assert hash(Multiplier.from_real(0.1)) == hash(Multiplier.from_real(0.1))
    assert Multiplier.from_real(0.1) != Multiplier.from_real(0.1, 24)
    assert Multiplier.from_real([0.1, 0.1]) != Multiplier.from_real([0.1, 0.2])
