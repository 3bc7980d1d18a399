"""Every quantize kernel gives the codes of the NumPy reference, whatever the rule, type, layout, mode and threads."""

from __future__ import annotations

import numpy as np
import pytest
from float_mode import MODES, float_mode, mode
from kernel_cases import ISAS, QTYPES, RULES, expected_codes, per_channel, quantize, reals, zero_points
from numpy.testing import assert_array_equal

from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Profile
from halfeven.numerics.qtype import QType, int8, int16, int32, uint8

# Thirds make quotients beside ties; powers of two make ties; the rest are where a reciprocal may not be used.
SCALES = [1 / 3, 0.00119, 0.125, 1.0, 2.0**-61, 2.0**61, 1.1754944e-38, 1.7e-38, 3e38]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("qtype", QTYPES, ids=str)
@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_codes_are_the_references(rule: Profile, qtype: QType, isa: str) -> None:
    for scale in SCALES:
        for zero_point in zero_points(qtype):
            p = AffineParams(scale, zero_point, qtype)
            x = reals(scale, zero_point, qtype, count=120)
            codes, nans = quantize(x, p, rule, isa)
            assert_array_equal(codes, expected_codes(x, p, rule), err_msg=repr(p))
            assert nans == 0


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_every_length_from_every_offset(rule: Profile, isa: str) -> None:
    p = AffineParams(0.05, -3, int8)
    x = reals(0.05, -3, int8)
    expected = expected_codes(x, p, rule)
    for n in range(131):
        start = n % 19
        out = np.full(n + 16, 77, np.int8)
        quantize(x[start : start + n], p, rule, isa, out=out[n % 7 : n % 7 + n])
        assert_array_equal(out[n % 7 : n % 7 + n], expected[start : start + n])
        outside = np.delete(out, np.s_[n % 7 : n % 7 + n])
        assert (outside == 77).all(), f"wrote beside the output at length {n}"


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("qtype", QTYPES, ids=str)
@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_nan_becomes_the_zero_point_and_is_counted(rule: Profile, qtype: QType, isa: str) -> None:
    x = reals(0.1, 3, qtype)
    rng = np.random.default_rng(1)
    holes = rng.random(x.size) < 0.1
    payloads = rng.choice(np.uint32([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF]), x.size)
    x = np.where(holes, payloads.view(np.float32), x)
    p = AffineParams(0.1, 3, qtype)
    codes, nans = quantize(x, p, rule, isa)
    assert nans == holes.sum()
    assert (codes[holes] == 3).all()
    assert_array_equal(codes, expected_codes(x, p, rule))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((3, 5, 70), 1),  # long runs
        ((7, 3, 9), 1),  # short runs
        ((300, 1), 1),
        ((301, 3), 1),  # channels last: patterns that end anywhere
        ((40, 16), 1),
        ((9, 65), 1),
        ((3, 5001), 1),  # a pattern longer than is repeated
        ((5000, 3), 0),
        ((129,), 0),
    ],
)
def test_one_scale_a_channel(shape: tuple[int, ...], axis: int, rule: Profile, isa: str) -> None:
    rng = np.random.default_rng(2)
    for qtype in (int8, int16):
        p = per_channel(shape[axis], qtype, axis)
        x = rng.normal(0, 60, shape).astype(np.float32)
        x.reshape(-1)[::97] = np.nan
        codes, nans = quantize(x, p, rule, isa)
        assert_array_equal(codes, expected_codes(x, p, rule))
        assert nans == np.isnan(x).sum()


@pytest.mark.parametrize("isa", ISAS)
def test_zero_points_that_float32_does_not_hold(isa: str) -> None:
    for zero_point in (2**24 + 1, -(2**31), 2**31 - 1):
        p = AffineParams(0.5, zero_point, int32)
        x = np.concatenate([reals(0.5, zero_point, int32), np.float32([0, 1e-30, -1e-30, 0.25, 0.75])])
        for rule in RULES:
            assert_array_equal(quantize(x, p, rule, isa)[0], expected_codes(x, p, rule))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_do_not_change_codes(threads: int, isa: str) -> None:
    x = np.resize(reals(0.02, 5, int8), 200_001)
    x[::1001] = np.nan
    p = AffineParams(0.02, 5, int8)
    codes, nans = quantize(x, p, JOURNEY6, isa, threads)
    assert_array_equal(codes, expected_codes(x, p, JOURNEY6))
    assert nans == np.isnan(x).sum()
    channels = per_channel(7, uint8, 1)
    image = x[:196_000].reshape(-1, 7)
    assert_array_equal(quantize(image, channels, JOURNEY6, isa, threads)[0], expected_codes(image, channels, JOURNEY6))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("qtype", [int8, int16], ids=str)
def test_large_outputs_that_are_streamed(qtype: QType, isa: str) -> None:
    period = reals(0.02, 5, qtype)[:1999]
    repeats = (9 << 20) // qtype.storage.itemsize // period.size
    p = AffineParams(0.02, 5, qtype)
    x = np.tile(period, repeats)
    buffer = np.full(x.size + 8, 77, qtype.storage)
    codes, _ = quantize(x, p, JOURNEY6, isa, threads=2, out=buffer[3 : 3 + x.size])
    assert (codes.reshape(repeats, -1) == expected_codes(period, p, JOURNEY6)).all()
    assert (buffer[[0, 1, 2, -5, -4, -3, -2, -1]] == 77).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", MODES)
def test_the_callers_float_mode_neither_matters_nor_is_lost(name: str, isa: str) -> None:
    x = np.resize(reals(1 / 3, 1, int8), 70_000)
    tiny = np.resize(np.float32([1e-40, -1e-40, 6e-39, 1.7e-38]), 70_000)
    for p, values in ((AffineParams(1 / 3, 1, int8), x), (AffineParams(1.1754944e-38, 1, int8), tiny)):
        for rule in RULES:
            expected = expected_codes(values, p, rule)
            with float_mode(name):
                before = mode()
                codes, _ = quantize(values, p, rule, isa, threads=2)
                after = mode()
            assert_array_equal(codes, expected)
            assert after == before


def test_modes_of_this_test_do_change_arithmetic() -> None:
    third, tiny = np.float32(1) / np.float32(3), np.float32([1e-40])
    with float_mode("down"):
        down = np.divide(np.float32(1), np.float32(3))
    with float_mode("flush"):
        flushed = tiny * np.float32(1)
    assert down < third
    assert flushed[0] == 0 != tiny[0]
