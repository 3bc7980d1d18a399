"""The range of least divergence, against the definition written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfeven.errors import ParameterError
from halfeven.numerics.qtype import int8, int16, uint8
from halfeven.ranges import KL, Codes, Histogram, Kl, choose_range
from halfeven.ranges.kl import DIGITS, Windows, divergence

COUNTS = st.lists(st.one_of(st.just(0.0), st.floats(0.125, 100, width=32)), min_size=6, max_size=24).filter(any)


def written_out(counts: list[float], start: int, end: int, levels: int) -> float:
    """The definition, bin by bin."""
    raw = counts[start:end]
    filled = [b for b, count in enumerate(raw) if count > 0]
    if not filled:
        return math.inf
    p = [*raw]
    p[filled[0]] += sum(counts[:start])
    p[filled[-1]] += sum(counts[end:])
    q = [0.0] * len(raw)
    for level in range(levels):
        inside = range(level * len(raw) // levels, (level + 1) * len(raw) // levels)
        own = [b for b in inside if raw[b] > 0]
        for b in own:
            q[b] = sum(raw[k] for k in inside) / len(own)
    total = 0.0
    for p_b, q_b in zip(p, q, strict=True):
        if p_b > 0:
            total += p_b / sum(p) * math.log((p_b / sum(p)) / (q_b / sum(q)))
    return total


@given(COUNTS, st.integers(2, 5))
def test_divergence_is_its_definition(counts: list[float], levels: int) -> None:
    windows = [(s, e) for s in range(len(counts)) for e in range(s + levels, len(counts) + 1)]
    start, end = np.array(windows, np.int64).T
    found = divergence(Windows(np.array(counts), start, end, levels))
    expected = [written_out(counts, s, e, levels) for s, e in windows]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@given(COUNTS)
def test_divergence_is_never_negative(counts: list[float]) -> None:
    ends = np.arange(3, len(counts) + 1)
    assert (divergence(Windows(np.array(counts), np.zeros_like(ends), ends, 3)).round(DIGITS) >= 0).all()


def test_one_bin_a_level_loses_only_what_lies_outside() -> None:
    counts = np.array([5.0, 0, 3, 2, 1, 1])
    found = divergence(Windows(counts, np.array([0, 0]), np.array([6, 4]), 4))
    assert divergence(Windows(counts, np.array([0]), np.array([6]), 6)).round(DIGITS) == 0
    # inside 4 bins: P = 5, 0, 3, 4 of 12 and Q = 5, 0, 3, 2 of 10
    assert found[1] == pytest.approx(
        5 / 12 * math.log(10 / 12) * 1 + 3 / 12 * math.log(10 / 12) + math.log(20 / 12) / 3
    )


def seen(*parts: np.ndarray) -> Histogram:
    return Histogram().update(np.concatenate(parts).astype(np.float32))


def test_a_far_outlier_is_clipped_and_a_plain_range_is_kept() -> None:
    rng = np.random.default_rng(1)
    bell = rng.normal(size=100_000)
    assert choose_range(seen(rng.uniform(-1, 1, 100_000)), KL)[1] > 0.95
    # eight times the greatest: the least threshold of 128 of 1024 bins
    lo, hi = choose_range(seen(bell, np.array([36.0])), KL)
    assert hi < 6
    assert -6 < lo < -3


def test_zeros_do_not_count() -> None:
    x = np.abs(np.random.default_rng(2).normal(size=50_000))
    with_zeros = seen(x, np.zeros(500_000))
    for codes in (Codes(int8), Codes.of(uint8)):
        assert choose_range(with_zeros, KL, codes) == (0.0, choose_range(seen(x), KL, codes)[1])


def test_sixteen_bits_lose_nothing_inside_the_widest_range() -> None:
    x = seen(np.random.default_rng(3).standard_t(3, 10_000))
    assert choose_range(x, Kl(16384), Codes(int16)) == (x.lo, x.hi)


def test_asymmetric_codes_see_each_side() -> None:
    rng = np.random.default_rng(4)
    x = seen(rng.normal(2, 1, size=200_000))
    lo, hi = choose_range(x, KL, Codes(int8, symmetric=False))
    assert lo == x.lo
    assert 5 < hi < x.hi


@pytest.mark.parametrize("values", [[0.0], [5.0], [-5.0], [1e30, -1e-30], [2.0**-149]])
def test_few_values(values: list[float]) -> None:
    x = seen(np.array(values))
    for codes in (Codes(int8), Codes.of(uint8)):
        assert choose_range(x, KL, codes) == (x.lo, x.hi)


@pytest.mark.parametrize("bins", [128, 0, -1, 16385])
def test_numbers_of_bins_that_cannot_be(bins: int) -> None:
    with pytest.raises(ParameterError, match="129 to 16384"):
        Kl(bins)
