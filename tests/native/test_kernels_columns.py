"""Every columns kernel computes what the NumPy definition does, to the last bit, for every number of threads."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from float_mode import MODES, float_mode
from kernel_cases import ISAS, index_of
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from halfeven import _native
from halfeven.ops import columns
from halfeven.ops.columns import Panels
from halfeven.ptq.rounding import reference

Reals = NDArray[np.float64]
SHAPES = [
    (1, 1, 1),
    (3, 5, 4),
    (2, 16, 16),
    (2, 17, 15),
    (1, 33, 66),
    (40, 1, 9),
    (1, 7, 200),
    (2, 3, 64),
    (1, 20, 161),
    (1, 18, 290),
]
LIMITS = (-8, 7)


class Case:
    """A positive definite H with rows to round, some of whose weights are far beyond the codes."""

    def __init__(self, groups: int, rows: int, size: int, *, scales: bool = False) -> None:
        rng = np.random.default_rng(groups * 1000 + rows * 10 + size)
        x = rng.normal(size=(groups, 2 * size + 1, size)) @ rng.normal(size=(groups, size, size))
        self.h = x.swapaxes(-1, -2) @ x + 0.1 * np.eye(size)
        self.h = (self.h + self.h.swapaxes(-1, -2)) / 2
        self.v = rng.normal(size=(groups, rows, size)) * np.where(rng.uniform(size=(groups, rows, size)) < 0.05, 1e3, 1)
        self.scale = rng.uniform(0.1, 0.5, (groups, rows, size if scales else 1))
        self.w = reference.factor(self.h)
        assert self.w is not None
        self.panels = reference.panels(self.h)


def factor(case: Case, *how: Any) -> Reals:
    panels = case.panels.copy()
    assert _native.factor(panels, *how)
    return panels


def solved(case: Case, w: Reals, *how: Any) -> Reals:
    x = case.v.copy()
    _native.solve(w, x, *how)
    return x


def rounded(case: Case, w: Reals, *how: Any) -> tuple[Reals, Reals]:
    codes, lost = np.empty(case.v.shape), np.empty(case.v.shape[:-1])
    _native.round_columns(case.v, w, case.scale, *LIMITS, codes, lost, *how)
    return codes, lost


def improved(case: Case, start: Reals, *how: Any) -> tuple[Reals, Reals]:
    codes, pull = start.copy(), (case.v - case.scale * start) @ case.h
    _native.improve_columns(case.v, case.panels, case.scale, *LIMITS, codes, pull, 3, *how)
    return codes, pull


def multiplied(case: Case, *how: Any) -> tuple[Reals, Reals]:
    found, also = np.empty(case.v.shape), np.empty(case.v.shape)
    _native.multiply(case.v, case.h, found, *how)
    _native.multiply_panels(case.v, case.panels, also, *how)
    return found, also


def moments(case: Case, *how: Any) -> tuple[Reals, Reals]:
    a, b = case.v.astype(np.float32), (case.scale * np.ones(case.v.shape)).astype(np.float32)[:, ::-1].copy()
    square = (*case.v.shape[:2], case.v.shape[1])
    found, also = np.ones(square), np.ones(square)
    _native.add_moments(a, b, found, False, *how)
    _native.add_moments(a, a, also, True, *how)
    return found, also


def check(case: Case, isa: str, threads: int) -> None:
    how = index_of(isa), threads
    w = factor(case, *how)
    assert_array_equal(np.tril(Panels(w, case.h.shape[-1]).dense()), case.w)
    assert_array_equal(solved(case, w, *how), reference.solve(case.v, case.w))
    for found, expected in zip(
        rounded(case, w, *how), reference.round_columns(case.v, case.w, case.scale, *LIMITS), strict=True
    ):
        assert_array_equal(found, expected)
    start = np.clip(np.rint(case.v / case.scale), *LIMITS)
    pull = (case.v - case.scale * start) @ case.h
    for found, expected in zip(
        improved(case, start, *how),
        reference.improve_columns(start, case.v, case.h, pull, case.scale, LIMITS, 3),
        strict=True,
    ):
        assert_array_equal(found, expected)
    for found in multiplied(case, *how):
        assert_array_equal(found, reference.product(case.v, case.h))
    a, b = case.v.astype(np.float32), (case.scale * np.ones(case.v.shape)).astype(np.float32)[:, ::-1]
    start = np.ones((*case.v.shape[:2], case.v.shape[1]))
    for found, other in zip(moments(case, *how), (b, a), strict=True):
        assert_array_equal(found, reference.moments(a, other, start))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_bits_are_the_definitions(shape: tuple[int, int, int], isa: str) -> None:
    check(Case(*shape), isa, 1)
    check(Case(*shape, scales=True), isa, 3)


def test_many_threads() -> None:
    case = Case(2, 70, 300)
    start = np.zeros(case.v.shape)
    w = factor(case, -1, 1)

    def made(threads: int) -> list[Reals]:
        how = -1, threads
        pairs = rounded(case, w, *how), improved(case, start, *how), multiplied(case, *how), moments(case, *how)
        return [factor(case, *how), solved(case, w, *how), *(a for pair in pairs for a in pair)]

    first = made(1)
    for threads in (2, 3, 7):
        for a, b in zip(first, made(threads), strict=True):
            assert_array_equal(a, b)
    assert_array_equal(np.tril(Panels(w, 300).dense()), case.w)


@pytest.mark.parametrize("mode", MODES)
def test_the_callers_float_mode_does_not_matter(mode: str) -> None:
    case = Case(1, 5, 30)
    expected = factor(case, -1, 1)
    with float_mode(mode):
        w = factor(case, -1, 1)
        found = rounded(case, w, -1, 1)
    assert_array_equal(w, expected)
    assert_array_equal(found[0], reference.round_columns(case.v, case.w, case.scale, *LIMITS)[0])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("size", [2, 40, 300])
def test_what_has_no_factor(size: int, isa: str) -> None:
    h = np.ones((2, size, size)) + np.eye(size) * 0.01
    h[1, 0, 0] = 0.5
    assert reference.factor(h) is None
    assert not _native.factor(reference.panels(h), index_of(isa), 2)
    h[1, 0, 0] = np.nan
    assert not columns.factor(Panels.of(h))


@pytest.mark.parametrize("size", [1, 16, 50])
def test_panels_are_covariances_in_an_order(size: int) -> None:
    rng = np.random.default_rng(size)
    sums, mean, added = rng.normal(size=(2, size, size)), rng.normal(size=(2, size)), rng.normal(size=2)
    order = np.stack([rng.permutation(size) for _ in range(2)])
    found = columns.covariance(sums, 7, mean, order, added)
    for g in range(2):
        full = sums[g] / 7 - mean[g, :, None] * mean[g]
        expected = full[np.ix_(order[g], order[g])] + np.eye(size) * added[g]
        assert_array_equal(found.dense()[g], expected)
    assert_array_equal(found.numbers, reference.panels(found.dense()))
    with pytest.raises(ValueError, match="order: columns were expected"):
        columns.covariance(sums, 7, mean, order + 1, added)


def test_the_definitions_fma_rounds_once() -> None:
    rng = np.random.default_rng(1)
    a, b, c = rng.normal(size=(3, 2000)) * 2.0 ** rng.integers(-30, 30, (3, 2000))
    near = -a[:1000] * b[:1000]  # what is left is the rounding of the product
    c[:1000] = near * (1 + rng.integers(-2, 3, 1000) * 2.0**-52)
    exact = [Fraction(x) * Fraction(y) + Fraction(z) for x, y, z in zip(a, b, c, strict=True)]
    assert_array_equal(reference.fma(a, b, c), [float(e) for e in exact])


def test_ties_go_to_the_even_code() -> None:
    v = np.array([[[0.5, 1.5, -0.5, -2.5, 7.5, -8.5, 1e300, -1e300]]])
    found, _ = columns.round_columns(v, Panels.of(np.eye(8)[None]), np.ones((1, 1, 1)), *LIMITS)
    assert found.tolist() == [[[0, 2, 0, -2, 7, -8, 7, -8]]]


def test_wrong_shapes_are_refused() -> None:
    case = Case(2, 3, 4)
    codes, lost = np.empty(case.v.shape), np.empty(case.v.shape[:-1])
    with pytest.raises(ValueError, match=r"h: panels of \(2, 1, 16, 16\) were expected"):
        _native.factor(np.empty((2, 2, 16, 16)))
    with pytest.raises(ValueError, match=r"w: panels of \(2, 1, 16, 16\) were expected"):
        _native.solve(np.empty((1, 1, 16, 16)), case.v.copy())
    with pytest.raises(ValueError, match=r"scale has the shape \(2, 3, 1\), expected \(1, 3, 1\)"):
        _native.round_columns(case.v[:1], case.panels[:1].copy(), case.scale, *LIMITS, codes[:1].copy(), lost[:1])
    with pytest.raises(ValueError, match=r"lost: the shape \(2, 3\) was expected"):
        _native.round_columns(case.v, case.panels, case.scale, *LIMITS, codes, lost[:, :2].copy())
    with pytest.raises(ValueError, match="inside 2\\^50"):
        _native.round_columns(case.v, case.panels, case.scale, 0, 2.0**51, codes, lost)
    with pytest.raises(ValueError, match="of one array with itself"):
        _native.add_moments(np.ones((1, 2, 3), np.float32), np.ones((1, 2, 3), np.float32), np.zeros((1, 2, 2)), True)
    with pytest.raises(TypeError):
        _native.factor(case.panels.astype(np.float32))
