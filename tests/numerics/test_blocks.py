"""Scales of blocks as factors of codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfeven.errors import ParameterError
from halfeven.numerics.blocks import exact_factors, per_channel, rounded_factors
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import int4, int8, int16, uint4


@given(st.lists(st.integers(1, 15), min_size=1, max_size=9), st.floats(2.0**-100, 2.0**100, width=32))
def test_multiples_are_found_again(factors: list[int], real: float) -> None:
    unit = np.ldexp(np.rint(np.ldexp(np.frexp(real)[0], 20)), np.frexp(real)[1] - 20)
    scale = (np.array([factors]) * unit).astype(np.float32)
    found = exact_factors(scale, 0)
    np.testing.assert_array_equal(found.unit[:, None] * found.factor, scale.astype(np.float64))
    np.testing.assert_array_equal(found.unit, found.unit.astype(np.float32))
    assert found.factor.max() <= max(factors) // np.gcd.reduce(factors)


@given(st.lists(st.floats(2.0**-120, 2.0**120, width=32), min_size=1, max_size=6))
def test_any_float32_numbers_have_a_unit_or_are_too_far_apart(scales: list[float]) -> None:
    scale = np.array([scales], np.float32)
    found = exact_factors(scale, 0)
    if found.factor.min() > 0:
        assert [int(f) * float(found.unit[0]) for f in found.factor[0]] == scales
    else:
        assert max(scales) / min(scales) >= 2.0**37


@pytest.mark.parametrize("limit", [15, 127, 4095])
def test_rounded_factors_are_near_and_their_products_are_float32(limit: int) -> None:
    scale = np.random.default_rng(0).lognormal(size=(40, 7))
    found = rounded_factors(scale, 0, limit)
    made = found.unit[:, None] * found.factor
    np.testing.assert_array_equal(made, made.astype(np.float32))
    assert found.factor.min() >= 1
    assert found.factor.max() <= limit
    assert (
        np.abs(made - scale)[found.factor > 1]
        <= 0.51 * np.broadcast_to(found.unit[:, None], scale.shape)[found.factor > 1]
    ).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_the_reals_stay_the_same(axis: int) -> None:
    rng = np.random.default_rng(axis)
    unit = np.array([3.0, 0.5, 7.0, 0.25]) / 2**10
    factors = rng.integers(1, 16, (4, 3))
    factors[:, 0] = 15
    codes = rng.integers(-8, 8, (4, 8)).astype(np.int8)
    scale = unit[:, None] * factors
    params = AffineParams(scale if axis == 0 else scale.T, 0, int4, 1 - axis, 3)
    stored = codes if axis == 0 else codes.T
    merged, found = per_channel(stored, params, axis)
    assert (found.qtype, found.axis, found.block_size, merged.dtype) == (int8, axis, None, np.int8)
    real = stored * params.expanded(stored.shape)[0].astype(np.float64)
    np.testing.assert_array_equal(merged * found.expanded(stored.shape)[0].astype(np.float64), real)


def test_zero_points_and_scales_of_other_tools() -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 16, (6, 32)).astype(np.uint8)
    params = AffineParams(rng.uniform(0.01, 0.1, (6, 4)), rng.integers(0, 16, (6, 4)), uint4, 1, 8)
    merged, found = per_channel(codes, params, 0)
    scale, zero = params.expanded(codes.shape)
    real = (codes.astype(np.int64) - zero) * scale.astype(np.float64)
    assert found.qtype is int16
    step = params.scale.max(axis=1, keepdims=True)
    assert (np.abs(merged * found.scale.astype(np.float64)[:, None] - real) <= step * 2.0**-8).all()


def test_what_cannot_be() -> None:
    codes = np.full((2, 4), 127, np.int8)
    with pytest.raises(ParameterError, match="too wide for 16 bits"):
        per_channel(codes, AffineParams(np.array([[0.1, 0.07], [0.2, 0.03]]), 0, int8, 1, 2), 0)
    with pytest.raises(ParameterError, match="along another axis than 1"):
        per_channel(codes, AffineParams(np.ones((2, 2)), 0, int8, 1, 2), 1)
    with pytest.raises(ParameterError, match="along another axis"):
        per_channel(codes, AffineParams(1.0), 0)
