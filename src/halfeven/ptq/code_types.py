"""Which codes each tensor, weight and constant has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from halfeven.numerics.qtype import QType
from halfeven.ptq.placement import Group, Placement
from halfeven.ranges import Codes


@dataclass(frozen=True)
class Scale:
    """One scale to choose: of the tensors of a group, in one type of codes.

    Attributes
    ----------
    readers : blocks, by their operator's name, that read these codes where the tensors themselves have wider ones; None
        for the tensors' own codes.
    """

    group: Group
    codes: Codes
    readers: frozenset[str] | None = None

    def is_read_by(self, node: str, others: frozenset[str]) -> bool:
        """Whether that block reads these codes; ``others`` are the readers of the group's narrower scales."""
        return node not in others if self.readers is None else node in self.readers


@dataclass(frozen=True)
class CodeTypes:
    """Types of everything that carries codes.

    Attributes
    ----------
    scales : of activations; of each group its own first, then those that some blocks read instead.
    weights : by the product's node. constants : by name.
    """

    scales: tuple[Scale, ...]
    weights: Mapping[str, QType]
    constants: Mapping[str, QType]


def one_type(placement: Placement, codes: Codes, weights: QType) -> CodeTypes:
    """The same codes for all activations, the same for all weights."""
    return CodeTypes(
        tuple(Scale(group, codes) for group in placement.groups),
        {product.node: weights for product in placement.products},
        dict.fromkeys(placement.constants, codes.qtype),
    )
