"""Quotients of codes: docs/math/divide.md eq. 18 bounds the error before the last rounding."""

from __future__ import annotations

import numpy as np
import pytest
from one_operator import OneOperator

from halfeven.execute.run import reference_backend, run_program
from halfeven.ir.slopes import Divide
from halfeven.lower import lower
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import QType, int8, int16, uint8

BOUND = 2.0**-31


def quotients(a: AffineParams, b: AffineParams, y: AffineParams) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of every pair, real quotients, codes of the program."""
    x = np.arange(a.qtype.qmin, a.qtype.qmax + 1, dtype=a.qtype.storage)
    z = np.arange(b.qtype.qmin, b.qtype.qmax + 1, dtype=b.qtype.storage)
    model = OneOperator("Div", [((x.size, 1), a), ((z.size,), b)], y)
    program = lower(model.qdq(), "journey6", strict=True)
    assert any(isinstance(i, Divide) for i in program)
    got = run_program(program, {"x0.q": x[:, None], "x1.q": z}, ["y.q"], reference_backend())["y.q"]
    left = (x.astype(np.float64) - int(a.zero_point)) * float(a.scale)
    right = (z.astype(np.float64) - int(b.zero_point)) * float(b.scale)
    with np.errstate(all="ignore"):
        return left[:, None] / right, got, z


@pytest.mark.parametrize(
    ("b", "y"),
    [
        (AffineParams(0.037, -128, int8), AffineParams(0.5, 5, int8)),
        (AffineParams(0.021, 7, int8), AffineParams(0.09, 0, int8)),
        (AffineParams(0.5, 255, uint8), AffineParams(0.01, 99, uint8)),
        (AffineParams(0.03, 0, int8), AffineParams(0.004, -17, int16)),
    ],
)
def test_every_pair_of_codes_is_the_rounded_quotient(b: AffineParams, y: AffineParams) -> None:
    real, got, _ = quotients(AffineParams(0.043, 3, int8), b, y)
    finite = np.isfinite(real)
    exact = real[finite] / float(y.scale)
    sure = np.abs(exact - np.floor(exact) - 0.5) > BOUND * np.abs(exact) + 1e-12
    expected = np.clip(np.rint(exact) + int(y.zero_point), y.qtype.qmin, y.qtype.qmax)
    np.testing.assert_array_equal(got[finite][sure], expected[sure])
    assert sure.mean() > 0.95


@pytest.mark.parametrize("qtype", [int8, uint8])
def test_a_divisor_of_zero_saturates(qtype: QType) -> None:
    real, got, z = quotients(AffineParams(0.1, 3, int8), AffineParams(0.1, 40, qtype), AffineParams(0.1, 9, int8))
    column = got[:, z == 40].reshape(-1)
    assert np.unique(column[:131]).tolist() == [-128]
    assert column[131] == 9
    assert np.unique(column[132:]).tolist() == [127]
    assert np.isnan(real[131, z == 40]).all()


def test_scales_too_far_apart_stay_in_float() -> None:
    model = OneOperator("Div", [((4,), AffineParams(1e-9)), ((4,), AffineParams(1e9))], AffineParams(1.0))
    (part,) = lower(model.qdq(), "journey6").float_parts
    assert "scales differ too much" in part.reason


def test_a_constant_divisor_of_zero_stays_in_float() -> None:
    model = OneOperator("Div", [((3, 2), AffineParams(0.1))], AffineParams(1.0), [np.float64([1.0, 0.0])])
    (part,) = lower(model.qdq(), "journey6").float_parts
    assert "divisor holds 0" in part.reason
