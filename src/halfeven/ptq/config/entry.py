"""A value of a configuration and where it stands, with the checks that name the place."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from halfeven.errors import ParameterError, UnsupportedError

T = TypeVar("T")
LONGEST = 60  # characters of a value that are shown


@dataclass(frozen=True)
class Entry:
    """``value`` at ``path`` (``model_config.activation.num_bin``) of the configuration ``source``."""

    value: Any
    path: str
    source: str

    # --- what is wrong with it ---

    def error(self, problem: str) -> ParameterError:
        """The error that says ``problem`` of this place."""
        return ParameterError(f"{self.source}: {self.path}{': ' if self.path else ''}{problem}")

    def expected(self, what: str) -> ParameterError:
        """The error that says what was expected and what came."""
        return self.error(f"expected {what}, got {shown(self.value)}")

    def unsupported(self, what: str, advice: str) -> UnsupportedError:
        """The error for something that the format knows and this package does not do."""
        return UnsupportedError(f"{self.source}: {self.path}: {what} is known, but not supported here: {advice}")

    # --- what it holds ---

    def members(self) -> Iterator[tuple[str, Entry]]:
        """The names of an object and their entries."""
        if not isinstance(self.value, Mapping):
            raise self.expected("an object {...}")
        for key, value in self.value.items():
            if not isinstance(key, str):
                raise self.error(f"its keys are texts, and {shown(key)} is not")
            yield key, Entry(value, _joined(self.path, key), self.source)

    def fields(self, known: Collection[str], where_else: Mapping[str, str] | None = None) -> dict[str, Entry]:
        """The members of an object that has no others than ``known``.

        ``where_else``: of keys that belong somewhere else, the place.
        """
        found = dict(self.members())
        for key in found:
            if key not in known:
                place = (where_else or {}).get(key)
                hint = f"it belongs to {place}" if place else nearest(key, known)
                raise self.error(f"unknown key {key[:LONGEST]!r}: {hint}")
        return found

    def flag(self) -> bool:
        """``true`` or ``false``."""
        if not isinstance(self.value, bool):
            raise self.expected("true or false")
        return self.value

    def whole(self, least: int, most: int | None = None) -> int:
        """An integer from ``least`` to ``most``."""
        value = self.value
        inside = isinstance(value, int) and not isinstance(value, bool) and least <= value
        if not inside or (most is not None and value > most):
            raise self.expected(f"an integer from {least}{'' if most is None else f' to {most}'}")
        return int(value)

    def share(self, least: float, most: float) -> float:
        """A number from ``least`` to ``most``."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise self.expected(f"a number from {least} to {most}")
        return float(value)

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value:
            raise self.expected("a text")
        return self.value

    def one_of(self, known: Mapping[str, T]) -> T:
        """What the text stands for."""
        if not isinstance(self.value, str) or self.value not in known:
            raise self.expected(f"one of {', '.join(map(repr, known))}")
        return known[self.value]

    def several(self, read: Callable[[Entry], T]) -> tuple[T, ...]:
        """One value or a list of them, each read alike; a value that comes again counts once."""
        if not isinstance(self.value, (list, tuple)):
            return (read(self),)
        if not self.value:
            raise self.expected("a value, or a list with at least one")
        entries = (Entry(value, f"{self.path}[{k}]", self.source) for k, value in enumerate(self.value))
        return tuple(dict.fromkeys(map(read, entries)))

    def texts(self) -> tuple[str, ...]:
        """A list of texts with at least one."""
        if not isinstance(self.value, (list, tuple)) or not self.value:
            raise self.expected("a list of names with at least one")
        return self.several(Entry.text)


def shown(value: Any) -> str:
    """A value as JSON writes it, on one line, cut short."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = " ".join(repr(value).split()) if not isinstance(value, int) else "an integer of many digits"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def close_to(name: str, known: Collection[str], count: int = 1) -> list[str]:
    """Those of ``known`` that look most like ``name``, whatever the case; none where none does."""
    by_lower = {word.lower(): word for word in known}
    return [by_lower[word] for word in get_close_matches(name.lower(), list(by_lower), n=count, cutoff=0.5)]


def nearest(name: str, known: Collection[str], count: int = 1) -> str:
    """The sentence that names what ``name`` was perhaps meant to be."""
    found = close_to(name, known, count)
    if found:
        return f"did you mean {' or '.join(map(repr, found))}?"
    few = sorted(known)[:8]
    more = f", ... ({len(known)} in all)" if len(known) > len(few) else ""
    return f"there are {', '.join(map(repr, few))}{more}" if few else "there are none"


def _joined(path: str, key: str) -> str:
    plain = key.isidentifier() or key.replace("-", "_").isidentifier()
    return f"{path}{'.' if path else ''}{key}" if plain else f"{path}[{key!r}]"
