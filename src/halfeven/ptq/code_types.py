"""Which codes each tensor, weight and constant has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from halfeven.numerics.qtype import QType
from halfeven.ptq.config.resolve import NodeSetting
from halfeven.ptq.config.words import NumberType
from halfeven.ptq.groups import MOVING
from halfeven.ptq.operators import Role
from halfeven.ptq.placement import Group, Placement
from halfeven.ranges import Codes


@dataclass(frozen=True)
class Scale:
    """One scale to choose: of the tensors of a group, in one type of codes.

    Attributes
    ----------
    reads : (block's operator, tensor) of the blocks that read the tensor in these codes, where it has wider ones; None
        for the tensors' own codes.
    """

    group: Group
    codes: Codes
    reads: frozenset[tuple[str, str]] | None = None


@dataclass(frozen=True)
class CodeTypes:
    """Types of everything that carries codes.

    Attributes
    ----------
    scales : of activations; of each group its own first, then those that some blocks read instead.
    weights : by the product's node. constants : by name.
    weight_group : inputs of a channel that share a scale of 4-bit weights; None for one scale a channel.
    """

    scales: tuple[Scale, ...]
    weights: Mapping[str, QType]
    constants: Mapping[str, QType]
    weight_group: int | None = None

    @property
    def levels(self) -> dict[str, int]:
        """How many codes each activation has."""
        return {name: s.codes.qtype.levels for s in self.scales if s.reads is None for name in s.group.tensors}


def resolved_types(
    placement: Placement, settings: Sequence[NodeSetting], outputs: Mapping[str, QType | None], *, symmetric: bool
) -> CodeTypes:
    """The codes that the nodes' settings ask for.

    1. A node's type is that in which it reads its activations. Through operators that move codes, and Concat, they pass
       in that type.
    2. A tensor has the widest type that a reader asks for; a block that computes in fewer bits reads it requantized.
    3. A tensor that no integer block reads has the type of the node that makes it; an output of the model the type of
       ``outputs``, or else that of the node that makes it.
    """
    asked = _Asked({s.node: s for s in settings}, placement, outputs)
    scales = [scale for group in placement.groups for scale in _scales(group, asked, symmetric=symmetric)]
    weights = {p.node: _integer(asked.settings[p.node].weight) for p in placement.products}
    constants = {name: asked.constant(name) for name in placement.constants}
    return CodeTypes(tuple(scales), weights, constants)


@dataclass(frozen=True, eq=False)
class _Asked:
    settings: Mapping[str, NodeSetting]
    placement: Placement
    outputs: Mapping[str, QType | None]

    def by_readers(self, group: Group) -> Iterator[QType]:
        members = set(group.tensors)
        for block in self.placement.blocks:
            setting = self.settings[block.node]
            yield from (_integer(setting.type_of(t)) for t in block.operands if t in members)
            if block.role is Role.JOIN and members.intersection(block.results):
                yield _integer(setting.qtype)

    def by_makers(self, group: Group) -> Iterator[QType]:
        members = set(group.tensors)
        for block in self.placement.blocks:
            if members.intersection(block.results):
                yield _integer(self.settings[block.node].qtype)

    def of_outputs(self, group: Group) -> Iterator[QType]:
        given = [self.outputs[name] for name in group.tensors if name in self.outputs]
        yield from (qtype for qtype in given if qtype is not None)
        if any(qtype is None for qtype in given):
            yield from self.by_makers(group)

    def constant(self, name: str) -> QType:
        readers = [self.settings[b.node] for b in self.placement.blocks if name in b.constants]
        return _widest([_integer(setting.type_of(name)) for setting in readers])


def _scales(group: Group, asked: _Asked, *, symmetric: bool) -> Iterator[Scale]:
    wanted = [*asked.by_readers(group), *asked.of_outputs(group)] or [*asked.by_makers(group)]
    own = _widest(wanted)
    yield Scale(group, Codes(own, symmetric))
    narrower: dict[QType, set[tuple[str, str]]] = {}
    for block in asked.placement.blocks:
        for tensor in block.operands if block.role not in MOVING else ():
            qtype = _integer(asked.settings[block.node].type_of(tensor))
            if tensor in group.tensors and qtype.bits < own.bits:
                narrower.setdefault(qtype, set()).add((block.node, tensor))
    for qtype, reads in narrower.items():
        yield Scale(group, Codes(qtype, symmetric), frozenset(reads))


def _integer(qtype: NumberType | None) -> QType:
    """A node that is placed has integer types: those that stay in float32 are not placed."""
    if not isinstance(qtype, QType):
        raise TypeError(f"{qtype!r} is no type of codes")
    return qtype


def _widest(qtypes: Sequence[QType]) -> QType:
    return max(qtypes, key=lambda q: q.bits)
