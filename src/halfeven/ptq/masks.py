"""Attention masks set no range: what a Softmax cannot tell from minus infinity, and what makes a sum saturate.

And they are computed exactly: the 1 of ``1 - x`` has a code. Source: docs/math/ranges.md eq. 11, 12, 13.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from halfeven.interop.passes.masks import ABSORBS
from halfeven.interop.values import constant
from halfeven.ptq.operators import Role
from halfeven.ptq.placement import Group, PlacedBlock, Placement
from halfeven.ranges import MinMax, Range

EVERYTHING = (-math.inf, math.inf)


@dataclass(frozen=True)
class SoftmaxRead:
    """How Softmax reads a tensor: along ``axis``, writing codes of so many ``levels``."""

    axis: int
    levels: int

    def told_apart(self, x: np.ndarray) -> np.ndarray:
        """``max(x, row's max - ln(2 levels n))``, rows of n: all that is lower, together, adds up to half a code.

        ``exp`` of it is at most ``1 / (2 levels n)`` beside the 1 of the row's greatest value. A row that is masked
        whole is one number, of which every code says the same: 0.
        """
        top, floor = self._floor(x)
        return np.asarray(np.where(top > ABSORBS, np.maximum(x, floor), np.float32(0)))

    def pushed_out(self, x: np.ndarray) -> np.ndarray:
        """Which values :meth:`told_apart` takes as one with others: below the limit, and rows masked whole."""
        top, floor = self._floor(x)
        return np.asarray((x < floor) | (top <= ABSORBS))

    def _floor(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = x.shape[self.axis] if x.size else 1
        reach = np.float32(math.log(2 * self.levels * rows))
        top = x.max(axis=self.axis, keepdims=True, initial=-np.inf)
        return top, top - reach


def softmax_reads(model: ir.Model, placement: Placement, levels: Mapping[str, int]) -> dict[str, SoftmaxRead]:
    """The tensors whose codes Softmax alone reads, directly or through operators that move them.

    ``levels``: codes of each activation.
    """
    nodes = {str(node.name): node for node in model.graph}
    softmax = {nodes[b.node] for b in placement.blocks if b.operator == "Softmax"}
    moves = {nodes[b.node] for b in placement.blocks if b.role is Role.MOVE}
    found = {}
    for _group, members in _members(model, placement):
        uses = {use.node for v in members for use in v.uses()}
        if uses & softmax and uses <= softmax | moves and not any(v.is_graph_output() for v in members):
            for node in uses & softmax:
                axis = node.attributes.get_int("axis", -1)
                found[str(node.inputs[0].name)] = SoftmaxRead(axis, levels[str(node.outputs[0].name)])
    return found


def _members(model: ir.Model, placement: Placement) -> Iterator[tuple[Group, list[ir.Value]]]:
    values = {str(v.name): v for v in (*model.graph.inputs, *(v for n in model.graph for v in n.outputs))}
    for group in reversed(placement.groups):
        yield group, [values[name] for name in group.tensors]


def watched(group: Group, softmax: Collection[str]) -> tuple[str, ...]:
    """Whose values set the range: where Softmax alone reads the codes, what it reads."""
    return tuple(name for name in group.tensors if name in softmax) or group.observed


def limit_in_sums(tensors: Collection[str], blocks: Sequence[PlacedBlock], seen: Mapping[str, Range]) -> Range:
    """Beyond which values of the tensors change no result: where Add alone reads them, else everything.

    For ``y = x + m`` with the values of y limited to ``[y_lo, y_hi]``, those of m beyond ``[y_lo - x_hi, y_hi - x_lo]``
    make y saturate all the same.

    Parameters
    ----------
    tensors : activations on one scale, or a constant. seen : the range of what carries codes, by name.
    """
    names = {*tensors}
    limits = [_limit(names, b, seen) for b in blocks if names & {*b.operands, *b.constants}]
    return min((lo for lo, _ in limits), default=-math.inf), max((hi for _, hi in limits), default=math.inf)


def _limit(names: set[str], block: PlacedBlock, seen: Mapping[str, Range]) -> Range:
    others = [name for name in (*block.operands, *block.constants) if name not in names]
    if block.operator != "Add" or len(others) != 1 or not {block.results[0], others[0]} <= seen.keys():
        return EVERYTHING
    (lo, hi), (other_lo, other_hi) = seen[block.results[0]], seen[others[0]]
    return min(lo - other_hi, 0.0), max(hi - other_lo, 0.0)


def narrowed(range_: Range, limit: Range) -> Range:
    """What of a range lies inside the limit."""
    lo, hi = (min(max(value, limit[0]), limit[1]) for value in range_)
    return lo, hi


def limits_of_groups(model: ir.Model, placement: Placement, seen: Mapping[str, Range]) -> dict[Group, Range]:
    """:func:`limit_in_sums` of each group that a mask has made wide; results before operands: limits go on to these.

    ``seen`` : the range of each activation that carries codes.
    """
    ranges = {**constant_ranges(model, placement), **seen}
    inside = {name for block in placement.blocks for name in block.nodes}
    found = {}
    for group, members in _members(model, placement):
        if any(v.is_graph_output() or any(str(use.node.name) not in inside for use in v.uses()) for v in members):
            continue
        limit = limit_in_sums(group.tensors, placement.blocks, ranges)
        if group.tensors[0] in ranges and _is_mask(
            own := ranges[group.tensors[0]], inside_limit := narrowed(own, limit)
        ):
            found[group] = limit
            ranges.update(dict.fromkeys(group.tensors, inside_limit))
    return found


def complemented(model: ir.Model, placement: Placement, seen: Mapping[str, Range]) -> dict[Group, float]:
    """The greatest value of each group of which a constant of that value is the complement: ``c - x``, ``x - c``.

    The difference is 0 where x is at its end, so that end must be a code: in symmetric codes ``S = c / qmax``.
    """
    constants = constant_ranges(model, placement)
    ends = {name: (lo if lo == hi else math.nan) for name, (lo, hi) in constants.items()}
    found = {}
    for group in placement.groups:
        lo, hi = seen.get(group.tensors[0], EVERYTHING)
        readers = (b for b in placement.blocks if b.operator in ("Add", "Sub") and set(b.operands) & set(group.tensors))
        differences = {(-1 if b.operator == "Add" else 1) * ends[c] for b in readers for c in b.constants}
        if 0 < hi < math.inf and hi >= -lo and hi in differences:
            found[group] = hi
    return found


def _is_mask(own: Range, inside: Range) -> bool:
    """Whether the limit leaves less than half of the range: else it is noise of what was seen."""
    return inside[1] - inside[0] < (own[1] - own[0]) / 2


def constant_ranges(model: ir.Model, placement: Placement) -> dict[str, Range]:
    """Of the finite values of each constant operand."""
    arrays = {str(v.name): constant(v) for node in model.graph for v in node.inputs if v is not None}
    seen = {
        name: MinMax().update(array)
        for name, array in arrays.items()
        if array is not None and name in {*placement.constants}
    }
    return {name: (s.lo, s.hi) for name, s in seen.items() if s.count}
