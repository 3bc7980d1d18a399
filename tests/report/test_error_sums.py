"""Sums against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from halfeven.report import error_sums as module
from halfeven.report.error_sums import decibels, error_sums

F = np.array([1.0, 2.0, -2.0, 4.0], np.float32)
D = np.array([1.5, 2.0, -3.0, 4.0], np.float32)  # e = 0.5, 0, -1, 0


def test_numbers_by_hand() -> None:
    sums = error_sums(F, D)
    assert sums.elements == 4
    assert sums.f_energy[0] == 25
    assert sums.e_energy[0] == 1.25
    assert sums.sqnr_db == pytest.approx(10 * math.log10(25 / 1.25))
    assert sums.cosine == pytest.approx(27.5 / math.sqrt(25 * (1.5**2 + 4 + 9 + 16)))
    assert sums.mean_error == -0.125
    assert sums.e_max[0] == 1
    assert (sums.f_lo[0], sums.f_hi[0], sums.d_lo[0], sums.d_hi[0]) == (-2, 4, -3, 4)


def test_no_error_is_exact() -> None:
    sums = error_sums(F, F)
    assert sums.sqnr_db == math.inf
    assert sums.cosine == 1
    assert sums.constant_share == 0


def test_error_without_signal() -> None:
    sums = error_sums(np.zeros(4, np.float32), D)
    assert sums.sqnr_db == -math.inf
    assert sums.cosine == 0


def test_zero_against_zero_is_exact() -> None:
    zero = np.zeros((2, 3), np.float32)
    assert error_sums(zero, zero, 1).sqnr_db == math.inf
    assert error_sums(zero, zero, 1).cosine == 1


def test_decibels() -> None:
    assert decibels(100, 1) == pytest.approx(20)
    assert decibels(0, 1) == -math.inf
    assert decibels(0, 0) == math.inf


def test_channels() -> None:
    f = np.arange(12, dtype=np.float32).reshape(2, 3, 2)  # channel 1 holds 2, 3, 8, 9
    d = f + np.array([0, 1, -2], np.float32)[:, None]
    sums = error_sums(f, d, 1)
    np.testing.assert_array_equal(sums.count, [4, 4, 4])
    np.testing.assert_array_equal(sums.f_sum, [0 + 1 + 6 + 7, 2 + 3 + 8 + 9, 4 + 5 + 10 + 11])
    np.testing.assert_array_equal(sums.e_energy, [0, 4, 16])
    np.testing.assert_array_equal(sums.cross, [0, 22, -60])
    np.testing.assert_array_equal(sums.f_hi, [7, 9, 11])
    np.testing.assert_array_equal(sums.channel_sqnr_db[:1], [np.inf])


def test_constant_share() -> None:
    f = np.zeros((16, 2), np.float32)
    offset, changing = np.array([1, -2], np.float32), np.tile(np.array([[1], [-1]], np.float32), (8, 2))
    assert error_sums(f, f + offset, 1).constant_share == 1
    assert error_sums(f, f + changing, 1).constant_share == 0
    assert error_sums(f, f + offset + changing, 1).constant_share == pytest.approx(5 / 7)  # 1 + 4 of 2 + 5


def test_few_values_tell_nothing_of_a_constant() -> None:
    one = np.ones((1, 4), np.float32)
    assert error_sums(one, 2 * one, 1).constant_share == 0


@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1])
def test_merged_pieces_are_the_whole(axis: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    f = rng.integers(-50, 50, (6, 4, 5)).astype(np.float32)  # small integers: sums are exact in any order
    d = f + rng.integers(-3, 4, f.shape).astype(np.float32)
    whole = error_sums(f, d, axis)
    pieces = [error_sums(f[k : k + 2], d[k : k + 2], axis) for k in (0, 2, 4)] if axis else [whole]
    monkeypatch.setattr(module, "BLOCK", 7)
    small = error_sums(f, d, axis)
    for other in (pieces[0] if not axis else pieces[0].merge(pieces[1]).merge(pieces[2]), small):
        for field in ("count", "f_sum", "f_energy", "e_sum", "e_energy", "e_max", "cross", "f_lo", "f_hi", "d_hi"):
            np.testing.assert_array_equal(getattr(other, field), getattr(whole, field))


def test_pieces_of_other_channel_counts_join_as_one_channel() -> None:
    f = np.ones((1, 3), np.float32)
    together = error_sums(f, f, 1).merge(error_sums(np.ones((1, 2), np.float32), np.zeros((1, 2), np.float32), 1))
    assert together.channels == 1
    assert together.elements == 5
    assert together.e_energy[0] == 2


def test_infinite_values_are_counted_and_left_out() -> None:
    f = np.array([[1.0, -np.inf], [np.nan, 2.0]], np.float32)
    sums = error_sums(f, np.array([[1.0, -3.0], [0.0, 1.0]], np.float32), 1)
    assert sums.infinite == 2
    np.testing.assert_array_equal(sums.count, [1, 1])
    np.testing.assert_array_equal(sums.e_energy, [0, 1])
    np.testing.assert_array_equal(sums.f_lo, [1, 2])


def test_error_beside_a_factor_a_channel() -> None:
    f = np.array([[1.0, 2.0, 3.0], [1.0, -1.0, 2.0]], np.float32)
    d = f * np.array([[4.0], [0.25]], np.float32)
    sums = error_sums(f, d, 0)
    np.testing.assert_allclose(sums.gains, [4, 0.25])
    assert sums.sqnr_beside_gains_db > 200
    assert sums.sqnr_db < 0


def test_empty_and_scalar_tensors() -> None:
    empty = np.zeros((0, 3), np.float32)
    assert error_sums(empty, empty, 1).elements == 0
    assert error_sums(np.float32(2), np.float32(1)).e_energy[0] == 1


def test_precision_is_that_of_float64() -> None:
    f = np.full(1 << 20, 0.1, np.float32)
    assert error_sums(f, f).f_sum[0] == pytest.approx(float(np.float32(0.1)) * (1 << 20), rel=1e-12)
