"""Matrix product and convolution: NumPy is the reference, torch gives its codes, and bad operands are named."""

from __future__ import annotations

from itertools import product as combinations
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from samples import ALL_QTYPES, INTEGER_PROFILES, codes, rng

import halfeven as he
from halfeven.errors import AccumulatorError, ParameterError

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed: the torch backend is not tested")
OUT = he.AffineParams(0.7, 1)
WEIGHTS = (he.int4, he.int8, he.int16, he.int32)


def tensor(a: NDArray[Any] | None) -> Any:
    return None if a is None else torch.from_numpy(a)


def params(qtype: he.QType, zero_point: int = 3) -> he.AffineParams:
    return he.AffineParams(2.0 ** -(qtype.bits / 2), min(zero_point, qtype.qmax), qtype)


def small(qtype: he.QType, shape: tuple[int, ...]) -> NDArray[Any]:
    """Codes; those of int32 are kept where sums of their products fit int64."""
    q = codes(qtype, shape)
    return q >> 3 if qtype is he.int32 else q


def test_the_sum_is_the_exact_one() -> None:
    a, b = codes(he.int16, (3, 50)), codes(he.int8, (50, 2))
    pa, pb = he.AffineParams(2.0**-4, -7, he.int16), he.AffineParams([2.0**-3, 2.0**-5], 0, he.int8, axis=-1)
    out = he.AffineParams(1.0, 0, he.int32)
    real = (a.astype(object) + 7) @ b.astype(object)  # 0-d steps aside, Python integers
    scaled = [[round(int(v) / d) for v, d in zip(row, (2**7, 2**9), strict=True)] for row in real]
    assert_array_equal(he.quantized_matmul(a, pa, b, pb, out), scaled)


@needs_torch
@pytest.mark.parametrize("profile", INTEGER_PROFILES)
def test_matmul_in_torch_is_the_references(profile: str) -> None:
    for qa, qb, qo in combinations(ALL_QTYPES, WEIGHTS, (he.int8, he.uint16)):
        if profile == "tflite-double" and qa.bits + qb.bits > 24:
            continue  # its sums are int32 ones
        a, b = small(qa, (2, 5, 40)), small(qb, (2, 40, 3))
        pb = he.AffineParams(np.array([0.01, 0.02, 0.5]), 0, qb, axis=2)
        po = he.AffineParams(2.0 ** ((qa.bits + qb.bits) / 2 - 8), 1, qo)
        for bias in (None, rng().integers(-(2**20), 2**20, 3).astype(np.int32)):
            expected = he.quantized_matmul(a, params(qa), b, pb, po, bias, profile)
            got = he.quantized_matmul(tensor(a), params(qa), tensor(b), pb, po, tensor(bias), profile).numpy()
            assert got.dtype == expected.dtype == qo.storage
            assert_array_equal(got, expected)


@needs_torch
@pytest.mark.parametrize(
    ("a", "b"), [((4,), (4, 3)), ((2, 4), (4,)), ((4,), (4,)), ((3, 1, 2, 4), (5, 4, 6)), ((0, 4), (4, 2))]
)
def test_matmul_shapes(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, w = codes(he.int8, a), codes(he.uint8, b)
    p = params(he.uint8, 100)
    expected = he.quantized_matmul(x, params(he.int8), w, p, OUT)
    got = he.quantized_matmul(tensor(x), params(he.int8), tensor(w), p, OUT)
    assert got.shape == expected.shape
    assert_array_equal(got.numpy(), expected)


@needs_torch
@pytest.mark.parametrize("threads", [1, 2])
def test_conv2d_in_torch_is_the_references(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)  # another count takes other paths inside torch
    try:
        for qx, qw, (groups, channels) in combinations(
            (he.uint8, he.int16, he.int32), WEIGHTS, ((1, 6), (2, 6), (4, 4))
        ):
            x, w = small(qx, (2, 4, 9, 8)), small(qw, (channels, 4 // groups, 3, 3))
            pw = he.AffineParams(rng().uniform(0.01, 0.1, channels), 0, qw, axis=0)
            po = he.AffineParams(2.0 ** ((qx.bits + qw.bits) / 2 - 6), 1, he.int16)
            for bias in (None, rng().integers(-(2**31), 2**31, channels).astype(np.int32)):
                expected = he.quantized_conv2d(x, params(qx), w, pw, po, bias, padding=1, groups=groups)
                got = he.quantized_conv2d(
                    tensor(x), params(qx), tensor(w), pw, po, tensor(bias), padding=1, groups=groups
                )
                assert_array_equal(got.numpy(), expected)
    finally:
        torch.set_num_threads(before)


WINDOWS: tuple[dict[str, Any], ...] = (
    {"stride": 2},
    {"stride": (1, 3), "padding": (2, 0)},
    {"dilation": (2, 1), "padding": (0, 1, 3, 2)},
    {"stride": 2, "padding": 3, "dilation": 2, "groups": 2},
)


@needs_torch
@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("batch", [0, 2])
def test_conv2d_windows(window: dict[str, Any], batch: int) -> None:
    x, w = codes(he.uint8, (batch, 4, 11, 10)), codes(he.int8, (4, 4 // window.get("groups", 1), 3, 2))
    px, pw = params(he.uint8, 128), he.AffineParams(0.03)
    expected = he.quantized_conv2d(x, px, w, pw, OUT, **window)
    got = he.quantized_conv2d(tensor(x), px, tensor(w), pw, OUT, **window)
    assert got.shape == expected.shape
    assert_array_equal(got.numpy(), expected)


@needs_torch
def test_a_long_sum_leaves_float32() -> None:
    n = 2**12
    a, b = np.full((1, n), -128, np.int8), np.full((n, 1), -128, np.int8)
    a[0, 0] = b[0, 0] = -127  # 2^26 - 255, no float32
    p = he.AffineParams(1.0)
    out = he.AffineParams(1.0, 0, he.int32)
    assert he.quantized_matmul(a, p, b, p, out).item() == 2**26 - 255
    assert he.quantized_matmul(tensor(a), p, tensor(b), p, out).item() == 2**26 - 255


@needs_torch
def test_reduced_precision_modes_change_nothing() -> None:
    a, b = codes(he.int8, (64, 300)), codes(he.uint8, (300, 64))
    pa, pb = params(he.int8), params(he.uint8, 128)
    before = torch.get_float32_matmul_precision()
    expected = he.quantized_matmul(a, pa, b, pb, OUT)
    try:
        for precision in ("highest", "high", "medium"):
            torch.set_float32_matmul_precision(precision)
            assert_array_equal(he.quantized_matmul(tensor(a), pa, tensor(b), pb, OUT).numpy(), expected)
    finally:
        torch.set_float32_matmul_precision(before)


P = he.AffineParams(1.0)
PER_CHANNEL = he.AffineParams(np.ones(3), axis=0)
I8 = np.zeros((2, 3), np.int8)
IMAGE, KERNEL = np.zeros((1, 4, 5, 5), np.int8), np.zeros((2, 4, 3, 3), np.int8)
MATMUL: dict[str, tuple[tuple[Any, ...], str]] = {
    "shapes": ((I8, P, I8, P, P), r"\(2, 3\) and \(2, 3\) do not multiply"),
    "type": ((I8.astype(np.int16), P, I8.T, P, P), "stored as"),
    "first per channel": ((np.zeros((3, 3), np.int8), PER_CHANNEL, np.zeros((3, 3), np.int8), P, P), "first operand"),
    "second by rows": ((np.zeros((3, 3), np.int8), P, np.zeros((3, 3), np.int8), PER_CHANNEL, P), "one a column"),
    "output per channel": ((I8, P, I8.T, P, PER_CHANNEL), "the output must have one scale"),
    "float bias": ((I8, P, I8.T, P, P, np.zeros(2, np.float32)), "integer codes"),
}
CONV2D: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "rank": ((IMAGE[0], P, KERNEL, P, P), {}, "conv2d expects"),
    "groups": ((IMAGE, P, KERNEL, P, P), {"groups": 3}, "do not fit together"),
    "kernel": ((IMAGE, P, KERNEL, P, P), {"dilation": 3}, "does not fit a padded input"),
    "stride": ((IMAGE, P, KERNEL, P, P), {"stride": 0}, "must be >= 1"),
    "padding": ((IMAGE, P, KERNEL, P, P), {"padding": (1, 2, 3)}, "padding is one number"),
}


@pytest.mark.parametrize("library", [np.asarray, pytest.param(tensor, marks=needs_torch)], ids=["numpy", "torch"])
def test_bad_operands_are_named(library: Any) -> None:
    def convert(arguments: tuple[Any, ...]) -> list[Any]:
        return [library(a) if isinstance(a, np.ndarray) else a for a in arguments]

    for arguments, message in MATMUL.values():
        with pytest.raises(ParameterError, match=message):
            he.quantized_matmul(*convert(arguments))
    for arguments, window, message in CONV2D.values():
        with pytest.raises(ParameterError, match=message):
            he.quantized_conv2d(*convert(arguments), **window)


@pytest.mark.parametrize("library", [np.asarray, pytest.param(tensor, marks=needs_torch)], ids=["numpy", "torch"])
def test_a_sum_that_int64_may_not_hold_is_refused(library: Any) -> None:
    a = library(np.full((2, 2), -(2**31), np.int32))
    p = he.AffineParams(1.0, 5, he.int32)
    with pytest.raises(AccumulatorError, match="a sum of 2 products"):
        he.quantized_matmul(a, p, a, p, OUT)


@needs_torch
def test_two_libraries_at_once_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"one library: torch tensors \(a\), others not \(b\)"):
        he.quantized_matmul(tensor(I8), P, I8.T, P, P)
    with pytest.raises(ParameterError, match=r"torch tensors \(x, w\), others not \(bias\)"):
        he.quantized_conv2d(tensor(IMAGE), P, tensor(KERNEL), P, P, bias=np.zeros(2, np.int32))


@needs_torch
def test_two_devices_at_once_are_refused() -> None:
    with pytest.raises(ParameterError, match="one device, not on cpu and meta"):
        he.quantized_matmul(tensor(I8), P, tensor(I8.T.copy()).to("meta"), P, P)
