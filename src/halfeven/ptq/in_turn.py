"""Work on the items of a stream, several at a time, as if they came one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_turn(work: Callable[[Item], Result], stream: Iterable[Item], at_once: int) -> Iterator[Result]:
    """``map(work, stream)`` on ``at_once`` threads; the caller's reads the stream, one item ahead.

    Results come in order, and what is raised is what the first item at fault raises, in its work or in being read:
    nothing tells how many threads there were.
    """
    items, under_way = iter(stream), deque[Future[Result]]()
    unread: Exception | None = None
    with ThreadPoolExecutor(at_once) as pool:
        while unread is None:
            try:
                under_way.append(pool.submit(work, next(items)))
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001  raised when its turn comes
                unread = error
            if len(under_way) > at_once:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    if unread is not None:
        raise unread
