"""The float model and the integer program over the same samples, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.execute.run import native_backend
from halfeven.ir.instructions import results
from halfeven.ir.program import Program
from halfeven.ptq.data import count_samples, samples
from halfeven.ptq.pieces import cores
from halfeven.ptq.segments import tap
from halfeven.report.agreement import Agreements
from halfeven.report.comparison import Comparison
from halfeven.report.diagnose import diagnose
from halfeven.report.facts import facts
from halfeven.report.finding import Finding, Kind
from halfeven.report.layer_sums import Each, LayerSums, Seen, layer_sums
from halfeven.report.layers import FloatModel, Layer, Pairing, Unpaired, label, pair
from halfeven.report.masked import pushed_out
from halfeven.report.row import LayerRow, layer_row
from halfeven.report.speed import measure_speed
from halfeven.report.walk import Plan, Walk
from halfeven.report.weights import Weight, weights

Array = NDArray[Any]
WORTH_THREADS = 1 << 16  # elements from which on sums take longer than handing them over
PARTS = 4  # of one layer's sums, each the work of one thread: results do not depend on their number
Progress = Callable[[int, "int | None"], Any]


def compare(
    program: Program,
    quantized: ir.Model,
    float_model: FloatModel,
    data: Any,
    *,
    source: str = "the quantized model",
    limit: int | None = None,
    speed: bool = True,
    progress: Progress | None = None,
) -> Comparison:
    """Hold every layer of a quantized model against the float model that it was made from.

    One pass over the samples; memory depends on neither their number nor that of layers. Everything but ``speed``
    follows from models and data alone, to the last bit.

    Parameters
    ----------
    program, quantized : the integer program, and the QDQ graph that it means.
    float_model : a file, or a loaded one.
    data : samples, in any form of :func:`halfeven.ptq.data.samples`.
    source : how the quantized model is called in the report.
    limit : at most so many samples; None for all.
    speed : also time both models on the first sample.
    progress : called with (samples done, their number or None).

    Raises
    ------
    ModelError, DataError, NotANumberError, ParameterError
        In one line: the model, tensor or sample at fault.
    """
    if limit is not None and limit < 1:
        raise ParameterError(f"limit must be at least 1, or None for all samples: {limit}")
    pairing = pair(program, quantized.graph, float_model)
    known = weights(quantized.graph, pairing.float_model.graph, program.profile)
    total = _total(data, program, limit) if progress else None
    with ThreadPoolExecutor(min(cores(), PARTS)) as pool:
        gathered = _Gathered(program, pairing, known, pool.map)
        for sample in islice(samples(data, program.inputs), limit):
            gathered.add(sample)
            if progress is not None:
                progress(gathered.samples, total)
    return _comparison(gathered, program, quantized, float_model, source, speed=speed)


def _total(data: Any, program: Program, limit: int | None) -> int | None:
    count = count_samples(data, program.inputs)
    return count if count is None or limit is None else min(count, limit)


class _Gathered:
    """What has been added up so far."""

    def __init__(self, program: Program, pairing: Pairing, weights: Mapping[str, Weight], each: Each) -> None:
        self.pairing = pairing
        self.sums: dict[int, LayerSums] = {}
        self.unpaired: dict[int, Unpaired] = {}
        self.agreements = Agreements()
        self.samples = 0
        self.first: Mapping[str, Array] = {}
        self.shapes: Mapping[str, tuple[int, ...]] = {}
        self.weights = weights
        self._each = each
        self._plan = Plan(program, pairing.layers, weights, native_backend())
        self.reads = self._plan.reads
        masks = pushed_out(pairing.float_model, pairing.layers)
        self._pushed_out = {  # by layer; a product with a weight masks nothing, and its error is counted in full
            layer.index: masks[layer.name]
            for layer in pairing.layers
            if layer.name in masks and layer.made_by.name not in weights
        }
        self._tapped = tap(pairing.float_model, {layer.name for layer in pairing.layers})

    def add(self, sample: Mapping[str, Array]) -> None:
        """Run both models on one more sample."""
        walk = Walk(self._plan, sample, self._take)
        self._tapped.run(sample, walk.see)
        for index, shapes in walk.mismatched.items():
            tensor = self.pairing.layers[index].tensor
            reason = f"its shape is {list(shapes[0])}, and {list(shapes[1])} in the float model"
            self.unpaired.setdefault(index, Unpaired(tensor, reason))
        if not self.samples:
            walk.finish()
            self.first, self.shapes = dict(sample), walk.shapes
        self.agreements.end_sample()
        self.samples += 1

    def _take(self, layer: Layer, seen: Seen) -> None:
        each = self._each if seen.real.size >= WORTH_THREADS else map
        counted = seen
        if layer.index in self._pushed_out:  # sums leave out what is infinite
            gone = self._pushed_out[layer.index](seen.real)
            counted = replace(seen, real=np.where(gone, np.float32(-np.inf), seen.real))
        found = layer_sums(counted, layer.params, layer.axis, each)
        before = self.sums.get(layer.index)
        self.sums[layer.index] = found if before is None else before.merge(found)
        if layer.is_output:
            self.agreements.add(layer.name, seen, layer.params, found.accumulated)


def _comparison(
    gathered: _Gathered, program: Program, quantized: ir.Model, float_model: FloatModel, source: str, *, speed: bool
) -> Comparison:
    pairing = gathered.pairing
    known = gathered.weights
    costs = facts(program, (pairing.float_model, quantized), known, gathered.shapes)
    rows = tuple(
        layer_row(
            layer,
            gathered.sums[layer.index],
            _weight_of(layer, known),
            costs.layer_macs.get(results(layer.made_by)[0], 0),
        )
        for layer in pairing.layers
        if layer.index in gathered.sums and layer.index not in gathered.unpaired
    )
    return Comparison(
        float_source=label(float_model),
        quantized_source=source,
        profile=program.profile.name,
        samples=gathered.samples,
        rows=rows,
        findings=_findings(rows, gathered.reads),
        outputs=gathered.agreements.result(),
        worst_samples=gathered.agreements.worst(),
        unpaired=(*pairing.unpaired, *gathered.unpaired.values()),
        facts=costs,
        speed=measure_speed(float_model, program, gathered.first) if speed else None,
    )


def _weight_of(layer: Layer, known: Mapping[str, Weight]) -> Weight | None:
    return known.get(layer.made_by.name)


def _findings(rows: Sequence[LayerRow], reads: Mapping[str, Collection[str]]) -> dict[int, tuple[Finding, ...]]:
    by_tensor = {row.layer.tensor: row for row in rows}
    found: dict[int, tuple[Finding, ...]] = {}
    scaled: set[int] = set()
    for row in rows:  # what is read comes first
        operands = [by_tensor[t] for t in sorted(reads[row.layer.tensor]) if t in by_tensor]
        found[row.index] = diagnose(row, operands, scaled)
        scaled |= {row.index} if any(f.kind is Kind.SCALED for f in found[row.index]) else set()
    return found
