"""Rounding with feedback, held against its own formula and against all codes there are."""

from __future__ import annotations

from itertools import product as every

import numpy as np
import pytest

from halfeven.ops.columns import Panels
from halfeven.ptq.rounding.factor import factored
from halfeven.ptq.rounding.feedback import Grid, improve, round_with_feedback

QMIN, QMAX = -4, 3


def case(seed: int, groups: int = 2, rows: int = 5, size: int = 4) -> tuple[np.ndarray, np.ndarray, Grid]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(groups, 3 * size, size)) @ rng.normal(size=(groups, size, size))
    scale = rng.uniform(0.3, 0.7, (groups, rows, 1))
    return rng.normal(size=(groups, rows, size)), x.swapaxes(-1, -2) @ x, Grid(scale, QMIN, QMAX)


def with_feedback(v: np.ndarray, h: np.ndarray, grid: Grid) -> np.ndarray:
    """Codes; the errors that come with them are those of the codes."""
    codes, lost = round_with_feedback(v, factored(Panels.of(h)), grid)
    np.testing.assert_allclose(lost, error(v, codes, h, grid), rtol=1e-8)
    return codes


def improved(codes: np.ndarray, v: np.ndarray, h: np.ndarray, grid: Grid, sweeps: int) -> np.ndarray:
    """As :func:`with_feedback`."""
    found, lost = improve(codes, v, Panels.of(h), grid, sweeps)
    np.testing.assert_allclose(lost, error(v, found, h, grid), rtol=1e-8)
    return found


def error(v: np.ndarray, codes: np.ndarray, h: np.ndarray, grid: Grid) -> np.ndarray:
    e = v - grid.scale * codes
    return np.asarray(np.einsum("grk,gkl,grl->gr", e, h, e))


def literal(v: np.ndarray, h: np.ndarray, scale: float) -> np.ndarray:
    """One row, as the papers write it: round a column, spread its error by the inverse of what is left of H."""
    v, codes = v.copy(), np.zeros_like(v)
    for k in range(v.size):
        inverse = np.linalg.inv(h[k:, k:])
        codes[k] = np.clip(np.rint(v[k] / scale), QMIN, QMAX)
        v[k:] -= (v[k] - scale * codes[k]) / inverse[0, 0] * inverse[0]
    return codes


@pytest.mark.parametrize("seed", range(20))
def test_it_gives_the_codes_of_gptq(seed: int) -> None:
    v, h, grid = case(seed, size=7)
    found = with_feedback(v, h, grid)
    for g, r in every(range(2), range(5)):
        np.testing.assert_array_equal(found[g, r], literal(v[g, r], h[g], float(grid.scale[g, r, 0])))


def test_its_error_is_that_of_single_roundings() -> None:
    v, h, grid = case(3, size=80)
    grid = Grid(grid.scale, -(2**20), 2**20)  # nothing is clipped
    u = np.tril(factored(Panels.of(h)).dense()).swapaxes(-1, -2)
    codes = with_feedback(v, h, grid)
    left = (v - grid.scale * codes) @ u / np.diagonal(u, axis1=-2, axis2=-1)[:, None, :]
    assert np.abs(left / grid.scale).max() <= 0.5 + 1e-9
    by_column = np.square(left * np.diagonal(u, axis1=-2, axis2=-1)[:, None, :]).sum(axis=-1)
    np.testing.assert_allclose(error(v, codes, h, grid), by_column, rtol=1e-9)


def test_without_correlations_it_is_nearest() -> None:
    v, _, grid = case(4)
    h = np.stack([np.diag([1.0, 2.0, 3.0, 4.0])] * 2)
    np.testing.assert_array_equal(with_feedback(v, h, grid), grid.nearest(v))
    np.testing.assert_array_equal(improved(grid.nearest(v), v, h, grid, 3), grid.nearest(v))


@pytest.mark.parametrize("seed", range(20))
def test_against_all_codes(seed: int) -> None:
    v, h, grid = case(seed)
    all_codes = np.array(list(every(range(QMIN, QMAX + 1), repeat=4)), np.float64)
    best = np.empty((2, 5))
    for g, r in every(range(2), range(5)):
        e = v[g, r] - grid.scale[g, r] * all_codes
        best[g, r] = np.einsum("nk,kl,nl->n", e, h[g], e).min()
    start = with_feedback(v, h, grid)
    found = improved(start, v, h, grid, 10)
    errors = [error(v, codes, h, grid) for codes in (found, start, grid.nearest(v))]
    assert (errors[0] <= errors[1] * (1 + 1e-12)).all()
    assert (best <= errors[0] * (1 + 1e-12)).all()
    assert errors[0].sum() < errors[2].sum()
    assert (errors[0] <= best * (1 + 1e-9)).mean() >= 0.2  # the very best, often
    assert found.min() >= QMIN
    assert found.max() <= QMAX


@pytest.mark.parametrize("seed", range(5))
def test_no_single_code_can_be_bettered_after_sweeps(seed: int) -> None:
    v, h, grid = case(seed, size=70, rows=2)
    found = improved(grid.nearest(v), v, h, grid, 100)
    reached = error(v, found, h, grid)
    for k, step in every(range(70), (-1, 1)):
        other = found.copy()
        other[..., k] = np.clip(other[..., k] + step, QMIN, QMAX)
        assert (error(v, other, h, grid) >= reached * (1 - 1e-9)).all()


def test_one_scale_a_column() -> None:
    v, h, _ = case(1)
    grid = Grid(np.array([0.5, 0.25, 0.125, 1.0]), -1000, 1000)
    order = np.array([[3, 1, 0, 2], [0, 1, 2, 3]])
    grid = Grid(np.broadcast_to(grid.scale, v.shape), grid.qmin, grid.qmax)
    np.testing.assert_array_equal(grid.take(order).scale[0, 0], [1.0, 0.25, 0.5, 0.125])
    codes = with_feedback(v, h, grid)
    assert error(v, codes, h, grid).sum() < error(v, grid.nearest(v), h, grid).sum()
