"""torch tensors give the reference's codes and values, to the last bit, in every profile, layout and type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from samples import ALL_QTYPES, PROFILES, SHAPE, bits_equal, codes, reals, rng, scales, shaped_params, zero_points

import halfeven as he
from halfeven.errors import NotANumberError, ParameterError
from halfeven.numerics import affine

torch = pytest.importorskip("torch", reason="torch is not installed: the torch backend is not tested")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("qtype", ALL_QTYPES, ids=str)
def test_codes_and_values_are_the_references(qtype: he.QType, profile: str) -> None:
    for scale in scales(qtype):
        for zero_point in zero_points(qtype):
            p = he.AffineParams(scale, zero_point, qtype)
            x = reals(scale, zero_point, qtype)
            expected = affine.quantize(x, p, profile)
            got = he.quantize(torch.from_numpy(x), p, profile)
            assert got.numpy().dtype == qtype.storage
            assert_array_equal(got.numpy(), expected, err_msg=repr(p))
            bits_equal(he.fake_quantize(torch.from_numpy(x), p, profile).numpy(), affine.dequantize(expected, p))


@pytest.mark.parametrize("qtype", ALL_QTYPES, ids=str)
def test_every_code_dequantizes_as_the_reference(qtype: he.QType) -> None:
    q = codes(qtype, (5000,))
    for scale in scales(qtype):
        for zero_point in zero_points(qtype):
            p = he.AffineParams(scale, zero_point, qtype)
            bits_equal(he.dequantize(torch.from_numpy(q), p).numpy(), affine.dequantize(q, p))


def tensors(x: Any) -> dict[str, Any]:
    t = torch.from_numpy(x)
    return {
        "contiguous": t,
        "transposed": t.permute(2, 0, 1).contiguous().permute(1, 2, 0),
        "every second": torch.stack([t, t], dim=-1).reshape(*t.shape[:-1], -1)[..., ::2],
        "expanded": t[..., :1].expand(t.shape),
        "requires grad": t.clone().requires_grad_(t.is_floating_point()),
    }


@pytest.mark.parametrize("profile", ["journey6", "journey6-legacy", "pytorch", "tflite"])
@pytest.mark.parametrize("qtype", ALL_QTYPES, ids=str)
def test_layouts_channels_and_blocks(qtype: he.QType, profile: str) -> None:
    real = (rng().normal(size=SHAPE) * 20).astype(np.float32)
    for p in shaped_params(qtype):
        for name, t in tensors(real).items():
            x = t.detach().numpy()
            assert_array_equal(
                he.quantize(t, p, profile).numpy(), affine.quantize(x, p, profile), err_msg=f"{name} {p}"
            )
            bits_equal(he.fake_quantize(t, p, profile).detach().numpy(), affine.fake_quantize(x, p, profile))
        q = torch.from_numpy(codes(qtype, SHAPE))
        bits_equal(he.dequantize(q, p).numpy(), affine.dequantize(q.numpy(), p))


def test_memory_format_is_kept_and_the_input_is_not_changed() -> None:
    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    before = x.clone()
    for p in (he.AffineParams(0.1, 3), he.AffineParams([0.1, 0.2, 0.3], axis=1)):
        for y in (he.quantize(x, p), he.fake_quantize(x, p), he.dequantize(he.quantize(x, p), p)):
            assert y.is_contiguous(memory_format=torch.channels_last)
        assert_array_equal(he.quantize(x, p).numpy(), affine.quantize(x.numpy(), p))
    assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats(dtype: Any) -> None:
    x = torch.from_numpy(reals(0.37, 3, he.int16)).to(dtype)
    p = he.AffineParams(0.37, 3, he.int16)
    once = x.to(torch.float32).numpy()
    assert_array_equal(he.quantize(x, p).numpy(), affine.quantize(once, p))
    bits_equal(he.fake_quantize(x, p).numpy(), affine.fake_quantize(once, p))


@pytest.mark.parametrize("shape", [(), (0,), (0, 4, 6), (3, 4, 0)])
def test_zero_dimensional_and_empty(shape: tuple[int, ...]) -> None:
    p = he.AffineParams(0.5, 0, he.uint16)
    x = torch.full(shape, 1.25)
    q = he.quantize(x, p)
    assert (q.shape, q.dtype) == (shape, torch.uint16)
    assert he.dequantize(q, p).shape == shape
    assert he.fake_quantize(x, p).shape == shape
    if shape == ():
        assert q.item() == 2


def test_nan_raises_with_its_count() -> None:
    x = torch.ones(10, 10)
    x[3, 4] = x[9, 9] = torch.nan
    for p in (he.AffineParams(1.0), he.AffineParams(np.ones(10), axis=1), he.BinaryParams(1.0), he.Log2Params(1.0)):
        for function in (he.quantize, he.fake_quantize):
            with pytest.raises(NotANumberError, match="2 NaN") as raised:
                function(x, p)
            assert raised.value.count == 2


@pytest.mark.parametrize(
    "params",
    [
        he.BinaryParams(0.5),
        he.BinaryParams([0.5, 1, 2, 3], axis=1),
        he.Log2Params(0.7, 5),
        he.Log2Params(2.0, 2),
        he.Log2Params(3.0, 8),
        he.Log2Params(2.0**-126, 4),
        he.Log2Params([0.5, 1, 2, 3], 4, axis=-2),
    ],
)
def test_binary_and_log2_are_the_references(params: Any) -> None:
    x = reals(0.1, 0, he.int8)
    x = x[: x.size // 24 * 24].reshape(-1, 4, 6)
    q = he.quantize(x, params)
    got = he.quantize(torch.from_numpy(x), params)
    assert_array_equal(got.numpy(), q)
    bits_equal(he.dequantize(got, params).numpy(), he.dequantize(q, params))
    bits_equal(he.fake_quantize(torch.from_numpy(x), params).numpy(), he.dequantize(q, params))


BAD: dict[str, tuple[Any, Any, str]] = {
    "integers": (torch.arange(3), he.AffineParams(1.0), "expected as floats, not torch.int64"),
    "complex": (torch.ones(2, dtype=torch.complex64), he.AffineParams(1.0), "expected as floats"),
    "a scale for params": (torch.ones(2), 0.1, "must be AffineParams, BinaryParams or Log2Params, not float"),
    "wrong channels": (torch.ones(2, 3), he.AffineParams(np.ones(4), axis=1), r"\(2, 3\) needs scales of"),
    "no such axis": (torch.ones(3), he.AffineParams(np.ones(3), axis=1), "axis 1 does not exist"),
    "binary channels": (torch.ones(2, 3), he.BinaryParams(np.ones(4), axis=1), "4 channels do not fit axis 1"),
}


@pytest.mark.parametrize(("x", "params", "message"), BAD.values(), ids=BAD)
def test_bad_arguments_are_named(x: Any, params: Any, message: str) -> None:
    for function in (he.quantize, he.fake_quantize):
        with pytest.raises(ParameterError, match=message):
            function(x, params)


def test_codes_of_another_type_are_errors() -> None:
    with pytest.raises(ParameterError, match=r"codes of int8 are stored as torch.int8, not torch.int16"):
        he.dequantize(torch.zeros(3, dtype=torch.int16), he.AffineParams(1.0))
    for params in (he.BinaryParams(1.0), he.Log2Params(1.0, 2)):
        with pytest.raises(ParameterError, match="int8"):
            he.dequantize(torch.full((3,), 2, dtype=torch.int8), params)


def test_parameters_from_tensors_are_those_from_numbers() -> None:
    lo, hi = torch.tensor([-1.0, -3.0], requires_grad=True), torch.tensor([2.0, 0.5])
    expected = he.choose_params([-1.0, -3.0], [2.0, 0.5], symmetric=False, axis=0)
    assert he.choose_params(lo, hi, symmetric=False, axis=0) == expected
    assert he.AffineParams(torch.tensor(0.1), torch.tensor(3)) == he.AffineParams(np.float32(0.1), 3)
    assert he.AffineParams(torch.tensor(0.25, dtype=torch.bfloat16)) == he.AffineParams(0.25)
    assert he.Multiplier.from_real(torch.tensor(0.3, dtype=torch.float64)) == he.Multiplier.from_real(0.3)
    weight = torch.randn(3, 4, requires_grad=True)
    values = weight.detach().numpy()
    assert_array_equal(he.BinaryParams.from_tensor(weight, 0).scale, he.BinaryParams.from_tensor(values, 0).scale)
    assert_array_equal(he.Log2Params.from_tensor(weight).scale, he.Log2Params.from_tensor(values).scale)
