"""CUDA tensors stay on their device and have the reference's bits. Needs a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from samples import (
    ALL_QTYPES,
    INTEGER_PROFILES,
    PROFILES,
    bits_equal,
    codes,
    multiplier,
    reals,
    scales,
    sums,
    zero_points,
)

import halfeven as he
from halfeven.errors import NotANumberError
from halfeven.numerics import affine
from halfeven.numerics import requantize as reference

torch = pytest.importorskip("torch", reason="torch is not installed: the torch backend is not tested")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: the GPU is not tested")


def cuda(a: Any) -> Any:
    return torch.from_numpy(a).cuda()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("qtype", ALL_QTYPES, ids=str)
def test_codes_and_values_are_the_references(qtype: he.QType, profile: str) -> None:
    for scale in scales(qtype):
        for zero_point in zero_points(qtype):
            p = he.AffineParams(scale, zero_point, qtype)
            x = reals(scale, zero_point, qtype)
            got, values = he.quantize(cuda(x), p, profile), he.fake_quantize(cuda(x), p, profile)
            assert got.is_cuda
            assert values.is_cuda
            assert_array_equal(got.cpu().numpy(), affine.quantize(x, p, profile))
            bits_equal(values.cpu().numpy(), affine.fake_quantize(x, p, profile))
            bits_equal(he.dequantize(got, p).cpu().numpy(), affine.fake_quantize(x, p, profile))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("profile", PROFILES)
def test_generated_code_has_the_references_bits(profile: str) -> None:
    for p in (he.AffineParams(0.37, 7), he.AffineParams(2.0**-126), he.AffineParams(0.1, 2**30 + 1, he.int32)):
        x = reals(float(p.scale), int(p.zero_point), p.qtype)
        torch.compiler.reset()
        function = torch.compile(lambda t, p=p: he.fake_quantize(t, p, profile), fullgraph=True)
        bits_equal(function(cuda(x)).cpu().numpy(), affine.fake_quantize(x, p, profile))


@pytest.mark.parametrize("profile", INTEGER_PROFILES)
def test_requantize(profile: str) -> None:
    for shift in (0, 20, 40, 62, 63, 94):
        m, p = multiplier(31, shift), he.AffineParams(1.0, 5)
        for acc in (sums(wide=False), *([] if profile == "tflite-double" else [sums(wide=True)])):
            got = he.requantize(cuda(acc), m, p, profile, axis=0)
            assert got.is_cuda
            assert_array_equal(got.cpu().numpy(), reference.requantize(acc, m, p, profile, axis=0))


def test_products_in_every_precision_mode() -> None:
    x, w = codes(he.int8, (2, 16, 9, 8)), codes(he.int8, (8, 16, 3, 3))
    p, out = he.AffineParams(0.1, 3), he.AffineParams(0.7)
    expected = he.quantized_conv2d(x, p, w, he.AffineParams(0.1), out, padding=1)
    before = torch.get_float32_matmul_precision()
    try:
        for precision in ("highest", "high", "medium"):
            torch.set_float32_matmul_precision(precision)
            got = he.quantized_conv2d(cuda(x), p, cuda(w), he.AffineParams(0.1), out, padding=1)
            assert_array_equal(got.cpu().numpy(), expected)
    finally:
        torch.set_float32_matmul_precision(before)


def test_nan_is_found_on_the_device() -> None:
    x = torch.ones(1000, device="cuda")
    x[7] = torch.nan
    with pytest.raises(NotANumberError, match="1 NaN"):
        he.quantize(x, he.AffineParams(1.0))
    assert np.isnan(float(x[7]))
