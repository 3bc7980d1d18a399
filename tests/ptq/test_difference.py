"""Sums of differences and the measures of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from halfeven.ptq.difference import Difference, Measure

VECTORS = arrays(np.float32, 9, elements=st.floats(-1000, 1000, width=32))


@given(VECTORS, VECTORS)
@example(np.full(9, 229, np.float32), np.full(9, 0.001, np.float32))
def test_measures_are_their_definitions(f: np.ndarray, other: np.ndarray) -> None:
    x, d = f.astype(np.float64), other.astype(np.float64)
    found = Difference.between(f, other)
    assert Measure.MSE.of(found) == pytest.approx(np.mean((d - x) ** 2))
    assert Measure.CHEBYSHEV.of(found) == pytest.approx(np.abs(d - x).max())
    if (x @ x) > 1e-6 and (d @ d) > 1e-6:
        cosine = x @ d / math.sqrt((x @ x) * (d @ d))
        lost = 1e-15 * (x @ x) / (d @ d)  # |d|^2 comes from |x|^2 and the error
        assert 0 <= Measure.COSINE.of(found) == pytest.approx(1 - cosine, abs=1e-6 + lost)
        assert Measure.SQNR.of(found) == pytest.approx(np.sum((d - x) ** 2) / np.sum(x**2))
        assert Measure.MRE.of(found) == pytest.approx(np.abs(d - x).sum() / np.abs(x).sum())


@pytest.mark.parametrize("measure", Measure)
def test_equal_is_zero_and_worse_is_more(measure: Measure) -> None:
    f = np.array([1.0, -2.0, 3.0], np.float32)
    near, far = (Difference.between(f, f + np.float32([e, 0, -e])) for e in (0.1, 1.5))
    assert measure.of(Difference.between(f, f)) == 0
    assert 0 < measure.of(near) < measure.of(far)
    assert measure.of(Difference()) == 0


@given(VECTORS, VECTORS, VECTORS, VECTORS)
def test_sums_add_over_samples(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> None:
    apart = Difference.between(a, b) + Difference.between(c, d)
    whole = Difference.between(np.concatenate([a, c]), np.concatenate([b, d]))
    for measure in Measure:
        assert measure.of(apart) == pytest.approx(measure.of(whole), rel=1e-9, abs=1e-9)


def test_more_than_one_block() -> None:
    x = np.random.default_rng(1).normal(size=2**16 + 5).astype(np.float32)
    assert Difference.between(x, x + 1).count == x.size
    assert Measure.MSE.of(Difference.between(x, x + 1)) == pytest.approx(1, rel=1e-6)


def test_infinite_float_results_are_left_out_and_infinite_errors_are_not() -> None:
    f = np.array([1.0, -np.inf, np.inf], np.float32)
    assert Difference.between(f, np.array([1.0, 0, 0], np.float32)) == Difference(1, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    for bad in (np.nan, np.inf):
        found = Difference.between(f, np.array([bad, 0, 0], np.float32))
        assert Measure.SQNR.of(found) == math.inf
        assert Measure.COSINE.of(found) == 1
    zeros = np.zeros(3, np.float32)
    assert Measure.SQNR.of(Difference.between(zeros, zeros + 1)) == math.inf
    assert Measure.COSINE.of(Difference.between(zeros, zeros + 1)) == 1
