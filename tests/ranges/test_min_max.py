"""MinMax: exact, and blind to what is not finite."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from halfeven.errors import ParameterError
from halfeven.ranges import MinMax

FLOATS = arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32, allow_nan=True, allow_infinity=True))


def test_finds_the_ends_of_any_shape() -> None:
    seen = MinMax().update(np.array([[1.5, -2.0], [0.25, 8.0]], np.float32)).update(np.float32(9))
    assert seen == MinMax(-2.0, 9.0, 5, 0, 0)


def test_nothing_seen_has_no_range() -> None:
    seen = MinMax().update(np.zeros((0, 3), np.float32))
    assert (seen.count, seen.lo, seen.hi) == (0, np.inf, -np.inf)


def test_what_is_not_finite_is_counted_and_sets_no_range() -> None:
    seen = MinMax().update(np.array([np.nan, np.inf, -np.inf, -np.inf, 1.0, -3.0], np.float32))
    assert seen == MinMax(-3.0, 1.0, 2, nan=1, inf=3)


def test_negative_zero_is_zero() -> None:
    forward = MinMax().update(np.array([0.0, -0.0], np.float32))
    assert str(forward) == str(MinMax().update(np.array([-0.0, 0.0], np.float32)))
    assert str(forward.lo) == "0.0"


def test_float64_is_rounded_once_and_float16_is_exact() -> None:
    assert MinMax().update(np.array([1 + 2.0**-30])).hi == 1.0
    assert MinMax().update(np.array([1e300])) == MinMax(inf=1)
    assert MinMax().update(np.array([65504], np.float16)).hi == 65504.0


def test_integers_are_refused() -> None:
    with pytest.raises(ParameterError, match="floats"):
        MinMax().update(np.array([1, 2]))


@given(FLOATS, FLOATS, FLOATS)
def test_order_batches_and_shards_do_not_matter(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    whole = MinMax().update(np.concatenate([a, b, c]))
    assert whole == MinMax().update(c).update(a).update(b)
    assert whole == MinMax().update(b).merge(MinMax().update(c).merge(MinMax().update(a)))
