"""Several at a time, and nobody can tell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Barrier

import pytest

from halfeven.ptq.in_turn import in_turn


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_results_come_in_order(at_once: int) -> None:
    def work(k: int) -> int:
        time.sleep((k * 7 % 5) / 1000)
        return k * k

    assert list(in_turn(work, range(20), at_once)) == [k * k for k in range(20)]


def test_they_do_run_at_once() -> None:
    together = Barrier(3, timeout=30)
    list(in_turn(lambda _: together.wait(), range(9), 3))


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_the_first_item_at_fault_is_the_one_that_is_told(at_once: int) -> None:
    def work(k: int) -> int:
        if k == 3:
            time.sleep(0.02)
        if k >= 3:
            raise ValueError(k)
        return k

    def stream() -> Iterator[int]:
        yield from range(5)
        raise ValueError("unreadable")

    results = in_turn(work, stream(), at_once)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match=r"^3$"):
        next(results)


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_what_cannot_be_read_is_told_after_what_came_before(at_once: int) -> None:
    def stream() -> Iterator[int]:
        yield from range(3)
        raise ValueError("unreadable")

    results = in_turn(lambda k: k, stream(), at_once)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="unreadable"):
        next(results)


@pytest.mark.parametrize("at_once", [1, 3])
def test_one_item_is_read_ahead(at_once: int) -> None:
    read = 0

    def stream() -> Iterator[int]:
        nonlocal read
        while read < 20:
            read += 1
            yield read

    for done, _ in enumerate(in_turn(lambda k: k, stream(), at_once), 1):
        assert read <= done + at_once
