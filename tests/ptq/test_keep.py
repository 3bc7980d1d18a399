"""Which samples are kept: fixed by the data, not by their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfeven.ptq.keep import Keeper, digest_of


def kept(order: list[int], most: int) -> list[int]:
    keeper = Keeper(most)
    stream = ({"x": np.full((1, 2), k, np.float32)} for k in order)
    assert [int(s["x"][0, 0]) for s in keeper.watch(stream)] == order
    return [int(s["x"][0, 0]) for s in keeper.samples]


@given(st.permutations(range(20)), st.integers(0, 25))
def test_the_order_does_not_matter(order: list[int], most: int) -> None:
    found = kept(order, most)
    assert found == kept(list(range(20)), most)
    assert len(set(found)) == min(most, 20)


def test_more_samples_are_a_longer_list_of_the_same() -> None:
    assert kept(list(range(50)), 8)[:4] == kept(list(range(50)), 4)


def test_equal_samples_are_kept_once() -> None:
    assert sorted(kept([3, 3, 1, 3, 1], 8)) == [1, 3]


def test_a_buffer_that_is_used_again_is_copied() -> None:
    buffer, keeper = np.zeros(1, np.float32), Keeper(4)
    for _ in keeper.watch({"x": buffer} for _ in range(3)):
        buffer += 1
    assert sorted(float(s["x"][0]) for s in keeper.samples) == [0, 1, 2]


@pytest.mark.parametrize(
    "other",
    [
        {"x": np.zeros(4, np.float64)},
        {"x": np.zeros((2, 2), np.float32)},
        {"y": np.zeros(4, np.float32)},
        {"x": np.array([0, 0, 0, 1], np.float32)},
        {"x": np.zeros(4, np.float32), "y": np.zeros(0, np.float32)},
    ],
)
def test_name_type_shape_and_values_count(other: dict[str, np.ndarray]) -> None:
    assert digest_of({"x": np.zeros(4, np.float32)}) != digest_of(other)
    assert digest_of({"x": np.zeros((4, 4), np.float32)[:, ::2]}) == digest_of({"x": np.zeros((4, 2), np.float32)})


@given(st.permutations(range(12)), st.integers(1, 400))
def test_kept_bytes_are_bounded_whatever_the_order(order: list[int], most_bytes: int) -> None:
    def kept(ks: list[int]) -> list[int]:
        keeper = Keeper(8, most_bytes)
        for _ in keeper.watch({"x": np.full(5 * k + 1, k, np.float32)} for k in ks):
            pass
        return [int(s["x"][0]) for s in keeper.samples]

    found = kept(order)
    assert found == kept(list(range(12)))
    assert len(found) == 1 or sum(4 * (5 * k + 1) for k in found) <= most_bytes


def test_what_many_samples_would_take_is_known() -> None:
    sample = {"x": np.zeros(25, np.float32)}
    assert [Keeper(4, most).expected_bytes(sample) for most in (1000, 250, 50)] == [400, 250, 100]
