"""Parameters of activations: each tensor's own, and those in which some blocks read it instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from halfeven.numerics.params import AffineParams


class Row(Protocol):
    """One scale: its tensors and parameters, and who reads it, where that is not everyone."""

    @property
    def tensors(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def params(self) -> AffineParams: ...  # noqa: D102
    @property
    def reads(self) -> tuple[tuple[str, str], ...]: ...  # noqa: D102


@dataclass(frozen=True)
class Activations:
    """Of every activation that carries codes.

    Attributes
    ----------
    own : by name. narrower : by (block's operator, name), where the block reads it requantized to fewer bits.
    """

    own: Mapping[str, AffineParams]
    narrower: Mapping[tuple[str, str], AffineParams] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Activations:
        """From one row a scale."""
        kept = tuple(rows)
        return cls(
            {name: row.params for row in kept if not row.reads for name in row.tensors},
            {read: row.params for row in kept for read in row.reads},
        )

    def read_by(self, node: str, tensor: str) -> AffineParams:
        """The parameters of the codes that the block of ``node`` reads."""
        return self.narrower.get((node, tensor), self.own[tensor])
