"""Ranges from statistics."""

from __future__ import annotations

import numpy as np
import pytest

from halfeven.errors import ParameterError
from halfeven.ranges import MAX, PERCENTILE, Histogram, MinMax, choose_range, get_method, percentile


def histogram(values: object) -> Histogram:
    return Histogram().update(np.asarray(values, np.float32))


def test_max_takes_the_ends() -> None:
    assert choose_range(MinMax(-3.0, 5.0, 2), "max") == (-3.0, 5.0)
    assert choose_range(histogram([-3, 5]), MAX) == (-3.0, 5.0)


def test_no_finite_value_gives_the_empty_range() -> None:
    assert choose_range(MinMax(inf=4), MAX) == (0.0, 0.0)
    assert choose_range(histogram([np.inf, np.nan]), PERCENTILE) == (0.0, 0.0)


def test_infinities_set_no_range() -> None:
    assert choose_range(histogram([-np.inf, -2, 3, np.inf]), MAX) == (-2.0, 3.0)


def test_percentile_is_linear_inside_a_bin() -> None:
    # bins are 1 wide: 0 .. 2047 has one value each. 90 % of 2048 = 1843.2 values lie below t = 1843.2; the lower end is
    # where 10 %, 204.8 values, lie below
    lo, hi = choose_range(histogram(np.arange(2048)), percentile(90))
    assert hi == pytest.approx(1843.2, rel=1e-12)
    assert lo == pytest.approx(204.8, rel=1e-12)


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
    assert choose_range(histogram(x), percentile(100)) == (-1.0, 50.0)


@pytest.mark.parametrize("value", [3.5, -3.5, 0.0, 1e30, 2.0**-149])
def test_percentile_of_one_value_is_that_value(value: float) -> None:
    expected = float(np.float32(value))
    assert choose_range(histogram([value] * 9), PERCENTILE) == (expected, expected)


def test_percentile_stays_inside_the_values_seen() -> None:
    lo, hi = choose_range(histogram([0.1, 0.2, 0.3]), PERCENTILE)
    assert float(np.float32(0.1)) <= lo <= hi <= float(np.float32(0.3))


@pytest.mark.parametrize("value", [50, 0, -1, 100.01, float("nan")])
def test_percentiles_that_cannot_be(value: float) -> None:
    with pytest.raises(ParameterError, match="percentile"):
        percentile(value)


def test_a_histogram_is_asked_for() -> None:
    with pytest.raises(ParameterError, match="percentile needs a Histogram, not a MinMax"):
        choose_range(MinMax(-1.0, 1.0, 2), PERCENTILE)


def test_unknown_methods_name_the_known() -> None:
    with pytest.raises(ParameterError, match=r"'maxx'.*max, percentile"):
        get_method("maxx")
    assert get_method("percentile") is PERCENTILE
