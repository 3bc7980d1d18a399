"""The run of random programs passes on a sample, and sees what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from callers import run
from differences import Work, check

from halfeven import _native
from halfeven.execute.engine import Engine


@pytest.fixture(autouse=True)
def _usual_work_per_thread() -> Iterator[None]:
    before = _native.LEAST_WORK_PER_THREAD
    yield
    _native.LEAST_WORK_PER_THREAD = before


def test_a_sample_has_no_differences() -> None:
    found = check(Work(500_000, 12, (1, 3)))
    assert found.lines == ()
    assert found.compared > 12 * 2 * 3 + 30


def test_one_wrong_code_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Engine.run

    def wrong(self: Engine, values: Any, wanted: Any, threads: int = 0, into: Any = None) -> Any:
        found = right(self, values, wanted, threads, into)
        name = wanted[-1]
        a = np.array(found[name])
        if threads == 7 and a.size:
            a.reshape(-1).view(np.uint8)[-1] ^= 1
        return found | {name: a}

    monkeypatch.setattr(Engine, "run", wrong)
    found = check(Work(500_000, 2, (1, 7)))
    assert found.lines
    assert all(", 7 thread(s): " in line for line in found.lines)
    assert any(line.startswith("program 500000") for line in found.lines)


def test_callers_at_once_are_right_and_seen_when_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, wrong = run(0.5)
    assert runs > 0
    assert wrong == 0
    monkeypatch.setattr(np, "array_equal", lambda *_: False)
    runs, wrong = run(0.1)
    assert wrong == runs > 0
