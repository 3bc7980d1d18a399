"""The board headers against the NumPy reference: every profile and type, random and adversarial numbers, two modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from halfeven.numerics.affine import dequantize, quantize_unchecked
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.nonlinear import (
    BinaryParams,
    Log2Params,
    dequantize_binary,
    dequantize_log2,
    quantize_binary,
    quantize_log2,
)
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, Requantize, profiles
from halfeven.numerics.qtype import QTYPES, QType, get_qtype
from halfeven.numerics.requantize import clamp_codes, scale_accumulator

Program = Callable[..., NDArray[Any]]

SCALES = [1.0, 0.1, 2.0**-15, 1.17549435e-38, 3.4028235e38]
MODES = ["nearest", "up+flush"]
METHODS = list(Requantize)
REAL_MULTIPLIERS = [0.5, 1.0 - 2.0**-33, 3.75e-4, 2.0**-30 * 1.3, 1.0, 5.3, 2.0**20, 2.0**-40]


def hexadecimal(x: float) -> str:
    return f"{np.float32(x).view(np.uint32):08x}"


def edge_floats() -> NDArray[np.float32]:
    """Every exponent with a few fractions, both signs: zeros, subnormals, infinities and NaN among them."""
    fractions = np.array([0, 1, 0x400000, 0x400001, 0x3FFFFF, 0x7FFFFF], np.uint32)
    positive = (np.arange(256, dtype=np.uint32)[:, None] << 23 | fractions).reshape(-1)
    return np.concatenate([positive, positive | np.uint32(1 << 31)]).view(np.float32)


def real_numbers(scale: float, qtype: QType, seed: int) -> NDArray[np.float32]:
    """Edges, random patterns, numbers over twice the range of codes, ties and their neighbours."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 2**32, 5000, dtype=np.uint32).view(np.float32)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        spread = (rng.uniform(-2.0, 2.0, 5000) * qtype.levels * float(scale)).astype(np.float32)
        ties = ((rng.integers(-(2**17), 2**17, 5000) + 0.5) * float(scale)).astype(np.float32)
        near = np.nextafter(ties, rng.choice([-np.inf, np.inf], ties.shape).astype(np.float32))
    return np.concatenate([edge_floats(), patterns, spread, ties, near])


def zero_points(qtype: QType) -> list[int]:
    return [0, qtype.qmin, qtype.qmax, (qtype.qmin + qtype.qmax) // 2 | 1]


@pytest.mark.parametrize("profile", list(profiles.values()), ids=list(profiles))
@pytest.mark.parametrize("qtype", list(QTYPES.values()), ids=list(QTYPES))
def test_quantize_equals_the_reference(codes: Program, qtype: QType, profile: Profile) -> None:
    for seed, scale in enumerate(SCALES):
        x = real_numbers(scale, qtype, seed)
        zero_point = zero_points(qtype)[seed % 4]
        params = AffineParams(scale, zero_point, qtype)
        words = ("quantize", profile.name, qtype.storage, hexadecimal(scale), zero_point, qtype.qmin, qtype.qmax)
        got = codes(x, qtype.storage, *words, mode=MODES[seed % 2])
        np.testing.assert_array_equal(got, quantize_unchecked(x, params, profile), f"{scale} {zero_point}")


def test_a_range_of_patterns_equals_the_reference(codes: Program) -> None:
    start = 0x3F000000 - 70000
    patterns = np.arange(start, start + 140001, dtype=np.uint32).view(np.float32)
    words = ("quantize_range", "journey6", "int16", hexadecimal(1e-5), 3, -32768, 32767, start, start + 140001)
    expected = quantize_unchecked(patterns, AffineParams(1e-5, 3, "int16"), profiles["journey6"])
    np.testing.assert_array_equal(codes(b"", np.int16, *words), expected)


@pytest.mark.parametrize("qtype", list(QTYPES.values()), ids=list(QTYPES))
def test_dequantize_equals_the_reference(codes: Program, qtype: QType) -> None:
    rng = np.random.default_rng(5)
    q = rng.integers(qtype.qmin, qtype.qmax, 20000, endpoint=True).astype(qtype.storage)
    q[:3] = qtype.qmin, qtype.qmax, qtype.qmax // 2 + 1
    for seed, scale in enumerate([*SCALES, 1.1754945e-38]):
        zero_point = zero_points(qtype)[seed % 4]
        words = ("dequantize", qtype.storage, hexadecimal(scale), zero_point)
        got = codes(q, np.uint32, *words, mode=MODES[seed % 2])
        expected = dequantize(q, AffineParams(scale, zero_point, qtype)).view(np.uint32)
        np.testing.assert_array_equal(got, expected, f"{scale} {zero_point}")


def sums(dtype: Any, method: Requantize, seed: int) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    limits = np.iinfo(np.int32 if method is Requantize.DOUBLE_ROUNDING else dtype)
    wide = rng.integers(limits.min, limits.max, 3000, dtype=np.int64, endpoint=True)
    edges = np.array([limits.min, limits.max, 0, 1, -1, 2**24 + 1, -(2**24) - 3], np.int64)
    return np.concatenate([wide >> rng.integers(0, limits.bits - 1, wide.shape), edges]).astype(dtype)


@pytest.mark.parametrize("dtype", [np.int32, np.int64], ids=["int32", "int64"])
@pytest.mark.parametrize("method", METHODS, ids=[m.name for m in METHODS])
def test_requantize_equals_the_reference(codes: Program, method: Requantize, dtype: Any) -> None:
    bits = 24 if method is Requantize.FLOAT32 else 31
    for seed, real in enumerate(REAL_MULTIPLIERS):
        m = Multiplier.from_real(real, bits)
        qtype = get_qtype(["int8", "uint8", "int16", "int32"][seed % 4])
        zero_point = zero_points(qtype)[seed % 3]
        acc = sums(dtype, method, seed)
        words = ("requantize", int(method), acc.dtype, qtype.storage, int(m.m0), int(m.shift), bits, zero_point)
        got = codes(acc, qtype.storage, *words, qtype.qmin, qtype.qmax, mode=MODES[seed % 2])
        scaled = scale_accumulator(acc, m, method)
        expected = clamp_codes(scaled, zero_point, qtype.qmin, qtype.qmax, qtype.storage)
        np.testing.assert_array_equal(got, expected, f"{real} {zero_point}")


@pytest.mark.parametrize("half_away", [False, True])
@pytest.mark.parametrize("bits", [1, 15, 24, 31])
def test_multipliers_of_real_numbers_equal_the_reference(codes: Program, bits: int, half_away: bool) -> None:
    rng = np.random.default_rng(bits)
    powers = 2.0 ** rng.integers(-60, 60, 2000)
    ties = (rng.integers(2 ** (bits - 1), 2**bits, 2000) + 0.5) * powers
    full = powers * (1 - 2.0 ** -rng.integers(bits, 53, 2000))
    m = np.concatenate([rng.uniform(0, 2, 2000) * powers, ties, full, [0.0, 5e-324, 1.7e308]])
    got = codes(m, np.int64, "from_real", bits, int(half_away), mode="down").reshape(-1, 2)
    expected = Multiplier.from_real(m, bits, half_away=half_away)
    np.testing.assert_array_equal(got[:, 0], expected.m0)
    np.testing.assert_array_equal(got[:, 1], expected.shift)


@pytest.mark.parametrize("profile", list(profiles.values()), ids=list(profiles))
def test_multipliers_of_scales_equal_the_reference(codes: Program, profile: Profile) -> None:
    rng = np.random.default_rng(9)
    scales = np.exp2(rng.uniform(-30, 30, (5000, 3))).astype(np.float32)
    scales[:1000, 1] = 1
    scales[:1000, 2] = np.nextafter(scales[:1000, 0], np.float32(np.inf))  # M a little below 1: M0 near 2^31
    got = codes(scales, np.int64, "from_scales", profile.name, mode="up+flush").reshape(-1, 2)
    expected = Multiplier.from_scales((scales[:, 0], scales[:, 1]), scales[:, 2], profile)
    np.testing.assert_array_equal(got[:, 0], expected.m0)
    np.testing.assert_array_equal(got[:, 1], expected.shift)


@pytest.mark.parametrize("bits", range(2, 9))
def test_log2_equals_the_reference(codes: Program, bits: int) -> None:
    x = real_numbers(0.01, get_qtype("int8"), bits)
    x = x[~np.isnan(x)]
    for scale in (1.0, 0.7071068, 3.4028235e38, 1.17549435e-38):
        params = Log2Params(np.float32(scale), bits)
        got = codes(x, np.int8, "log2", hexadecimal(scale), bits, mode="zero")
        np.testing.assert_array_equal(got, quantize_log2(x, params), f"{scale}")
        every = np.arange(-params.kmax, params.kmax + 1, dtype=np.int8)
        real = codes(every, np.uint32, "dequantize_log2", hexadecimal(scale), mode="flush")
        np.testing.assert_array_equal(real, dequantize_log2(every, params).view(np.uint32), f"{scale}")


def test_binary_equals_the_reference(codes: Program) -> None:
    x = real_numbers(0.01, get_qtype("int8"), 3)
    x = x[~np.isnan(x)]
    params = BinaryParams(np.float32(0.37))
    got = codes(x, np.int8, "binary")
    np.testing.assert_array_equal(got, quantize_binary(x, params))
    real = codes(got, np.uint32, "dequantize_binary", hexadecimal(0.37))
    np.testing.assert_array_equal(real, dequantize_binary(got, params).view(np.uint32))
