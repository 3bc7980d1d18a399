"""What came of a comparison."""

from __future__ import annotations

from dataclasses import dataclass, field

EXAMPLES = 3


class WrongNanCount(Exception):  # noqa: N818  reported like a difference
    """A path counted NaN, or refused them, wrongly."""


@dataclass
class Finding:
    """Of one stretch of inputs, or of all stretches of a row of the table."""

    values: int = 0
    differences: int = 0
    elapsed_s: float = 0.0
    examples: list[str] = field(default_factory=list)

    def add(self, other: Finding) -> None:
        """Count ``other`` in; the first few examples are kept."""
        self.values += other.values
        self.differences += other.differences
        self.elapsed_s += other.elapsed_s
        self.examples = (self.examples + other.examples)[:EXAMPLES]


def example(number: int, got: object, expected: object) -> str:
    """One difference in words."""
    return f"input {number:#010x}: {got}, expected {expected}"
