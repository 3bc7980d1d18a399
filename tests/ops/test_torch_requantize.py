"""Integer sums in torch tensors give the reference's codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from samples import ALL_QTYPES, INTEGER_PROFILES, SHIFTS, multiplier, rng, sums

import halfeven as he
from halfeven.errors import ParameterError
from halfeven.numerics import requantize as reference

torch = pytest.importorskip("torch", reason="torch is not installed: the torch backend is not tested")


@pytest.mark.parametrize("profile", INTEGER_PROFILES)
@pytest.mark.parametrize("bits", [31, 24, 15, 1])
def test_codes_are_the_references(bits: int, profile: str) -> None:
    wide = profile != "tflite-double"
    for shift in SHIFTS if profile not in ("onnxruntime", "xnnpack") else SHIFTS[2:-1]:
        m = multiplier(bits, shift)
        for acc in (sums(wide=False), sums(wide=False).astype(np.int64), *([sums(wide=True)[:, ::3]] if wide else [])):
            for p in (he.AffineParams(1.0, 5), he.AffineParams(1.0, -77, he.int32)):
                got = he.requantize(torch.from_numpy(acc), m, p, profile, axis=0).numpy()
                assert got.dtype == p.qtype.storage
                assert_array_equal(got, reference.requantize(acc, m, p, profile, axis=0), err_msg=f"{shift} {p}")


@pytest.mark.parametrize("qtype", ALL_QTYPES, ids=str)
def test_every_qtype_and_integer_type(qtype: he.QType) -> None:
    m = he.Multiplier.from_real(0.37)
    p = he.AffineParams(1.0, qtype.qmax // 3, qtype)
    for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64):
        info = np.iinfo(dtype)
        acc = rng().integers(info.min, info.max, 200, dtype=dtype, endpoint=True)
        got = he.requantize(torch.from_numpy(acc), m, p).numpy()
        assert got.dtype == qtype.storage
        assert_array_equal(got, reference.requantize(acc, m, p))


def test_channels_layouts_and_shapes() -> None:
    m = he.Multiplier.from_real(rng().uniform(0.001, 3, 4))
    acc = rng().integers(-(2**20), 2**20, (3, 4, 6)).astype(np.int32)
    many = he.AffineParams(np.ones(4), [1, 2, 3, 4], axis=1)
    turned = torch.from_numpy(acc.transpose(1, 2, 0).copy()).permute(2, 0, 1)
    assert_array_equal(he.requantize(turned, m, many).numpy(), reference.requantize(acc, m, many))
    assert he.requantize(torch.tensor(5), he.Multiplier.from_real(0.5), he.AffineParams(1.0)).item() == 2
    assert he.requantize(torch.zeros(0, 4, dtype=torch.int32), m, he.AffineParams(1.0), axis=1).shape == (0, 4)


BAD: dict[str, tuple[Any, he.Multiplier, dict[str, Any], str]] = {
    "floats": (torch.ones(3), he.Multiplier.from_real(0.5), {}, "integer sums of up to int64, not torch.float32"),
    "booleans": (torch.ones(3) > 0, he.Multiplier.from_real(0.5), {}, "not torch.bool"),
    "no axis": (torch.arange(3), he.Multiplier.from_real(np.ones(3)), {}, "needs axis="),
    "wrong channels": (torch.ones(2, 3).int(), he.Multiplier.from_real(np.ones(2)), {"axis": 1}, "do not fit axis 1"),
    "no rule": (torch.arange(3), he.Multiplier.from_real(0.5), {"profile": "pytorch"}, "defines no requantize"),
    "too wide": (torch.tensor([2**40]), he.Multiplier.from_real(0.5), {"profile": "tflite-double"}, "int32 sums only"),
    "infinite": (torch.arange(3), he.Multiplier.from_real(1e39), {"profile": "onnxruntime"}, "beyond float32"),
}


@pytest.mark.parametrize(("acc", "m", "options", "message"), BAD.values(), ids=BAD)
def test_bad_arguments_are_named(acc: Any, m: he.Multiplier, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        he.requantize(acc, m, he.AffineParams(1.0), **options)
