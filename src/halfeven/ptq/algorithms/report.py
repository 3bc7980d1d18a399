"""What an algorithm did, and what that was worth."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

UNDONE = "all of it was undone: "  # and why: how the last line of what was left begins
WORST = 3  # changes that the summary names


@dataclass(frozen=True)
class Change:
    """What was done at one place.

    Attributes
    ----------
    node : where. what : in a few words.
    before, after : error at the node's result, ``sum e^2 / sum f^2`` over the samples; None where it is not measured.
    """

    node: str
    what: str
    before: float | None = None
    after: float | None = None

    def __str__(self) -> str:
        measured = self.before is not None and self.after is not None
        return f"{self.node}: {self.what}" + (
            f" ({decibels(self.before)} -> {decibels(self.after)})" if measured else ""
        )


@dataclass(frozen=True)
class AlgorithmReport:
    """One algorithm's work.

    Attributes
    ----------
    name, options : the algorithm. stage : in words.
    changes : one a place. left : places left as they were, and why, one line each.
    before, after : error at the model's outputs, ``sum e^2 / sum f^2`` summed over outputs, of the integer program
        without and with this step; None where it is not measured.
    undone : whether the model is as it was before, since that error did not fall.
    taught, judged : how many samples the step looked at, and how many others, held back, ``before`` and ``after`` are
        measured on; 0 where they are measured on the same ones.
    """

    name: str
    options: dict[str, Any]
    changes: tuple[Change, ...]
    left: tuple[str, ...] = ()
    before: float | None = None
    after: float | None = None
    undone: bool = False
    taught: int = 0
    judged: int = 0

    def __str__(self) -> str:
        places = f"undone: {self.left[-1].removeprefix(UNDONE)}" if self.undone else self._places()
        if not self.undone and not self.changes and len(self.left) == 1:
            return f"{self.name}: nothing changed: {self.left[0]}"
        outputs = (
            f"; SQNR at the outputs {decibels(self.before)} -> {decibels(self.after)}"
            if self.before is not None and self.after is not None
            else ""
        )
        samples = f"{self.judged} sample{'s' if self.judged != 1 else ''} held back"
        others = f"it saw {self.taught} other{'s' if self.taught != 1 else ''}"
        on = f" on {samples} ({others})" if outputs and self.judged else ""
        return f"{self.name}: {places}{outputs}{on}"

    def _places(self) -> str:
        changed, left = len(self.changes), len(self.left)
        said = f"{changed} place{'s' if changed != 1 else ''} changed"
        return f"{said}, {left} left as {'they were' if left > 1 else 'it was'}" if left else said


def decibels(error: float | None) -> str:
    """``-10 log10(e)`` with its unit."""
    if error is None:
        return "-"
    if error <= 0:
        return "exact"
    return f"{round(-10 * math.log10(error), 1) + 0.0:.1f} dB" if math.isfinite(error) else "no signal"


def options_of(algorithm: Any) -> dict[str, Any]:
    """The options of an algorithm, as JSON has them."""
    return {key: value.value if isinstance(value, Enum) else value for key, value in asdict(algorithm).items()}


def described(algorithm: Any) -> str:
    """Its name and options."""
    return f"{algorithm.name}({', '.join(f'{key}={value}' for key, value in options_of(algorithm).items())})"


def provenance(reports: Iterable[AlgorithmReport]) -> str:
    """The entry of the file's metadata: a JSON list of names and options of those that changed something, in order."""
    return json.dumps([{"name": r.name, **r.options} for r in reports if r.changes], sort_keys=True)
