"""A gathered stream has the statistics that the reference finds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from halfeven.ops import statistics
from halfeven.ops.statistics import Gathering
from halfeven.ranges import Histogram, MinMax

KINDS = [MinMax, Histogram]
FLOATS = arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32, allow_nan=True, allow_infinity=True))


@given(st.lists(FLOATS, max_size=5), st.sampled_from(KINDS))
def test_any_stream(stream: list[np.ndarray], kind: type[MinMax | Histogram]) -> None:
    gathering, expected = Gathering(kind), kind()
    for x in stream:
        assert gathering.add(x) == np.isnan(x).sum()
        expected = expected.update(x)
    assert gathering.statistics == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_layout_and_type(kind: type[MinMax | Histogram], dtype: type[np.floating]) -> None:
    x = np.random.default_rng(0).normal(size=(6, 50, 30)).astype(dtype).transpose(2, 0, 1)[::2]
    gathering = Gathering(kind)
    gathering.add(x)
    gathering.add(np.float64(-7))
    assert gathering.statistics == kind().update(x).update(np.float64(-7))


def test_callers_on_several_threads() -> None:
    x = np.random.default_rng(0).normal(size=(40, 30_000)).astype(np.float32) * np.geomspace(1e-6, 1e6, 40)[:, None]
    gathering = Gathering()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(gathering.add, x))
    assert gathering.statistics == Histogram().update(x)


def test_what_was_seen_so_far_stays_as_it_is() -> None:
    gathering = Gathering()
    gathering.add(np.ones(10, np.float32))
    early = gathering.statistics
    gathering.add(np.full(10, 3e9, np.float32))
    assert early == Histogram().update(np.ones(10, np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_more_values_than_narrow_counts_hold(kind: type[MinMax | Histogram], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MOST", 1000)
    x = np.random.default_rng(0).normal(size=(12, 300)).astype(np.float32) * np.geomspace(1, 1e3, 12)[:, None]
    gathering = Gathering(kind)
    for row in x:
        gathering.add(row)
    assert gathering.statistics == kind().update(x)
