"""Which activations share a scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx_ir as ir

from halfeven.ptq.blocks import Block, real_operands
from halfeven.ptq.operators import Role

MOVING = (Role.MOVE, Role.JOIN)


class Groups:
    """Sets of values that grow together; each is known by one member, its root (union-find)."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = list(blocks)
        self._parent: dict[ir.Value, ir.Value] = {}
        self._joined: set[ir.Value] = set()  # roots of groups that took a Concat's scale, before they did
        for block in blocks:
            for value in (*real_operands(block), *block.results):
                self._parent.setdefault(value, value)
            if block.role is Role.MOVE:
                for result in block.results:
                    self._unite(result, block.operands[0])

    def root(self, value: ir.Value) -> ir.Value:
        """The member by which the value's group is known."""
        while self._parent[value] is not value:
            self._parent[value] = value = self._parent[self._parent[value]]
        return value

    def _unite(self, value: ir.Value, into: ir.Value) -> None:
        self._parent[self.root(value)] = self.root(into)

    def drop_idle_moves(self) -> tuple[list[Block], list[Block]]:
        """The blocks that stay, and the moves and Concats that no computing block has to do with."""
        computing = (b for b in self._blocks if b.role not in MOVING)
        touched = {self.root(v) for b in computing for v in (*real_operands(b), *b.results)}
        for block in self._blocks:
            if block.role is Role.JOIN and any(self.root(v) in touched for v in real_operands(block)):
                touched.add(self.root(block.results[0]))
        idle = [b for b in self._blocks if b.role in MOVING and not self._is_touched(b, touched)]
        self._blocks = [b for b in self._blocks if b not in idle]
        return self._blocks, idle

    def _is_touched(self, block: Block, touched: set[ir.Value]) -> bool:
        # a Concat that only feeds integer operators stays in float: its result is quantized once, not each operand
        return any(self.root(v) in touched for v in real_operands(block))

    def join_concats(self) -> None:
        """Give operands that only a Concat reads, directly or through moves, the Concat's scale."""
        for block in self._blocks:
            if block.role is Role.JOIN:
                target = self.root(block.results[0])
                for operand in real_operands(block):
                    group = self.root(operand)
                    if group is not target and self._read_only_by(group, block):
                        self._joined.add(operand)
                        self._parent[group] = target

    def _read_only_by(self, group: ir.Value, concat: Block) -> bool:
        members = [v for v in self._parent if self.root(v) is group]
        inside = {b.node for b in self._blocks if b.role in MOVING and self.root(b.results[0]) is group}
        return all(
            not v.is_graph_output() and all(use.node is concat.node or use.node in inside for use in v.uses())
            for v in members
        )

    def result(self, graph: ir.Graph) -> Iterator[tuple[list[ir.Value], list[ir.Value]]]:
        """Members and observed members of each group, in the order of the graph."""
        kept = {v for b in self._blocks for v in (*real_operands(b), *b.results)}
        moved = {v for b in self._blocks if b.role is Role.MOVE for v in b.results}
        order = [*graph.inputs, *(v for node in graph for v in node.outputs)]
        groups: dict[ir.Value, list[ir.Value]] = {}
        for value in order:
            if value in kept:
                groups.setdefault(self.root(value), []).append(value)
        for members in groups.values():
            concats = [v for v in members if self._is_joining(v)]
            yield members, concats[-1:] or [v for v in members if v not in moved]

    def _is_joining(self, value: ir.Value) -> bool:
        producer = value.producer()
        return producer is not None and producer.op_type == "Concat" and any(v in self._joined for v in producer.inputs)
