"""The demo's tasks, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from halfeven.demo.digits import MNIST_NETWORK, USPS_NETWORK, digit_task
from halfeven.demo.ppocr import cls_task
from halfeven.demo.task import DemoTask
from halfeven.errors import UnavailableError

OnSkip: TypeAlias = Callable[[str, UnavailableError], None]


@dataclass(frozen=True)
class TaskSource:
    """A task's name and what makes it, given the cache folder or None for the default."""

    name: str
    load: Callable[[Path | None], DemoTask]


SOURCES = (
    TaskSource("ppocr_cls", cls_task),
    TaskSource(MNIST_NETWORK.name, partial(digit_task, MNIST_NETWORK)),
    TaskSource(USPS_NETWORK.name, partial(digit_task, USPS_NETWORK)),
)


def tasks(cache: Path | None = None, on_skip: OnSkip | None = None) -> Iterator[DemoTask]:
    """Yield each task as soon as its model and data are there.

    Parameters
    ----------
    cache
        Where packages are kept; `cache_folder()` unless given.
    on_skip
        Called with the name and the error of a task whose package, client or library cannot be had; the others
        follow.

    Raises
    ------
    UnavailableError
        The same, without ``on_skip``.
    DataError
        A package is not the pinned one.
    """
    for source in SOURCES:
        task = _load(source, cache, on_skip)
        if task is not None:
            yield task


def _load(source: TaskSource, cache: Path | None, on_skip: OnSkip | None) -> DemoTask | None:
    """Load one task; None where it was skipped."""
    try:
        return source.load(cache)
    except UnavailableError as error:
        if on_skip is None:
            raise
        on_skip(source.name, error)
        return None
