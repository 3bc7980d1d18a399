"""Integer sums in NumPy arrays through the native kernel give the reference's codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from samples import ALL_QTYPES, INTEGER_PROFILES, SHIFTS, layouts, multiplier, rng, sums

import halfeven as he
from halfeven.errors import ParameterError
from halfeven.numerics import requantize as reference


@pytest.mark.parametrize("profile", INTEGER_PROFILES)
@pytest.mark.parametrize("bits", [31, 24, 15, 1])
def test_codes_are_the_references(bits: int, profile: str) -> None:
    wide = profile != "tflite-double"
    for shift in SHIFTS if profile not in ("onnxruntime", "xnnpack") else SHIFTS[2:-1]:
        m = multiplier(bits, shift)
        for acc in (sums(wide=False), *([sums(wide=True)[:, ::3]] if wide else [])):
            for p in (he.AffineParams(1.0, 5), he.AffineParams(1.0, -77, he.int32)):
                got = he.requantize(acc, m, p, profile, axis=0)
                assert got.dtype == p.qtype.storage
                assert_array_equal(got, reference.requantize(acc, m, p, profile, axis=0), err_msg=f"{shift} {p}")


@pytest.mark.parametrize("qtype", ALL_QTYPES, ids=str)
def test_every_qtype_and_integer_type(qtype: he.QType) -> None:
    m = he.Multiplier.from_real(0.37)
    p = he.AffineParams(1.0, qtype.qmax // 3, qtype)
    for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64):
        info = np.iinfo(dtype)
        acc = rng().integers(info.min, info.max, 200, dtype=dtype, endpoint=True)
        got = he.requantize(acc, m, p)
        assert got.dtype == qtype.storage
        assert_array_equal(got, reference.requantize(acc, m, p))


def test_layouts_channels_and_zero_points_a_channel() -> None:
    real = he.Multiplier.from_real(rng().uniform(0.001, 3, 4))
    acc = rng().integers(-(2**20), 2**20, (3, 4, 6)).astype(np.int32)
    one, many = he.AffineParams(1.0, 3), he.AffineParams(np.ones(4), [1, 2, 3, 4], axis=1)
    for name, a in layouts(acc).items():
        for p, axis in ((one, 1), (one, -2), (many, None), (many, 1)):
            assert_array_equal(
                he.requantize(a, real, p, axis=axis), reference.requantize(a, real, p, axis=axis), err_msg=name
            )


def test_zero_dimensional_and_empty_sums() -> None:
    m, p = he.Multiplier.from_real(0.5), he.AffineParams(1.0)
    assert int(he.requantize(np.int32(5), m, p)) == 2
    assert he.requantize(5, m, p).shape == ()
    assert he.requantize(np.zeros((0, 3), np.int32), m, p).shape == (0, 3)
    assert he.requantize(np.zeros((4, 0), np.int64), he.Multiplier.from_real(np.ones(4)), p, axis=0).shape == (4, 0)


def test_a_narrow_multiplier_means_the_same_real_number_under_two_roundings() -> None:
    acc = np.arange(-1000, 1000, dtype=np.int32)
    p = he.AffineParams(1.0, 0, he.int16)
    narrow, wide = he.Multiplier.from_real(0.75, bits=15), he.Multiplier.from_real(0.75, bits=31)
    assert_array_equal(he.requantize(acc, narrow, p, "tflite-double"), he.requantize(acc, wide, p, "tflite-double"))


BAD: dict[str, tuple[Any, he.Multiplier, dict[str, Any], str]] = {
    "floats": (np.ones(3), he.Multiplier.from_real(0.5), {}, "integer sums, not float64"),
    "booleans": (np.ones(3, bool), he.Multiplier.from_real(0.5), {}, "integer sums, not bool"),
    "uint64": (np.ones(3, np.uint64), he.Multiplier.from_real(0.5), {}, "not uint64"),
    "no axis": (np.ones(3, np.int32), he.Multiplier.from_real(np.ones(3)), {}, "needs axis="),
    "wrong channels": (
        np.ones((2, 3), np.int32),
        he.Multiplier.from_real(np.ones(2)),
        {"axis": 1},
        "do not fit axis 1",
    ),
    "no rule": (np.ones(3, np.int32), he.Multiplier.from_real(0.5), {"profile": "pytorch"}, "defines no requantize"),
    "too wide": (np.array([2**40]), he.Multiplier.from_real(0.5), {"profile": "tflite-double"}, "int32 sums only"),
    "infinite": (np.ones(3, np.int32), he.Multiplier.from_real(1e39), {"profile": "onnxruntime"}, "beyond float32"),
}


@pytest.mark.parametrize(("acc", "m", "options", "message"), BAD.values(), ids=BAD)
def test_bad_arguments_are_named(acc: Any, m: he.Multiplier, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        he.requantize(acc, m, he.AffineParams(1.0), **options)
