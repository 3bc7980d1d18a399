"""Binary and log2 quantizers (docs/math/nonlinear.md)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import any_real, any_scale

from halfeven.errors import NotANumberError, ParameterError
from halfeven.numerics.nonlinear import (
    BinaryParams,
    Log2Params,
    dequantize_binary,
    dequantize_log2,
    quantize_binary,
    quantize_log2,
)

widths = st.integers(2, 8)


def log2_code(r: float, scale: float, kmax: int) -> int:
    """The definition on exact rationals: ``k`` is the nearest integer to ``log2(S / |r|)``, by squares."""
    magnitude = 0
    for k in range(kmax - 1, -1, -1):  # k is nearest, or larger than nearest, where |r| < S 2^-(k - 1/2)
        if Fraction(r) ** 2 >= Fraction(scale) ** 2 / Fraction(2) ** (2 * k + 1):
            magnitude = k + 1
    return -magnitude if r < 0 else magnitude


def test_binary_is_the_sign_times_the_mean_magnitude() -> None:
    # mean(|1|, |-3|, |0|, |0.5|) = 1.125; zero of either sign counts as +1.
    w = np.float32([1, -3, 0.0, 0.5])
    p = BinaryParams.from_tensor(w)
    assert p.scale == np.float32(1.125)
    assert_array_equal(quantize_binary(w, p), np.int8([1, -1, 1, 1]))
    assert_array_equal(quantize_binary(np.float32([-0.0, np.inf, -np.inf, -1e-45]), p), [1, 1, -1, -1])
    assert_array_equal(dequantize_binary(np.int8([1, -1]), p), np.float32([1.125, -1.125]))


def test_binary_a_channel() -> None:
    w = np.float32([[1, -3], [0, 0], [2, 2]])
    p = BinaryParams.from_tensor(w, axis=0)
    assert_array_equal(p.scale, np.float32([2, 1, 2]))  # an all-zero channel gets 1
    assert_array_equal(dequantize_binary(quantize_binary(w, p), p), np.float32([[2, -2], [1, 1], [2, 2]]))
    assert_array_equal(BinaryParams.from_tensor(w, axis=-1).scale, np.float32([1, 5 / 3]))


def test_log2_codes_worked_out() -> None:
    # S = 1, 3 bits: K = 3, codes -3..3 stand for -1/4 -1/2 -1 0 1 1/2 1/4 with |q| = k + 1.
    p = Log2Params(np.float32(1), bits=3)
    assert p.kmax == 3
    assert_array_equal(dequantize_log2(np.int8([-3, -2, -1, 0, 1, 2, 3]), p), [-0.25, -0.5, -1, 0, 1, 0.5, 0.25])
    # The borders are 2^-1/2 = 0.7071068, 2^-3/2 = 0.3535534 and 2^-5/2 = 0.1767767: k = 0, 1, 2 above each, else 0.
    r = np.float32([5, 1, 0.7071068, 0.70710677, 0.35355341, 0.35355338, 0.1767767, 0.17677669, 0, -0.3])
    assert_array_equal(quantize_log2(r, p), [1, 1, 1, 2, 2, 3, 3, 0, 0, -3])


def test_log2_takes_the_largest_magnitude_as_its_scale() -> None:
    p = Log2Params.from_tensor(np.float32([[1, -3], [0, 0]]), bits=4, axis=0)
    assert_array_equal(p.scale, np.float32([3, 1]))
    assert Log2Params.from_tensor(np.float32([1, -3])).scale == 3
    assert_array_equal(quantize_log2(np.float32([[np.inf, -np.inf], [1, 0.5]]), p), [[1, -1], [1, 2]])


@given(any_scale, widths, st.lists(any_real, min_size=1, max_size=20), st.data())
def test_log2_equals_its_definition(scale: float, bits: int, reals: list[float], data: st.DataObject) -> None:
    p = Log2Params(np.float32(scale), bits)
    borders = data.draw(st.lists(st.integers(0, p.kmax), max_size=6))
    near = [float(np.float32(scale * 2.0 ** -(k + 0.5))) for k in borders]
    near = [float(np.nextafter(np.float32(v), np.float32(d))) for v in near for d in (0, v, np.inf)]
    r = np.array(reals + near, np.float32)
    finite = r[np.isfinite(r)]
    expected = [log2_code(float(v), float(p.scale), p.kmax) for v in finite]
    assert_array_equal(quantize_log2(finite, p), expected)


@given(st.floats(2.0**-20, 2.0**20, width=32), widths)
def test_every_log2_code_survives_the_round_trip(scale: float, bits: int) -> None:
    # 2^-20 2^-126 would be subnormal: up to 7 bits (K = 63) every value is normal, and above only the smallest are not.
    p = Log2Params(np.float32(scale), bits)
    q = np.arange(-p.kmax, p.kmax + 1).astype(np.int8)
    q = q[np.abs(q.astype(int)) <= 100]
    assert_array_equal(quantize_log2(dequantize_log2(q, p), p), q)


def test_a_log2_value_below_float32_is_lost() -> None:
    # 2^-100 2^-126 < 2^-150: the product is 0, and 0 is code 0.
    p = Log2Params(np.float32(2.0**-100), bits=8)
    assert dequantize_log2(np.int8(127), p) == 0
    assert quantize_log2(dequantize_log2(np.int8(127), p), p) == 0


@given(any_scale, st.lists(any_real, min_size=1, max_size=20))
def test_binary_codes_survive_the_round_trip(scale: float, reals: list[float]) -> None:
    p = BinaryParams(np.float32(scale))
    q = quantize_binary(np.array(reals, np.float32), p)
    assert_array_equal(q, [-1 if r < 0 else 1 for r in reals])
    assert_array_equal(quantize_binary(dequantize_binary(q, p), p), q)


@given(any_scale, widths, st.lists(any_real, min_size=2, max_size=20))
def test_log2_is_monotone_in_the_real_value(scale: float, bits: int, reals: list[float]) -> None:
    p = Log2Params(np.float32(scale), bits)
    back = dequantize_log2(quantize_log2(np.sort(np.array(reals, np.float32)), p), p)
    assert (back[1:] >= back[:-1]).all()


def test_what_is_refused() -> None:
    p, b = Log2Params(np.float32(1), 3), BinaryParams(np.float32(1))
    for refuse in (lambda r: quantize_log2(r, p), lambda r: quantize_binary(r, b), Log2Params.from_tensor):
        with pytest.raises(NotANumberError, match="1 NaN"):
            refuse(np.float32([1, np.nan]))
    with pytest.raises(ParameterError, match="int8, -1 or"):
        dequantize_binary(np.int8([0]), b)
    with pytest.raises(ParameterError, match=r"3 bits are int8 in \[-3, 3\]"):
        dequantize_log2(np.int8([4]), p)
    for bits in (1, 9):
        with pytest.raises(ParameterError, match="2 to 8 bits"):
            Log2Params(np.float32(1), bits)
    for scale in (0, -1, np.nan, np.inf):
        with pytest.raises(ParameterError, match="scale must be"):
            BinaryParams(np.float32(scale))
    with pytest.raises(ParameterError, match="needs scales of shape"):
        quantize_log2(np.ones((2, 2), np.float32), Log2Params(np.float32([1, 1, 1]), axis=0))
