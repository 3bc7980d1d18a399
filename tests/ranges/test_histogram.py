"""Histogram: integer counts that no order, batching or sharding changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from halfeven.ranges import Histogram, MinMax
from halfeven.ranges.histogram import BLOCK, LOWEST_EXPONENT, SIDE

FLOATS = arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32, allow_nan=True, allow_infinity=True))
TINY = np.float32(2.0**-149)
HUGE = np.finfo(np.float32).max


def of(*values: float) -> Histogram:
    return Histogram().update(np.array(values, np.float32))


def occupied(histogram: Histogram) -> dict[int, int]:
    """Count by bin index, counted from zero."""
    return {int(i) - SIDE: int(histogram.counts[i]) for i in np.flatnonzero(histogram.counts)}


def test_bins_are_half_open_and_a_power_of_two_wide() -> None:
    seen = of(0.0, 1.0, 4095.0, 4095.5, -1.0, -0.5)
    assert seen.exponent == 0
    assert seen.width == 1.0
    assert occupied(seen) == {-1: 2, 0: 1, 1: 1, 4095: 2}


@pytest.mark.parametrize(
    ("value", "exponent", "index"),
    [
        (4095.999, 0, 4095),
        (4096.0, 1, 2048),  # 4096 does not fit below 4096
        (-4096.0, 0, -4096),  # but -4096 is the first bin's edge
        (-4096.002, 1, -2049),
        (HUGE, 116, 4095),
        (-HUGE, 116, -4096),
        (TINY, -160, 2048),
        (-TINY, LOWEST_EXPONENT, -4096),
    ],
)
def test_the_exponent_is_the_least_that_holds_the_data(value: float, exponent: int, index: int) -> None:
    seen = of(value)
    assert seen.exponent == exponent
    assert occupied(seen) == {index: 1}


def test_a_larger_value_adds_neighbours_in_pairs() -> None:
    seen = of(0.0, 1.0, 2.0, 3.0, -1.0, -2.0, -3.0, 4095.0).update(np.float32(8192))
    assert seen.exponent == 2
    assert occupied(seen) == {-1: 3, 0: 4, 1023: 1, 2048: 1}


def test_a_tiny_negative_value_stays_below_zero_beside_a_huge_one() -> None:
    assert occupied(of(-TINY, TINY, HUGE)) == {-1: 1, 0: 1, 4095: 1}
    assert of(-TINY).update(np.float32(HUGE)) == of(HUGE, -TINY)


def test_zeros_alone() -> None:
    seen = of(0.0, -0.0, 0.0)
    assert seen.exponent == LOWEST_EXPONENT
    assert occupied(seen) == {0: 3}
    assert seen.zeros == 3
    assert seen.occupied().counts.size == 0


def test_occupied_bins_leave_zeros_out_and_end_at_the_extremes() -> None:
    seen = of(0.0, 0.0, 0.25, 0.5, -0.75, 4095.0, 6.0)
    bins = seen.occupied()
    assert_array_equal(bins.lo, [-0.75, 0, 6, 4095])
    assert_array_equal(bins.hi, [0, 1, 7, 4095])
    assert_array_equal(bins.counts, [1, 2, 1, 1])


def test_nothing_finite() -> None:
    seen = of(np.nan, np.inf)
    assert (seen.count, seen.nan, seen.inf, seen.counts.sum()) == (0, 1, 1, 0)
    assert seen == Histogram().merge(seen)


def test_more_values_than_one_block() -> None:
    x = np.random.default_rng(1).normal(size=2 * BLOCK + 17).astype(np.float32)
    seen = Histogram().update(x)
    assert seen.counts.sum() == x.size
    edges = np.arange(-SIDE, SIDE + 1) * seen.width
    assert_array_equal(seen.counts, np.histogram(x.astype(np.float64), edges)[0])
    assert seen.extremes == MinMax().update(x)


def test_memory_does_not_grow() -> None:
    seen = Histogram()
    for k in range(20):
        seen = seen.update(np.full(1000, 10.0**k, np.float32))
    assert seen.counts.nbytes == 2 * SIDE * 8
    assert Histogram().counts is Histogram().counts  # nothing was seen, and nothing is held
    assert not Histogram().counts.any()


@given(FLOATS, FLOATS, FLOATS)
def test_order_batches_and_shards_do_not_matter(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    whole = Histogram().update(np.concatenate([a, b, c]))
    assert whole == Histogram().update(c).update(a).update(b)
    assert whole == Histogram().update(b).merge(Histogram().update(c).merge(Histogram().update(a)))
    assert hash(whole) == hash(Histogram().update(c).update(a).update(b))


def test_counts_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        of(1.0).counts[0] = 1
