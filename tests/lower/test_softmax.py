"""Softmax over all codes: docs/math/softmax.md eq. 14 bounds the error before the last rounding."""

from __future__ import annotations

import numpy as np
import pytest
from one_operator import OneOperator

from halfeven.errors import AccumulatorError
from halfeven.execute.run import reference_backend, run_program
from halfeven.lower import lower
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import QType, int8, int16, uint8


def bound(n: int, scale: float) -> float:
    return ((n + 1) * 2.0**-31 * (1 + n * 2.0**-30) + 2.0**-24) / scale


@pytest.mark.parametrize("length", [1, 2, 3, 100, 6625])
@pytest.mark.parametrize("step", [1e-4, 0.02, 0.1, 1.0])
@pytest.mark.parametrize(
    ("qtype", "scale", "zero"), [(int8, 1 / 256, -128), (uint8, 1 / 255, 0), (int8, 1 / 128, 0), (int16, 2.0**-15, 0)]
)
def test_error_is_within_its_bound(length: int, step: float, qtype: QType, scale: float, zero: int) -> None:
    x, y = AffineParams(step, 5, int8), AffineParams(scale, zero, qtype)
    program = lower(
        OneOperator("Softmax", [((256, length), x)], y, attributes={"axis": 1}).qdq(), "journey6", strict=True
    )
    rng = np.random.default_rng(length)
    codes = rng.integers(-128, 128, (256, length)).astype(np.int8)
    codes[:, 0] = np.arange(-128, 128)  # every code meets every kind of row
    got = run_program(program, {"x0.q": codes}, ["y.q"], reference_backend())["y.q"]
    reals = codes.astype(np.float64) * float(x.scale)
    e = np.exp(reals - reals.max(axis=1, keepdims=True))
    exact = e / e.sum(axis=1, keepdims=True) / float(y.scale)
    expected = np.clip(np.rint(exact) + zero, qtype.qmin, qtype.qmax).astype(qtype.storage)
    sure = np.abs(exact - np.floor(exact) - 0.5) > bound(length, float(y.scale))
    np.testing.assert_array_equal(got[sure], expected[sure])
    assert sure.mean() > 0.75


def test_a_row_too_long_for_int64_is_refused() -> None:
    y = AffineParams(1.0, 0, int8)
    program = lower(OneOperator("Softmax", [((1, 2048), AffineParams(0.1))], y).qdq(), "journey6", strict=True)
    with pytest.raises(AccumulatorError, match=r"the_operator.*2048 values"):
        run_program(program, {"x0.q": np.zeros((1, 2048), np.int8)}, ["y.q"], reference_backend())
