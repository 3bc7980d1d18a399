"""What can be given more bits, what that costs, and how a quant_config.json says it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from halfeven.ir.instructions import results
from halfeven.ir.program import Program
from halfeven.numerics.qtype import QType, int4, int8, int16
from halfeven.ptq.config.resolve import DEFAULT, NodeSetting
from halfeven.ptq.groups import MOVING
from halfeven.ptq.operators import Role
from halfeven.ptq.placement import PlacedBlock, Placement
from halfeven.ptq.plan import Plan
from halfeven.report.macs import macs

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Knob:
    """One thing that can have more bits.

    Attributes
    ----------
    label : a tensor's name, or the node of a weight. tensors : that share the scale; empty for a weight.
    narrow, wide : codes.
    operations : that read int16 if it is wide. bytes : that the file grows by.
    """

    label: str
    tensors: tuple[str, ...]
    narrow: QType
    wide: QType
    operations: int
    bytes: int

    @property
    def is_weight(self) -> bool:
        """Whether it is a weight."""
        return not self.tensors


@dataclass(frozen=True)
class Ends:
    """Tensors that integer blocks read, and outputs of the model."""

    read: frozenset[str]
    outputs: frozenset[str]


@dataclass(frozen=True, eq=False)
class Knobs:
    """Every knob of a model, in its order.

    Attributes
    ----------
    work : operations by block, see :func:`operations_of`.
    config : what was given, and stays. weights : codes by product, of those of which it says nothing.
    """

    knobs: tuple[Knob, ...]
    placement: Placement
    settings: Mapping[str, NodeSetting]
    work: Mapping[str, int]
    config: Mapping[str, Any]
    weights: Mapping[str, QType]
    ends: Ends

    @property
    def total(self) -> int:
        """Operations of the model."""
        return max(1, sum(self.work.values()))

    def wide_share(self, wide: Collection[Knob]) -> float:
        """Share of the operations that read int16."""
        tensors = {t for knob in wide for t in knob.tensors}
        products = {knob.label for knob in wide if knob.is_weight and knob.wide is int16}
        blocks = (b for b in self.placement.blocks if b.node in products or tensors.intersection(b.operands))
        return sum(self.work[b.node] for b in blocks) / self.total

    def added_bytes(self, wide: Collection[Knob]) -> int:
        """What the file grows by."""
        return sum(knob.bytes for knob in wide)

    def config_of(self, wide: Collection[Knob]) -> dict[str, Any]:
        """The configuration that says so; node_config alone is added to what was given.

        It names the type of every weight, so that it means the same whatever weights are asked for beside it.
        """
        found: dict[str, Any] = deepcopy(dict(self.config))
        nodes = {**found.get("node_config", {})}
        tensors = {t for knob in wide for t in knob.tensors}
        weights = dict(self.weights)
        for knob in self.knobs:  # of one product the narrowest comes first
            if knob.is_weight and knob in wide:
                weights[knob.label] = knob.wide
        for block in self.placement.blocks:
            entry = _entry(block, self.settings[block.node], tensors, self.ends, weights.get(block.node))
            if entry:
                nodes[block.node] = {**entry, **nodes.get(block.node, {})}
        if nodes:
            found["node_config"] = nodes
        return found


def _entry(
    block: PlacedBlock, setting: NodeSetting, wide: Collection[str], ends: Ends, weight: QType | None
) -> dict[str, str]:
    """What node_config says of a block; empty where it says nothing.

    A tensor that no block reads has the type of the node that makes it, so that type is widened, and not what it reads.
    A constant operand is as wide as what it is computed with.
    """
    unread = any(t in wide and t not in ends.read for t in block.results)
    widened = set(wide) | (set(block.constants) if set(block.operands).intersection(wide) else set())
    inputs = {i.index: i for i in setting.inputs if not i.is_weight}
    mine = {index: "int16" if i.tensor in widened else "int8" for index, i in inputs.items() if i.source == DEFAULT}
    if mine and len(mine) == len(inputs) and set(mine.values()) == {"int16"} and _keeps_result(block, wide, ends):
        entry = {"qtype": "int16"}
    else:
        entry = {"qtype": "int16"} if unread else {}
        entry |= {f"input{index}": qtype for index, qtype in mine.items() if unread or qtype == "int16"}
    return entry if weight is None else {**entry, "input1": str(weight)}


def _keeps_result(block: PlacedBlock, wide: Collection[str], ends: Ends) -> bool:
    """Whether the node's type says nothing of its result: Concat and what makes an output hand theirs on."""
    return all(t in wide or (t not in ends.outputs and block.role is not Role.JOIN) for t in block.results)


def knobs_of(
    plan: Plan, program: Program, shapes: Shapes, config: Mapping[str, Any], *, wide_weights: bool = True
) -> Knobs:
    """Those that the configuration leaves open: activations of int8, weights of int4 and int8.

    ``wide_weights``: whether int16 weights are among them.
    """
    placement, settings = plan.placement, {s.node: s for s in plan.settings}
    work = operations_of(placement, program, shapes)
    sizes = {i.name: int(i.weight.size) for i in program if hasattr(i, "weight") and i.weight is not None}
    ends = Ends(frozenset(t for b in placement.blocks for t in b.operands), frozenset(p.name for p in program.outputs))
    knobs = (*_activations(plan, settings, work), *_weights(plan, settings, sizes, work, wide_weights=wide_weights))
    weights = {p.node: plan.types.weights[p.node] for p in placement.products if _is_open(settings[p.node])}
    return Knobs(knobs, placement, settings, work, config, weights, ends)


def _activations(plan: Plan, settings: Mapping[str, NodeSetting], work: Mapping[str, int]) -> Iterator[Knob]:
    makers = {t: block.node for block in plan.placement.blocks for t in block.results}
    for scale in plan.types.scales:
        tensors = scale.group.tensors
        readers = [b for b in plan.placement.blocks if set(tensors).intersection(b.operands)]
        asked = [i for b in readers for i in settings[b.node].inputs if i.tensor in tensors and not i.is_weight]
        sources = {i.source for i in asked} or {settings[makers[t]].source for t in tensors if t in makers}
        if scale.reads is None and scale.codes.qtype is int8 and sources == {DEFAULT}:
            operations = sum(work[b.node] for b in readers)
            yield Knob(tensors[0], tensors, int8, int16, operations, 0)


def _weights(
    plan: Plan,
    settings: Mapping[str, NodeSetting],
    sizes: Mapping[str, int],
    work: Mapping[str, int],
    *,
    wide_weights: bool,
) -> Iterator[Knob]:
    for product in plan.placement.products:
        if not _is_open(settings[product.node]):
            continue
        size, narrow = sizes.get(product.node, 0), plan.types.weights[product.node]
        if narrow is int4:
            yield Knob(product.node, (), int4, int8, 0, size // 2)
        if wide_weights and narrow in (int4, int8):
            yield Knob(product.node, (), int8, int16, work[product.node], size)


def _is_open(setting: NodeSetting) -> bool:
    """Whether nothing is said of the node's weight."""
    return any(i.is_weight and i.source == DEFAULT for i in setting.inputs)


def operations_of(placement: Placement, program: Program, shapes: Shapes) -> dict[str, int]:
    """By block: its multiply-accumulates, or else the elements that it reads; nothing for what only moves codes."""
    products: dict[str, int] = {}
    for instruction in program:
        if results(instruction):
            products[instruction.name] = macs(instruction, {}, shapes)
    return {block.node: _work(block, products, shapes) for block in placement.blocks}


def _work(block: PlacedBlock, products: Mapping[str, int], shapes: Shapes) -> int:
    if block.role in MOVING:
        return 0
    return products.get(block.node) or sum(math.prod(shapes[t]) for t in block.operands if t in shapes)
