"""One layer in codes, the rest in float32: injected into the float model where the layer stands, carried to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from numpy.typing import NDArray

from halfeven.execute.run import native_backend
from halfeven.ir.program import Program
from halfeven.ops import numpy_native
from halfeven.ptq.difference import Difference
from halfeven.ptq.keep import Sample
from halfeven.ptq.pieces import Piece
from halfeven.report.layer_sums import Seen
from halfeven.report.layers import Layer
from halfeven.report.sensitivity.found import Outputs, Trial
from halfeven.report.sensitivity.suffix import Suffixes
from halfeven.report.walk import Plan, Walk

Array = NDArray[Any]
Key = tuple[int, Trial]
Found = dict[Key, Outputs]


@dataclass(frozen=True, eq=False)
class ConstantTrial:
    """A product's weight as its codes have it. ``node``: of the float model. ``name``: of the constant."""

    index: int
    node: str
    name: str
    array: Array


@dataclass(eq=False)
class _Run:
    """One sample under way: ``live``: float tensors that later nodes read; ``expected``: the float outputs."""

    live: dict[str, Array]
    expected: Mapping[str, Array]
    seen: list[tuple[Key, str, Array]] = field(default_factory=list)

    def take(self, trials: Collection[Trial], wanted: Collection[int], layer: Layer, seen: Seen) -> None:
        """Note what is to be injected for a layer: real values in place of the float model's."""
        if layer.index not in wanted:
            return
        if Trial.LAYER in trials and seen.alone is not None:
            self.seen.append(((layer.index, Trial.LAYER), layer.name, _real(seen.alone, layer)))
        if Trial.ACTIVATION in trials and layer.params is not None:
            self.seen.append(((layer.index, Trial.ACTIVATION), layer.name, _real(seen.ideal, layer)))


def _real(codes: Array, layer: Layer) -> Array:
    return codes if layer.params is None else numpy_native.dequantize(codes, layer.params)


def one_at_a_time(
    program: Program,
    suffixes: Suffixes,
    layers: Sequence[Layer],
    wanted: Collection[int],
    weights: Sequence[ConstantTrial],
    samples: Sequence[tuple[Sample, Mapping[str, Array]]],
    trials: Collection[Trial],
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[int, Found]]:
    """After each step: how many layers are settled by now, and what it found.

    All samples go through the float model side by side, cut where a layer's tensor is complete or a product begins.
    There the rest of the model is opened once, on one thread, and run for each sample and trial: what lies before the
    cut is computed once. Results do not depend on the number of threads.

    Parameters
    ----------
    layers : every paired layer; ``wanted``: indices of those that are tried.
    weights : products whose weight is tried.
    samples : each with the float model's outputs.
    """
    walking = _Walking(program, suffixes, layers, wanted, weights, samples, trials, pool)
    for boundary in walking.boundaries:
        yield walking.step(boundary)


class _Walking:
    def __init__(
        self,
        program: Program,
        suffixes: Suffixes,
        layers: Sequence[Layer],
        wanted: Collection[int],
        weights: Sequence[ConstantTrial],
        samples: Sequence[tuple[Sample, Mapping[str, Array]]],
        trials: Collection[Trial],
        pool: ThreadPoolExecutor,
    ) -> None:
        self._suffixes, self._pool = suffixes, pool
        self._by_boundary: dict[int, list[str]] = {}
        for name in dict.fromkeys(layer.name for layer in layers):
            self._by_boundary.setdefault(suffixes.position.get(name, -1) + 1, []).append(name)
        self._weights: dict[int, list[ConstantTrial]] = {}
        for weight in weights:
            self._weights.setdefault(suffixes.node_position[weight.node], []).append(weight)
        self.boundaries = sorted({*self._by_boundary, *self._weights})
        self._left = Counter(layer.name for layer in layers if layer.index in wanted)
        self._named = {layer.name for layer in layers}
        self._at = 0
        plan = Plan(program, layers, {}, native_backend())
        self._runs = [_Run(dict(sample), expected) for sample, expected in samples]
        self._walks = [Walk(plan, r.live.copy(), partial(r.take, trials, wanted)) for r in self._runs]

    def step(self, boundary: int) -> tuple[int, Found]:
        """Advance to a cut, and try what stands there."""
        self._advance(boundary)
        found: Found = {}
        for weight in self._weights.get(boundary, ()):
            piece = self._suffixes.open(boundary, {weight.name: weight.array})
            tasks = [partial(self._with_weight, piece, run) for run in self._runs]
            found[weight.index, Trial.WEIGHT] = _added(self._pool.map(_call, tasks))
        names = self._by_boundary.get(boundary, ())
        for name in names:
            for run, walk in zip(self._runs, self._walks, strict=True):
                walk.see(name, run.live[name])
        found.update(self._inject(boundary))
        for run in self._runs:
            run.live = {n: a for n, a in run.live.items() if not self._suffixes.is_done(n, boundary)}
        return sum(self._left[name] for name in names), found

    def _advance(self, boundary: int) -> None:
        piece = self._suffixes.between(self._at, boundary, self._named)
        self._at = boundary
        if piece is not None:
            made = self._pool.map(lambda run: piece.run(run.live), self._runs)
            for run, arrays in zip(self._runs, made, strict=True):
                run.live.update(arrays)

    def _inject(self, boundary: int) -> Found:
        keys = [key for key, _, _ in self._runs[0].seen] if self._runs else []
        if not keys:
            return {}
        piece = self._suffixes.open(boundary)
        tasks = [partial(self._changed, piece, run, name, array) for run in self._runs for _, name, array in run.seen]
        results = list(self._pool.map(_call, tasks))
        for run in self._runs:
            run.seen.clear()
        return {key: _added(results[k :: len(keys)]) for k, key in enumerate(keys)}

    def _changed(self, piece: Piece | None, run: _Run, name: str, array: Array) -> Outputs:
        got = {} if piece is None else piece.run({**run.live, name: array})
        return _differences(run.expected, {name: array, **got} if name in run.expected else got)

    @staticmethod
    def _with_weight(piece: Piece | None, run: _Run) -> Outputs:
        return _differences(run.expected, {} if piece is None else piece.run(run.live))


def _call(task: Callable[[], Outputs]) -> Outputs:
    return task()


def _differences(expected: Mapping[str, Array], got: Mapping[str, Array]) -> Outputs:
    """Of every output; one that is not computed again is as it was."""
    return {name: Difference.between(f, got.get(name, f)) for name, f in expected.items()}


def _added(results: Any) -> Outputs:
    total: dict[str, Difference] = {}
    for outputs in results:
        for name, difference in outputs.items():
            total[name] = total.get(name, Difference()) + difference
    return total
