"""What operators make of a tensor whose codes are tried: the error at their results, measured in float32.

One pass over a few samples. A tensor is held from where it is computed until its last reader has been measured, as in
inference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx
import onnx_ir as ir

from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile
from halfeven.ops import fake_quantize
from halfeven.ptq.difference import Difference
from halfeven.ptq.keep import Sample
from halfeven.ptq.pieces import Piece, Source, cores
from halfeven.ptq.placement import PlacedBlock
from halfeven.ptq.segments import tap

Array = np.ndarray
MOST_KEPT = 1 << 28  # bytes of weights in sessions that are kept for the next sample


@dataclass(frozen=True)
class Trial:
    """Some parameters for some tensors, which share them, and who is asked.

    Attributes
    ----------
    tensors : what is quantized, all at once.
    params : one after the other.
    reader : the block whose result is compared; None compares the tensors themselves.
    """

    tensors: tuple[str, ...]
    params: tuple[AffineParams, ...]
    reader: PlacedBlock | None = None


def measure(
    model: ir.Model,
    trials: Sequence[Trial],
    samples: Iterable[Sample],
    profile: Profile,
    progress: Callable[[int], object] = lambda _done: None,
) -> list[tuple[Difference, ...]]:
    """For each trial and each of its parameters: the result against the float result, over all samples.

    Raises
    ------
    ModelError
        If onnxruntime cannot run the model on a sample.
    """
    with ThreadPoolExecutor(cores()) as pool:
        under_way = _Trials(model, trials, profile, pool)
        tapped = tap(model, under_way.wanted)
        for count, sample in enumerate(samples, 1):
            under_way.begin_sample()
            tapped.run(sample, under_way.see)
            progress(count)
    return [tuple(found) for found in under_way.found]


class _Trials:
    """The trials under way, and the tensors that they still need."""

    def __init__(self, model: ir.Model, trials: Sequence[Trial], profile: Profile, pool: ThreadPoolExecutor) -> None:
        self._source = Source(model)
        self._nodes = {node.name: node for node in self._source.nodes}
        self._trials, self._profile, self._pool = trials, profile, pool
        self._of_result: dict[str, list[int]] = {}  # trials with a reader, by its result
        self._of_tensor: dict[str, list[int]] = {}  # trials without
        for k, trial in enumerate(trials):
            for name in trial.tensors if trial.reader is None else ():
                self._of_tensor.setdefault(name, []).append(k)
            if trial.reader is not None:
                self._of_result.setdefault(trial.reader.results[0], []).append(k)
        firsts = (trials[ks[0]] for ks in self._of_result.values())
        self._readers = Counter(name for t in firsts for name in self._source.inputs(self._nodes_of(t)))
        self._live: dict[str, Array] = {}
        self._pieces: dict[str, Piece] = {}  # of readers, by result
        self._room = MOST_KEPT
        self._left = Counter(self._readers)
        self.wanted = {*self._readers, *self._of_result, *self._of_tensor}
        self.found = [[Difference()] * len(trial.params) for trial in trials]

    def _nodes_of(self, trial: Trial) -> list[onnx.NodeProto]:
        return [self._nodes[name] for name in (trial.reader.nodes if trial.reader else ())]

    def begin_sample(self) -> None:
        """Forget the last sample's tensors."""
        self._live.clear()
        self._left = Counter(self._readers)

    def see(self, name: str, array: Array) -> None:
        """Take note of a tensor, and measure where it is what a trial waits for."""
        if name in self._readers:
            self._live[name] = array
        for k in self._of_tensor.get(name, ()):
            self._add(k, self._pool.map(partial(self._alone, array), self._trials[k].params))
        if name in self._of_result:
            self._measure(name, array)

    def _measure(self, result: str, f: Array) -> None:
        trials = self._of_result[result]
        piece = self._piece(result)
        values = {name: self._live[name] for name in piece.inputs}
        for k in trials:
            trial = self._trials[k]
            self._add(k, self._pool.map(partial(self._through, piece, f, values, trial.tensors), trial.params))
        for name in piece.inputs:
            self._left[name] -= 1
            if not self._left[name]:
                del self._live[name]

    def _piece(self, result: str) -> Piece:
        """A session takes longer to open than most blocks to run."""
        if result in self._pieces:
            return self._pieces[result]
        nodes = self._nodes_of(self._trials[self._of_result[result][0]])
        piece, size = self._source.open(nodes, [result], threads=1), self._source.weight_bytes(nodes)
        if size <= self._room:
            self._pieces[result] = piece
            self._room -= size
        return piece

    def _alone(self, array: Array, params: AffineParams) -> Difference:
        return Difference.between(array, self._quantized(array, params))

    def _through(
        self, piece: Piece, f: Array, values: Mapping[str, Array], tensors: tuple[str, ...], params: AffineParams
    ) -> Difference:
        tried = {name: self._quantized(values[name], params) for name in tensors}
        return Difference.between(f, piece.run({**values, **tried})[piece.outputs[0]])

    def _quantized(self, array: Array, params: AffineParams) -> Array:
        return np.asarray(fake_quantize(array, params, self._profile))

    def _add(self, k: int, differences: Iterable[Difference]) -> None:
        self.found[k] = [a + b for a, b in zip(self.found[k], differences, strict=True)]
