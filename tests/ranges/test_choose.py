"""Ranges from statistics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfeven.errors import ParameterError
from halfeven.numerics.qtype import int8, int16, uint8
from halfeven.ranges import (
    KL,
    MAX,
    MSE,
    PERCENTILE,
    Codes,
    Fixed,
    Histogram,
    Kl,
    Method,
    MinMax,
    Percentile,
    choose_range,
    get_method,
)


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


def test_a_fixed_range_is_what_was_given() -> None:
    assert choose_range(MinMax(-1.0, 1.0, 2), Fixed(-3.0, 4.0)) == (-3.0, 4.0)
    assert choose_range(MinMax(inf=4), Fixed.threshold(2.0)) == (-2.0, 2.0)


@pytest.mark.parametrize(("lo", "hi"), [(1, 0), (float("nan"), 1), (0, float("inf"))])
def test_fixed_ranges_that_cannot_be(lo: float, hi: float) -> None:
    with pytest.raises(ParameterError, match="fixed range"):
        Fixed(lo, hi)


@pytest.mark.parametrize("method", [PERCENTILE, KL, MSE])
def test_a_histogram_is_asked_for(method: Method) -> None:
    with pytest.raises(ParameterError, match=f"{method.name}.* needs a Histogram, not a MinMax"):
        choose_range(MinMax(-1.0, 1.0, 2), method)


def test_unknown_methods_name_the_known() -> None:
    with pytest.raises(ParameterError, match=r"'maxx'.*max, percentile, kl, mse"):
        get_method("maxx")
    assert get_method("percentile") is PERCENTILE
    assert get_method(KL) is KL


def test_codes_are_symmetric_where_signed() -> None:
    assert (Codes.of(int8).symmetric, Codes.of(uint8).symmetric) == (True, False)
    assert Codes(int8, symmetric=False).params(0.0, 255.0).zero_point == -128
    with pytest.raises(ParameterError, match="uint8"):
        Codes(uint8, symmetric=True)


FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=60)


@given(
    FLOATS,
    st.sampled_from([MAX, PERCENTILE, Percentile(50), KL, Kl(129), MSE]),
    st.sampled_from([Codes(int8), Codes(int8, symmetric=False), Codes.of(uint8), Codes(int16)]),
)
def test_every_method_stays_inside_what_was_seen(values: list[float], method: Method, codes: Codes) -> None:
    seen = histogram(values)
    lo, hi = choose_range(seen, method, codes)
    # an asymmetric end on the far side of zero may move up to zero, which is always a code
    assert min(seen.lo, 0) <= lo <= hi <= max(seen.hi, 0)
    codes.params(lo, hi)


@given(FLOATS, FLOATS, st.sampled_from([PERCENTILE, KL, MSE]), st.sampled_from([Codes(int8), Codes.of(uint8)]))
def test_shards_give_the_same_range(a: list[float], b: list[float], method: Method, codes: Codes) -> None:
    merged = histogram(a).merge(histogram(b))
    assert choose_range(merged, method, codes) == choose_range(histogram([*b, *a]), method, codes)
