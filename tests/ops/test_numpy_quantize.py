"""NumPy arrays through the native kernels give the reference's codes and values, whatever their layout and type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from samples import (
    ALL_QTYPES,
    PROFILES,
    SHAPE,
    bits_equal,
    codes,
    layouts,
    reals,
    rng,
    scales,
    shaped_params,
    zero_points,
)

import halfeven as he
from halfeven.errors import NotANumberError, ParameterError
from halfeven.numerics import affine, nonlinear


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("qtype", ALL_QTYPES, ids=str)
def test_codes_are_the_references(qtype: he.QType, profile: str) -> None:
    for scale in scales(qtype):
        for zero_point in zero_points(qtype):
            p = he.AffineParams(scale, zero_point, qtype)
            x = reals(scale, zero_point, qtype)
            got = he.quantize(x, p, profile)
            assert got.dtype == qtype.storage
            assert_array_equal(got, affine.quantize(x, p, profile), err_msg=repr(p))


@pytest.mark.parametrize("qtype", ALL_QTYPES, ids=str)
def test_values_are_the_references(qtype: he.QType) -> None:
    q = codes(qtype, (5000,))
    for scale in scales(qtype):
        for zero_point in zero_points(qtype):
            p = he.AffineParams(scale, zero_point, qtype)
            bits_equal(he.dequantize(q, p), affine.dequantize(q, p))


@pytest.mark.parametrize("profile", ["journey6", "journey6-legacy", "pytorch", "tflite"])
@pytest.mark.parametrize("qtype", ALL_QTYPES, ids=str)
def test_layouts_and_divisions_into_channels_and_blocks(qtype: he.QType, profile: str) -> None:
    real = (rng().normal(size=SHAPE) * 20).astype(np.float32)
    for p in shaped_params(qtype):
        for name, x in layouts(real).items():
            q = he.quantize(x, p, profile)
            assert q.dtype == qtype.storage
            assert_array_equal(q, affine.quantize(x, p, profile), err_msg=f"{name} {p}")
            bits_equal(he.fake_quantize(x, p, profile), affine.fake_quantize(x, p, profile))
        for name, c in layouts(codes(qtype, SHAPE)).items():
            if name != "big endian":
                bits_equal(he.dequantize(c, p), affine.dequantize(c, p))


def test_a_dense_array_keeps_its_layout_and_is_not_changed() -> None:
    x = np.asfortranarray(rng().normal(size=SHAPE).astype(np.float32))
    before = x.copy()
    q = he.quantize(x, he.AffineParams(0.1))
    assert q.flags.f_contiguous
    assert he.dequantize(q, he.AffineParams(0.1)).flags.f_contiguous
    assert_array_equal(x, before)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.longdouble])
def test_other_floats(dtype: type[np.floating[Any]]) -> None:
    with np.errstate(over="ignore"):
        x = reals(0.37, 3, he.int16).astype(dtype)
    p = he.AffineParams(0.37, 3, he.int16)
    assert_array_equal(he.quantize(x, p), affine.quantize(x, p))


def test_float64_is_rounded_once_to_float32() -> None:
    x = np.array([1e300, -1e300, 0.5 + 2.0**-40, 1.5 - 2.0**-40])
    assert_array_equal(he.quantize(x, he.AffineParams(1.0)), [127, -128, 0, 2])


def test_bfloat16() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes gives NumPy its bfloat16")
    x = (rng().normal(size=500) * 40).astype(ml_dtypes.bfloat16)
    p = he.AffineParams(0.25)
    assert_array_equal(he.quantize(x, p), affine.quantize(x.astype(np.float32), p))


@pytest.mark.parametrize("shape", [(0,), (0, 4, 6), (3, 4, 0), (2, 0, 3)])
def test_empty(shape: tuple[int, ...]) -> None:
    p = he.AffineParams(0.1, 0, he.uint16)
    q = he.quantize(np.zeros(shape, np.float32), p)
    assert q.shape == shape
    assert q.dtype == np.uint16
    assert he.dequantize(q, p).shape == shape
    per_channel = he.AffineParams(np.ones(shape[0]), axis=0)
    assert he.quantize(np.zeros(shape, np.float32), per_channel).shape == shape


def test_zero_dimensional_numbers_and_lists() -> None:
    p = he.AffineParams(0.5)
    for x in (1.25, np.float64(1.25), np.array(1.25, np.float32)):
        q = he.quantize(x, p)
        assert (q.shape, q.dtype, int(q)) == ((), np.int8, 2)
        assert float(he.fake_quantize(x, p)) == 1.0
    assert_array_equal(he.quantize([[1.0, -2.5]], he.AffineParams(1.0)), [[1, -2]])


def test_nan_raises_with_its_count() -> None:
    x = np.ones((100, 100), np.float32)
    x[3, 4] = x[99, 99] = np.nan
    for p in (he.AffineParams(1.0), he.AffineParams(np.ones(100), axis=1), he.BinaryParams(1.0), he.Log2Params(1.0)):
        for function in (he.quantize, he.fake_quantize):
            with pytest.raises(NotANumberError, match="2 NaN") as raised:
                function(x, p)
            assert raised.value.count == 2


@pytest.mark.parametrize(
    "params", [he.BinaryParams(0.5), he.Log2Params(0.7, 5), he.Log2Params(2.0, 2), he.Log2Params(3.0, 8)]
)
def test_binary_and_log2_are_the_references(params: Any) -> None:
    x = reals(0.1, 0, he.int8)
    binary = isinstance(params, he.BinaryParams)
    q = (nonlinear.quantize_binary if binary else nonlinear.quantize_log2)(x, params)
    r = (nonlinear.dequantize_binary if binary else nonlinear.dequantize_log2)(q, params)
    assert_array_equal(he.quantize(x, params), q)
    bits_equal(he.dequantize(q, params), r)
    bits_equal(he.fake_quantize(x, params), r)


BAD: dict[str, tuple[Any, Any, str]] = {
    "integers": (np.arange(3), he.AffineParams(1.0), "expected as floats, not int64"),
    "strings": (np.array(["a"]), he.AffineParams(1.0), "expected as floats"),
    "complex": (np.ones(2, np.complex64), he.AffineParams(1.0), "expected as floats"),
    "a scale for params": (np.ones(2, np.float32), 0.1, "must be AffineParams, BinaryParams or Log2Params, not float"),
    "wrong channels": (np.ones((2, 3), np.float32), he.AffineParams(np.ones(4), axis=1), r"\(2, 3\) needs scales of"),
    "no such axis": (np.ones(3, np.float32), he.AffineParams(np.ones(3), axis=1), "axis 1 does not exist"),
    "wrong blocks": (
        np.ones((2, 6), np.float32),
        he.AffineParams(np.ones((2, 2)), axis=1, block_size=2),
        "needs scales",
    ),
}


@pytest.mark.parametrize(("x", "params", "message"), BAD.values(), ids=BAD)
def test_bad_arguments_are_named(x: NDArray[Any], params: Any, message: str) -> None:
    for function in (he.quantize, he.fake_quantize):
        with pytest.raises(ParameterError, match=message):
            function(x, params)


def test_codes_of_another_type_and_unknown_profiles_are_errors() -> None:
    with pytest.raises(ParameterError, match="codes of int8 are stored as int8, not int16"):
        he.dequantize(np.zeros(3, np.int16), he.AffineParams(1.0))
    with pytest.raises(ParameterError, match="no profile is named 'journey7'"):
        he.quantize(np.zeros(3, np.float32), he.AffineParams(1.0), profile="journey7")
    with pytest.raises(ParameterError, match="not dict"):
        he.dequantize(np.zeros(3, np.int8), {})  # type: ignore[arg-type]
