"""The range that leaves a percentage out."""

from __future__ import annotations

import numpy as np
import pytest

from halfeven.errors import ParameterError
from halfeven.ranges import PERCENTILE, Histogram, Percentile, choose_range


def histogram(values: object) -> Histogram:
    return Histogram().update(np.asarray(values, np.float32))


def test_percentile_is_linear_inside_a_bin() -> None:
    # bins are 1 wide: 0 .. 4095 has one value each. 90 % of 4096 = 3686.4 values lie below t = 3686.4; the lower end is
    # where 10 %, 409.6 values, lie below
    lo, hi = choose_range(histogram(np.arange(4096)), Percentile(90))
    assert hi == pytest.approx(3686.4, rel=1e-12)
    assert lo == pytest.approx(409.6, rel=1e-12)


def test_percentile_of_mirrored_data_is_mirrored() -> None:
    x = np.random.default_rng(3).normal(1, 2, 10_000).astype(np.float32)
    lo, hi = choose_range(histogram(x), PERCENTILE)
    exact = np.percentile(x.astype(np.float64), [0.01, 99.99])
    assert abs(lo - exact[0]) < 0.2
    assert abs(hi - exact[1]) < 0.2
    # the bins are half open, so the mirrored data may lie one bin aside
    mirrored_lo, mirrored_hi = choose_range(histogram(-x), PERCENTILE)
    width = histogram(x).width
    assert abs(mirrored_lo + hi) <= width
    assert abs(mirrored_hi + lo) <= width


def test_percentile_drops_outliers_and_100_keeps_them() -> None:
    x = np.concatenate([np.linspace(-1, 1, 100_000), [50.0]])
    lo, hi = choose_range(histogram(x), PERCENTILE)
    assert -1 <= lo < -0.99
    assert 0.99 < hi < 1.1
    assert choose_range(histogram(x), Percentile(100)) == (-1.0, 50.0)


@pytest.mark.parametrize("value", [3.5, -3.5, 0.0, 1e30, 2.0**-149])
def test_percentile_of_one_value_is_that_value(value: float) -> None:
    expected = float(np.float32(value))
    assert choose_range(histogram([value] * 9), PERCENTILE) == (expected, expected)


def test_percentile_stays_inside_the_values_seen() -> None:
    lo, hi = choose_range(histogram([0.1, 0.2, 0.3]), PERCENTILE)
    assert float(np.float32(0.1)) <= lo <= hi <= float(np.float32(0.3))


@pytest.mark.parametrize("value", [49.99, 0, -1, 100.01, float("nan")])
def test_percentiles_that_cannot_be(value: float) -> None:
    with pytest.raises(ParameterError, match="percentile"):
        Percentile(value)


def test_the_median_alone_is_left_of_percentile_50() -> None:
    x = np.random.default_rng(5).normal(size=9999).astype(np.float32)
    lo, hi = choose_range(histogram(x), Percentile(50))
    assert abs(lo - np.median(x)) <= histogram(x).width
    assert 0 <= hi - lo <= 1e-9
