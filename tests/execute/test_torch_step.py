"""PyTorch gives the reference's codes, bit for bit: every instruction, also where float32 products are shortened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from random_instructions import KINDS, cases

from halfeven.errors import AccumulatorError, NotANumberError, UnavailableError
from halfeven.execute import reference, torch_backend, torch_sums
from halfeven.ir import instructions as ir
from halfeven.ir.rescale import Accumulator, Rescale, Target
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Requantize
from halfeven.numerics.qtype import int32

COUNT = 40
PRODUCTS = ("conv", "depthwise", "linear", "matmul")
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]


def assert_same(instruction: ir.Instruction, arrays: list[Any], device: str) -> None:
    (expected,) = reference.step(instruction, arrays)
    (got,) = torch_backend.step(instruction, [torch_backend.from_numpy(a, device) for a in arrays])
    assert got.device.type == device
    codes = torch_backend.to_numpy(got)
    assert codes.dtype == expected.dtype
    np.testing.assert_array_equal(codes, expected, err_msg=str(instruction))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_random_instructions_equal_the_reference(kind: str, device: str) -> None:
    for instruction, arrays in cases(kind, COUNT):
        assert_same(instruction, arrays, device)


@pytest.fixture
def short_products() -> Iterator[None]:
    """float32 matrix products in TF32 or bfloat16, as a user may have asked for."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


def longest_float32_sum() -> tuple[ir.Linear, list[Any]]:
    """The longest sums of the largest products that still are float32: 255 * 255 * 258 and 1 more is below 2^24."""
    rng = np.random.default_rng(3)
    x = rng.choice([0, 255], (64, 258)).astype(np.uint8)
    w = rng.choice([0, 254, 255], (258, 48)).astype(np.uint8)
    x[0], w[:, 0] = 255, 255
    accumulator = Accumulator.of(np.array([255 * 255 * 258]))
    how = Rescale(Multiplier.from_real(1.0), Target(int32, 0, int32.qmin, int32.qmax), Requantize.EXACT_HALF_EVEN)
    zero = np.zeros((), np.int64)
    return ir.Linear("n", "x", "y", w, zero, np.zeros(48, np.int64), 0, accumulator, how), [x]


@pytest.mark.usefixtures("short_products")
@pytest.mark.parametrize("device", DEVICES)
def test_products_are_exact_where_float32_is_shortened(device: str) -> None:
    assert_same(*longest_float32_sum(), device)
    for kind in PRODUCTS:
        for instruction, arrays in cases(kind, COUNT // 2, first=500):
            assert_same(instruction, arrays, device)


@pytest.mark.parametrize(
    ("bound", "largest", "kind"),
    [
        (2**24, 2**8, torch.float32),
        (2**24 + 1, 2**8, torch.float64),
        (2**20, 2**8 + 1, torch.float64),
        (2**53, 2**16, torch.float64),
    ],
)
def test_the_float_type_holds_every_sum(bound: int, largest: int, kind: torch.dtype) -> None:
    assert torch_sums.exact_float(bound, largest) == kind


def test_sums_beyond_float64_are_refused() -> None:
    with pytest.raises(AccumulatorError, match=r"beyond 2\^53"):
        torch_sums.exact_float(2**53 + 1, 1)


def test_samples_are_convolved_in_parts_that_fit_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_sums, "COLUMN_BYTES", 1)
    for instruction, arrays in cases("conv", 10, first=900):
        assert_same(instruction, arrays, "cpu")


def test_nan_is_refused_with_its_count() -> None:
    instruction = ir.Quantize("n", "x", "y", AffineParams(1.0), JOURNEY6)
    with pytest.raises(NotANumberError) as caught:
        torch_backend.step(instruction, [torch.tensor([1.0, float("nan")])])
    assert caught.value.count == 1


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(UnavailableError, match="device 'cuda:99'"):
        torch_backend.from_numpy(np.zeros(1, np.int8), "cuda:99")
