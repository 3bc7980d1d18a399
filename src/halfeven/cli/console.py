"""What the command line prints with: results on stdout, progress on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from halfeven.ptq.quantize import Progress as Report

SHORT_S = 2.0


def out() -> Console:
    """Stdout; wide enough for a table when it is not a terminal. Names from files are shown as they are."""
    terminal = sys.stdout.isatty()
    return Console(soft_wrap=not terminal, highlight=False, markup=False, emoji=False, width=None if terminal else 160)


def table(title: str, *columns: str) -> Table:
    """A plain table."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


@contextmanager
def progress(label: str, quiet_s: float = 0.0) -> Iterator[Report]:
    """A bar with the time left on a terminal, plain lines elsewhere (about one for each tenth).

    ``quiet_s`` : seconds for which no line is written: what is over by then needs none.
    """
    if not sys.stderr.isatty():
        yield _Lines(label, quiet_s)
        return
    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), _Done(), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar, label)


class _Done(MofNCompleteColumn):
    """How much is done, of how much where that is known."""

    def render(self, task: Task) -> Text:
        """Nothing before the first is done."""
        return super().render(task) if task.total is not None else Text(str(int(task.completed or 0) or ""))


class _Bar:
    """A bar; ``begin`` starts it again under another name."""

    def __init__(self, bar: Progress, label: str) -> None:
        self._bar, self._task = bar, bar.add_task(label, total=None)

    def begin(self, label: str) -> None:
        """Another part begins."""
        self._bar.reset(self._task, description=label, total=None)

    def state(self, fact: object) -> None:
        """Something to know before it begins."""
        self._bar.console.print(str(fact), markup=False, highlight=False, soft_wrap=True)

    def __call__(self, done: int, total: int | None) -> None:
        self._bar.update(self._task, completed=done, total=total)


class _Lines:
    def __init__(self, label: str, quiet_s: float) -> None:
        self._from = time.monotonic() + quiet_s
        self.begin(label)

    def begin(self, label: str) -> None:
        """Another part begins."""
        self._label = label
        self._shown = -1

    def state(self, fact: object) -> None:
        """Something to know before it begins."""
        sys.stderr.write(f"{fact}\n")

    def __call__(self, done: int, total: int | None) -> None:
        tenth = 10 * done // total if total else done // (50 if self._label == "calibrating" else 10)
        if tenth > self._shown and time.monotonic() >= self._from:
            self._shown = tenth
            of = f" of {total}" if total else ""
            sys.stderr.write(f"{self._label}: {done}{of}\n")


def size(count: int) -> str:
    """A number of bytes for people."""
    if count < 1024:  # noqa: PLR2004
        return f"{count} B"
    return f"{count / 1024:.1f} KiB" if count < 1024**2 else f"{count / 1024**2:.2f} MiB"
