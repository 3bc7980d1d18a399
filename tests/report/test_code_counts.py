"""Histograms in units of codes, by hand."""

from __future__ import annotations

import numpy as np
import pytest

import halfeven as he
from halfeven.report.code_counts import code_counts
from halfeven.report.histogram import LEVELS, _letters


def test_small_codes_by_hand() -> None:
    params = he.AffineParams(0.5, 1, he.int4)  # codes -8..7 are reals -4.5 .. 3.0
    f = np.array([0.0, 0.2, 3.0, 3.3, 3.8, -6.0, 100.0], np.float32)
    q = he.quantize(f, params)
    np.testing.assert_array_equal(q, [1, 1, 7, 7, 7, -8, 7])
    counts = code_counts(f, q, params)
    assert counts.run[1 + 8] == 2
    assert counts.run[7 + 8] == 4
    assert counts.run.sum() == counts.real.sum() == 7
    # codes before the clamp: 1, 1, 7, 8 (7.6), 9 (8.6), -11, 201; the last bin holds all above
    np.testing.assert_array_equal(np.flatnonzero(counts.real), [-11 + 24, 1 + 24, 7 + 24, 8 + 24, 9 + 24, 47])
    assert (counts.at_qmin, counts.at_qmax) == (1, 4)
    # 3.3 and 3.8 lie 0.6 and 1.6 steps above code 7
    assert (counts.clipped_low, counts.clipped_high) == (1, 2)
    assert counts.clip_energy == pytest.approx((3.8 - 3.0) ** 2 + (6.0 - 4.5) ** 2 + 97.0**2, rel=1e-6)
    assert counts.qmin_error == pytest.approx(3.0)  # -4.5 for -6.0, in steps of 0.5
    assert counts.qmax_error == pytest.approx((0 - 0.3 - 0.8 - 97) / 0.5, rel=1e-6)


def test_the_largest_value_of_a_symmetric_range_is_not_clipped() -> None:
    params = he.choose_params(-1, 1, he.int8)
    f = np.array([1.0, -1.0], np.float32)
    counts = code_counts(f, he.quantize(f, params), params)
    assert (counts.at_qmax, counts.clipped_high, counts.clip_energy) == (1, 0, 0)


def test_wide_codes_share_bins() -> None:
    params = he.AffineParams(1.0, 0, he.int16)
    f = np.array([-32768, -32768 + 255, -32768 + 256, 32767, 40000], np.float32)
    counts = code_counts(f, he.quantize(f, params), params)
    assert counts.run.size == 256
    np.testing.assert_array_equal(counts.run[[0, 1, 255]], [2, 1, 2])
    assert (counts.at_qmin, counts.at_qmax) == (1, 2)
    assert counts.clipped_high == 1


def test_a_scale_for_each_channel() -> None:
    params = he.AffineParams([1.0, 10.0], [0, 5], he.uint8, axis=1)
    f = np.array([[3.0, 20.0], [300.0, -100.0]], np.float32)
    counts = code_counts(f, he.quantize(f, params), params)
    np.testing.assert_array_equal(np.flatnonzero(counts.run), [0, 3, 7, 255])
    assert (counts.clipped_low, counts.clipped_high) == (1, 1)
    assert counts.clip_energy == pytest.approx(45**2 + 50**2)


def test_merge_is_addition() -> None:
    params = he.AffineParams(0.1, 0, he.int8)
    f = np.random.default_rng(0).normal(0, 8, (4, 10)).astype(np.float32)
    q = he.quantize(f, params)
    whole, parts = code_counts(f, q, params), [code_counts(f[k : k + 2], q[k : k + 2], params) for k in (0, 2)]
    merged = parts[0].merge(parts[1])
    np.testing.assert_array_equal(merged.run, whole.run)
    np.testing.assert_array_equal(merged.real, whole.real)
    assert merged.clipped_low == whole.clipped_low > 0


def test_values_that_are_not_finite_are_left_out() -> None:
    params = he.AffineParams(1.0, 0, he.int8)
    f = np.array([np.inf, 1.0], np.float32)
    counts = code_counts(f, he.quantize(f, params), params)
    assert counts.real.sum() == counts.run.sum() == 1


def test_letters_are_logarithmic() -> None:
    counts = np.array([0, 1, 1000, 10**6])
    drawn = _letters(counts)
    assert drawn[0] == LEVELS[0]
    assert drawn[1] == LEVELS[1]
    assert drawn[3] == LEVELS[-1]
    assert LEVELS.index(drawn[2]) == 31  # just below a thousandth, half of six decades
