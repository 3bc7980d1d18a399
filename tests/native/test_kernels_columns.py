"""Every columns kernel computes what the NumPy definition does, to the last bit, for every number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from float_mode import MODES, float_mode
from kernel_cases import ISAS, index_of
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from halfeven import _native
from halfeven.ops import columns
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
        self.feedback = self.w / np.diagonal(self.w, axis1=-2, axis2=-1)[..., None]


def factor(case: Case, *how: Any) -> Reals:
    w = np.empty(case.h.shape)
    assert _native.factor(case.h, w, *how)
    return w


def solved(case: Case, *how: Any) -> Reals:
    x = case.v.copy()
    _native.solve(np.ascontiguousarray(case.w.swapaxes(-1, -2)), case.w, x, *how)
    return x


def rounded(case: Case, *how: Any) -> Reals:
    codes = np.empty(case.v.shape)
    _native.round_columns(case.v, case.feedback, case.scale, *LIMITS, codes, *how)
    return codes


def improved(case: Case, start: Reals, *how: Any) -> Reals:
    codes, pull = start.copy(), (case.v - case.scale * start) @ case.h
    _native.improve_columns(case.v, case.h, case.scale, *LIMITS, codes, pull, 3, *how)
    return codes


def check(case: Case, isa: str, threads: int) -> None:
    how = index_of(isa), threads
    assert_array_equal(factor(case, *how), case.w)
    assert_array_equal(solved(case, *how), reference.solve(case.v, case.w))
    codes = reference.round_columns(case.v, case.feedback, case.scale, *LIMITS)
    assert_array_equal(rounded(case, *how), codes)
    start = np.clip(np.rint(case.v / case.scale), *LIMITS)
    pull = (case.v - case.scale * start) @ case.h
    expected = reference.improve_columns(start, case.v, case.h, pull, case.scale, LIMITS, 3)
    assert_array_equal(improved(case, start, *how), expected)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_bits_are_the_definitions(shape: tuple[int, int, int], isa: str) -> None:
    check(Case(*shape), isa, 1)
    check(Case(*shape, scales=True), isa, 3)


def test_many_threads() -> None:
    case = Case(2, 70, 300)
    first = factor(case, -1, 1), solved(case, -1, 1), rounded(case, -1, 1)
    for threads in (2, 3, 7):
        for a, b in zip(
            first, (factor(case, -1, threads), solved(case, -1, threads), rounded(case, -1, threads)), strict=True
        ):
            assert_array_equal(a, b)
    assert_array_equal(first[0], case.w)


@pytest.mark.parametrize("mode", MODES)
def test_the_callers_float_mode_does_not_matter(mode: str) -> None:
    case = Case(1, 5, 30)
    with float_mode(mode):
        found = factor(case, -1, 1), rounded(case, -1, 1)
    assert_array_equal(found[0], case.w)
    assert_array_equal(found[1], reference.round_columns(case.v, case.feedback, case.scale, *LIMITS))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("size", [2, 40, 100])
def test_what_has_no_factor(size: int, isa: str) -> None:
    h = np.ones((2, size, size)) + np.eye(size) * 0.01
    h[1, 0, 0] = 0.5
    assert reference.factor(h) is None
    assert not _native.factor(h, np.empty(h.shape), index_of(isa), 2)
    h[1, 0, 0] = np.nan
    assert columns.factor(h) is None


def test_ties_go_to_the_even_code() -> None:
    v = np.array([[[0.5, 1.5, -0.5, -2.5, 7.5, -8.5, 1e300, -1e300]]])
    found = columns.round_columns(v, np.eye(8)[None], np.ones((1, 1, 1)), *LIMITS)
    assert found.tolist() == [[[0, 2, 0, -2, 7, -8, 7, -8]]]


def test_wrong_shapes_are_refused() -> None:
    case = Case(2, 3, 4)
    with pytest.raises(ValueError, match=r"h has the shape \(2, 4, 4\), expected \(2, 3, 3\)"):
        _native.factor(case.h, np.empty((2, 3, 3)))
    with pytest.raises(ValueError, match=r"scale has the shape \(2, 3, 1\), expected \(1, 3, 1\)"):
        _native.round_columns(case.v[:1], case.feedback[:1], case.scale, *LIMITS, np.empty((1, 3, 4)))
    with pytest.raises(ValueError, match="inside 2\\^50"):
        _native.round_columns(case.v, case.feedback, case.scale, 0, 2.0**51, np.empty((2, 3, 4)))
    with pytest.raises(TypeError):
        _native.factor(case.h.astype(np.float32), np.empty(case.h.shape))
