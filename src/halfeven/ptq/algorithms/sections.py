"""Residual blocks: stretches of a model behind which everything depends on one tensor; walked one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import onnx
import onnx_ir as ir

from halfeven.ptq.algorithms.walk import Step, Values, Walk
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Sample
from halfeven.ptq.operators import Role
from halfeven.ptq.pieces import Source
from halfeven.ptq.placement import Group, PlacedBlock, Placement, Product

FULL = 3  # sections with fewer products are joined with the next one


@dataclass(eq=False)
class Section:
    """Consecutive blocks whose results are read, but for the last ones, inside alone.

    Attributes
    ----------
    blocks, products, nodes : of the section, in their order.
    reads : its inputs in the integer run, by name, of each sample. expected : its results in the float run.
    run : its results in the integer run with a draft, of each sample.
    """

    blocks: tuple[PlacedBlock, ...]
    products: tuple[Product, ...]
    nodes: tuple[onnx.NodeProto, ...]
    reads: Sequence[Values]
    expected: Sequence[Values]
    run: Callable[[Draft], list[Values]] = field(repr=False)


class SectionWalk(Walk):
    """A :class:`Walk` by sections instead of products."""

    def __init__(self, draft: Draft, samples: Sequence[Sample], apart: Callable[[onnx.NodeProto], bool]) -> None:
        """``apart``: nodes that are in no section; blocks with one are run alone."""
        super().__init__(draft, samples)
        proto = ir.to_proto(draft.model)
        self._nodes = {node.name: node for node in proto.graph.node}
        alone = {name for name, node in self._nodes.items() if apart(node)}
        groups = _sections(self._steps, self._outputs, {p.node for p in draft.placement.products}, alone)
        source, read_later = Source(proto), _read_later(groups, self._outputs)
        self._blocks = [tuple(s.block for s in group if s.block is not None) for group in groups]
        self._steps = [
            group[0] if len(group) == 1 else _joined(draft, source, group, later, self._nodes)
            for group, later in zip(groups, read_later, strict=True)
        ]
        self._uses = Counter(name for step in self._steps for name in step.piece.inputs) + Counter(self._outputs)

    def sections(self) -> Iterator[Section]:
        """Every section with a product; the others are run as they are."""
        left = self._uses.copy()
        self._float = [dict(sample) for sample in self._samples]
        self._run = [self._quantized(sample) for sample in self._samples]
        for step, blocks in zip(self._steps, self._blocks, strict=True):
            expected = [step.piece.run(values) for values in self._float]
            run = self._runner(step)
            if step.placement.products:
                reads = [{name: values[name] for name in step.piece.inputs} for values in self._run]
                nodes = tuple(self._nodes[name] for block in blocks for name in block.nodes)
                yield Section(blocks, step.placement.products, nodes, reads, expected, run)
            self._go_on(step, expected, run(self.draft), left)


def _sections(steps: Sequence[Step], outputs: Sequence[str], products: set[str], alone: set[str]) -> list[list[Step]]:
    """Steps in groups that end where one tensor alone goes on; a step with a node of ``alone`` is its own group."""
    uses = Counter(chain(outputs, (name for step in steps for name in step.piece.inputs)))
    live: set[str] = set()
    groups: list[list[Step]] = []
    open_ = False
    for step in steps:
        apart = step.block is None or not alone.isdisjoint(step.block.nodes)
        if apart or not open_:
            groups.append([])
        groups[-1].append(step)
        uses.subtract(step.piece.inputs)
        live = {name for name in (*live, *step.piece.inputs, *step.piece.outputs) if uses[name] > 0}
        full = sum(s.block is not None and s.block.node in products for s in groups[-1]) >= FULL
        open_ = not apart and not (len(live) <= 1 and full)
    return groups


def _read_later(groups: Sequence[Sequence[Step]], outputs: Sequence[str]) -> list[set[str]]:
    """For each group what the ones behind it read."""
    found, later = [], set(outputs)
    for group in reversed(groups):
        found.append(set(later))
        later |= {name for step in group for name in step.piece.inputs}
    return found[::-1]


def _joined(
    draft: Draft, source: Source, group: Sequence[Step], later: set[str], nodes: dict[str, onnx.NodeProto]
) -> Step:
    """The steps as one, whose results are what is read later."""
    blocks = [step.block for step in group if step.block is not None]
    made = [name for step in group for name in step.piece.outputs]
    inside = {name for block in blocks for name in block.nodes}
    piece = source.open([node for name, node in nodes.items() if name in inside], [n for n in made if n in later])
    union = PlacedBlock(
        tuple(name for block in blocks for name in block.nodes),
        "section",
        Role.PRODUCT,
        tuple(dict.fromkeys(name for block in blocks for name in block.operands)),
        tuple(dict.fromkeys(name for block in blocks for name in block.constants)),
        piece.outputs,
    )
    there = {*made, *(name for step in group for name in step.piece.inputs)}
    tensors = tuple(name for name in draft.placement.tensors if name in there)
    products = tuple(product for product in draft.placement.products if product.node in inside)
    return Step(piece, union, Placement((Group(tensors, tensors),), products, union.constants, (union,), ()))
