"""The float model and the integer program side by side over a few samples, product by product.

An algorithm meets each product with what it reads in the integer run so far, and may change its weight or bias; the
walk goes on with the change. Every block is lowered and run as in the whole program: the last tensors of a walk are the
outputs of the program that its draft is written to, bit for bit.

At any time the tensors that are still to be read are held for every sample, in float32, of both runs: see
:func:`fitting`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.execute.engine import Engine
from halfeven.lower import lower
from halfeven.ops import fake_quantize
from halfeven.ptq.activations import Activations
from halfeven.ptq.draft import Draft
from halfeven.ptq.insert_qdq import insert_qdq
from halfeven.ptq.keep import Sample
from halfeven.ptq.pieces import Piece, Source
from halfeven.ptq.placement import Group, PlacedBlock, Placement, Product
from halfeven.ptq.weights import Constant

MOST_HELD = 3 << 29  # bytes of tensors at a time: 1.5 GiB
COPIES = 3  # of a layer's input and result: of both runs, and what an algorithm compares

Array = NDArray[np.float32]
Values = dict[str, NDArray[Any]]  # tensors of one sample, by name


@dataclass(frozen=True, eq=False)
class Step:
    """Some nodes that are run together: a block, or a node that is in none."""

    piece: Piece
    block: PlacedBlock | None
    placement: Placement


@dataclass(eq=False)
class Layer:
    """A product met on a walk.

    Attributes
    ----------
    product, block : it, and the block that it opens.
    reads : its input in the integer run, the reals of its codes, one array a sample.
    float_reads, expected : its input and the block's result in the float run.
    placement : of the block alone. run : the block's results in the integer run, by name, of each sample.
    """

    product: Product
    block: PlacedBlock
    reads: Sequence[Array]
    float_reads: Sequence[Array]
    expected: Sequence[Array]
    placement: Placement
    run: Callable[[Draft], list[Values]] = field(repr=False)

    def weight(self, draft: Draft) -> Constant:
        """The codes of its weight in the draft."""
        return draft.constants_in(self.placement).weights[self.product]

    def results(self, draft: Draft) -> list[Array]:
        """The block's result in the integer run, the reals of its codes, with the draft's weight and bias."""
        return [values[self.block.results[0]] for values in self.run(draft)]


class Walk:
    """Iterate over it for the layers, in the order of the graph.

    Attributes
    ----------
    draft : give it another one with a changed weight or bias of the layer at hand, or of later ones, and the walk goes
        on with that.
    """

    def __init__(self, draft: Draft, samples: Sequence[Sample]) -> None:
        self.draft = draft
        self._samples = samples
        proto = ir.to_proto(draft.model)
        self._steps = _steps(draft, proto)
        self._outputs = tuple(value.name for value in proto.graph.output)
        self._uses = Counter(name for step in self._steps for name in step.piece.inputs) + Counter(self._outputs)
        self._float: list[Values] = []
        self._run: list[Values] = []

    def __iter__(self) -> Iterator[Layer]:
        left = self._uses.copy()
        self._float = [dict(sample) for sample in self._samples]
        self._run = [self._quantized(sample) for sample in self._samples]
        products = {product.node: product for product in self.draft.placement.products}
        for step in self._steps:
            expected = [step.piece.run(values) for values in self._float]
            product = None if step.block is None else products.get(step.block.node)
            if step.block is None or product is None:
                got = self.run_step(step, self.draft)
            else:
                layer = self._layer(product, step.block, step, expected)
                yield layer
                got = layer.run(self.draft)
            self._go_on(step, expected, got, left)

    def outputs(self) -> list[Values]:
        """The model's outputs in the integer run of each sample, once the walk has come to its end."""
        return [{name: values[name] for name in self._outputs} for values in self._run]

    def live_bytes(self, sample: Sample) -> int:
        """The most that one run of the sample holds at a time."""
        left, values, most = self._uses.copy(), dict(sample), 0
        for step in self._steps:
            values.update(step.piece.run(values))
            most = max(most, sum(a.nbytes for a in values.values()))
            left.subtract(step.piece.inputs)
            values = {name: array for name, array in values.items() if left[name] > 0}
        return most

    def run_step(self, step: Step, draft: Draft) -> list[Values]:
        """What the step computes in the integer run, of each sample."""
        if step.block is None:
            return [step.piece.run(values) for values in self._run]
        engine = Engine(lower(_written(draft, step.block, step), draft.profile))
        wanted = step.piece.outputs
        return [engine.run({n: values[n] for n in step.piece.inputs}, wanted) for values in self._run]

    def _layer(self, product: Product, block: PlacedBlock, step: Step, expected: Sequence[Values]) -> Layer:
        params = self.draft.activations.read_by(product.node, product.x)
        real, run = ([values[product.x] for values in side] for side in (self._float, self._run))
        reads = [np.asarray(fake_quantize(x, params, self.draft.profile)) for x in run]
        results = [values[block.results[0]] for values in expected]
        return Layer(product, block, reads, real, results, step.placement, self._runner(step))

    def _runner(self, step: Step) -> Callable[[Draft], list[Values]]:
        """Run the step with a draft; asked again about one of the last two, it remembers."""
        last: list[tuple[Draft, list[Values]]] = []

        def run(draft: Draft) -> list[Values]:
            known = next((found for of, found in last if of is draft), None)
            if known is None:
                known = self.run_step(step, draft)
                last[:] = [*last[-1:], (draft, known)]
            return known

        return run

    def _go_on(self, step: Step, expected: Sequence[Values], got: Sequence[Values], left: Counter[str]) -> None:
        """Take the step's results, and let go of what nothing reads any more."""
        left.subtract(step.piece.inputs)
        for side, found in ((self._float, expected), (self._run, got)):
            for values, new in zip(side, found, strict=True):
                values.update({name: array for name, array in new.items() if left[name]})
                for name in step.piece.inputs:
                    if not left[name]:
                        values.pop(name, None)

    def _quantized(self, sample: Sample) -> Values:
        """Inputs that carry codes are read from them by every node."""
        own = self.draft.activations.own
        profile = self.draft.profile
        return {n: np.asarray(fake_quantize(x, own[n], profile)) if n in own else x for n, x in sample.items()}


def fitting(draft: Draft, samples: Sequence[Sample]) -> Sequence[Sample]:
    """The first samples that a walk can hold in :data:`MOST_HELD` bytes, as large as the largest of them; at least one.

    So memory depends neither on how many samples there are nor on the model, but for one that is too large alone.
    """
    if not samples:
        return samples
    largest = max(samples, key=lambda sample: sum(array.nbytes for array in sample.values()))
    return samples[: max(MOST_HELD // max(COPIES * Walk(draft, ()).live_bytes(largest), 1), 1)]


def _steps(draft: Draft, proto: onnx.ModelProto) -> list[Step]:
    source = Source(proto)
    last = {block.nodes[-1]: block for block in draft.placement.blocks}
    inside = {name for block in draft.placement.blocks for name in block.nodes}
    nodes = {node.name: node for node in proto.graph.node}
    found = []
    for node in proto.graph.node:
        if node.name in last:
            block = last[node.name]
            piece = source.open([nodes[name] for name in block.nodes], block.results)
            found.append(Step(piece, block, _part(draft.placement, block, piece)))
        elif node.name not in inside:
            found.append(Step(source.open([node], [n for n in node.output if n]), None, Placement((), (), (), (), ())))
    return found


def _part(placement: Placement, block: PlacedBlock, piece: Piece) -> Placement:
    """The placement of one block alone."""
    there = {*piece.inputs, *piece.outputs}
    tensors = tuple(name for name in placement.tensors if name in there)
    products = tuple(product for product in placement.products if product.node == block.node)
    return Placement((Group(tensors, tensors),), products, block.constants, (block,), ())


def _written(draft: Draft, block: PlacedBlock, step: Step) -> ir.Model:
    """The QDQ model of the step alone."""
    graph = ir.convenience.extract(draft.model.graph, step.piece.inputs, step.piece.outputs)
    model = ir.Model(graph, ir_version=draft.model.ir_version)
    narrower = {read: params for read, params in draft.activations.narrower.items() if read[0] in block.nodes}
    activations = Activations(draft.activations.own, narrower)
    return insert_qdq(model, step.placement, activations, draft.constants_in(step.placement))
