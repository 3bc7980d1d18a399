"""The range of least squared error, against sampling and against trying every range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfeven.numerics.affine import dequantize, quantize
from halfeven.numerics.qtype import int4, int8, int16, uint8
from halfeven.ranges import MSE, Codes, Histogram, choose_range
from halfeven.ranges.histogram import Occupied
from halfeven.ranges.mse import COARSE, FINE, squared_error

CODES = [Codes(int4), Codes(int8), Codes(int8, symmetric=False), Codes.of(uint8)]


def measured(x: np.ndarray, codes: Codes, lo: float, hi: float) -> float:
    params = codes.params(lo, hi)
    x = x.astype(np.float32)
    return float(np.mean((dequantize(quantize(x, params), params).astype(np.float64) - x) ** 2))


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 50)), min_size=1, max_size=5, unique_by=lambda b: b[0]),
    st.floats(0.05, 12),
    st.sampled_from(CODES),
)
def test_the_error_is_the_mean_over_values_spread_evenly(
    bins: list[tuple[int, int]], threshold: float, codes: Codes
) -> None:
    edges, counts = np.array([b[0] for b in bins], np.float64), np.array([b[1] for b in bins])
    found = squared_error(Occupied(edges, edges + 1, counts), codes.params([-threshold], [threshold], axis=0))
    points = (np.arange(20_000) + 0.5) / 20_000
    each = [measured(edge + points, codes, -threshold, threshold) for edge in edges]
    assert found[0] == pytest.approx(float(np.dot(each, counts) / counts.sum()), rel=1e-3, abs=1e-6)


def test_an_interval_without_width_is_one_value() -> None:
    six = Occupied(np.array([6.0]), np.array([6.0]), np.array([3]))
    params = Codes(int8).params([6.0, 12.8], [6.0, 12.8], axis=0)
    expected = [(127 * 6.0 / 128 - 6) ** 2, 0.0]
    np.testing.assert_allclose(squared_error(six, params), expected, rtol=1e-6, atol=1e-14)


SAMPLES = {
    "bell": np.random.default_rng(1).normal(size=100_000),
    "long tails": np.random.default_rng(2).standard_t(4, size=100_000),
    "clipped bell": np.maximum(np.random.default_rng(3).normal(size=100_000), 0),
    "outlier": np.append(np.random.default_rng(4).normal(size=100_000), 40.0),
    "flat": np.random.default_rng(5).uniform(-1, 1, 100_000),
    "negative": -np.abs(np.random.default_rng(6).normal(size=100_000)),
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("codes", CODES, ids=str)
def test_no_other_range_is_better(name: str, codes: Codes) -> None:
    x = SAMPLES[name]
    lo, hi = choose_range(Histogram().update(x.astype(np.float32)), MSE, codes)
    chosen = measured(x, codes, lo, hi)
    for fraction in np.linspace(0.05, 1, 96):
        tried = [(fraction * x.min(), fraction * x.max())]
        if not codes.symmetric:
            tried += [(x.min(), fraction * x.max()), (fraction * x.min(), x.max())]
        for low, high in tried:
            assert chosen <= measured(x, codes, min(low, 0), max(high, 0)) * 1.004


@pytest.mark.parametrize("codes", [Codes(int8), Codes.of(uint8)], ids=str)
def test_every_coarse_threshold_is_tried(codes: Codes) -> None:
    x = np.append(np.abs(np.random.default_rng(8).normal(size=2000)), [30.0]).astype(np.float32)
    seen = Histogram().update(x)
    bins = seen.occupied()
    tried = 30.0 / COARSE * np.arange(1, COARSE + 1)
    lo, hi = choose_range(seen, MSE, codes)
    best = squared_error(bins, codes.params([lo], [hi], axis=0))[0]
    assert best <= squared_error(bins, codes.params(np.zeros(COARSE), tried, axis=0)).min()
    assert hi == pytest.approx(30.0 / (COARSE * FINE) * round(hi * COARSE * FINE / 30.0), rel=1e-12)


def test_sixteen_bits_keep_nearly_everything() -> None:
    x = SAMPLES["bell"]
    lo, hi = choose_range(Histogram().update(x.astype(np.float32)), MSE, Codes(int16))
    assert measured(x, Codes(int16), lo, hi) <= measured(x, Codes(int16), float(x.min()), float(x.max())) * 1.001


def test_zeros_cost_nothing_and_change_nothing() -> None:
    x = np.abs(np.random.default_rng(9).normal(size=10_000)).astype(np.float32)
    without = choose_range(Histogram().update(x), MSE)
    with_zeros = choose_range(Histogram().update(x).update(np.zeros(90_000, np.float32)), MSE)
    assert with_zeros == (0.0, without[1])
    assert choose_range(Histogram().update(np.zeros(9, np.float32)), MSE) == (0.0, 0.0)


def test_the_ends_of_asymmetric_codes_move_alone() -> None:
    x = np.concatenate([SAMPLES["bell"], [60.0]])
    lo, hi = choose_range(Histogram().update(x.astype(np.float32)), MSE, Codes.of(uint8))
    assert -6 < lo < -3
    assert 15 < hi < 59
    assert choose_range(Histogram().update(np.float32([-3, -1])), MSE, Codes.of(uint8))[1] == 0.0
