"""Sensitivity of every layer of a quantized model, on a few samples held at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.errors import DataError, ParameterError
from halfeven.execute.engine import Engine
from halfeven.interop.values import constant, given, is_op
from halfeven.ir.instructions import MaxPool, Requantize
from halfeven.ir.moves import MOVES
from halfeven.ir.program import Program
from halfeven.lower import lower
from halfeven.lower.site import real_constant
from halfeven.ptq.data import samples
from halfeven.ptq.difference import Difference
from halfeven.ptq.keep import Sample
from halfeven.ptq.pieces import cores
from halfeven.report.layers import FloatModel, Layer, Pairing, pair
from halfeven.report.sensitivity.found import FORWARD, LayerSensitivity, Outputs, Sensitivity, Trial
from halfeven.report.sensitivity.one import ConstantTrial, Found, one_at_a_time
from halfeven.report.sensitivity.suffix import Suffixes
from halfeven.report.sensitivity.without import take_out
from halfeven.report.weights import PRODUCTS

Array = NDArray[Any]
Progress = Callable[[int, "int | None"], Any]
SAMPLES = 8
CHOSEN_BEFORE = (*MOVES, MaxPool, Requantize)
"""What writes codes that an earlier layer chose, or the same tensor again in fewer bits."""


def sensitivity(
    program: Program,
    quantized: ir.Model,
    float_model: FloatModel,
    data: Any,
    *,
    trials: Collection[Trial] = FORWARD,
    limit: int = SAMPLES,
    progress: Progress | None = None,
) -> Sensitivity:
    """What each layer's codes alone do to the model's outputs, and what they are without it.

    Ctrl-C ends it early: the layers done so far are returned, and ``interrupted`` says so. Equal models and data give
    equal numbers, whatever the number of threads.

    Parameters
    ----------
    program, quantized : the integer program, and the QDQ graph that it means.
    float_model : a file, or a loaded one.
    data : samples, in any form of :func:`halfeven.ptq.data.samples`; the first ``limit`` count.
    trials : which to make.
    progress : called with (steps done, their number): one a layer, and one more where it is left out.

    Raises
    ------
    ModelError, DataError, NotANumberError, ParameterError
        In one line: the model, tensor or sample at fault.
    """
    if limit < 1:
        raise ParameterError(f"the number of samples for sensitivity must be at least 1: {limit}")
    pairing = pair(program, quantized.graph, float_model)
    held = [dict(sample) for sample in islice(samples(data, program.inputs), limit)]
    if not held:
        raise DataError("there is no sample to measure sensitivity on: one at least was expected")
    return measure(program, quantized, pairing, held, trials=trials, progress=progress)


def measure(
    program: Program,
    quantized: ir.Model,
    pairing: Pairing,
    held: Sequence[Sample],
    *,
    trials: Collection[Trial] = FORWARD,
    progress: Progress | None = None,
) -> Sensitivity:
    """The same for a pairing and samples that are there."""
    chosen = [layer for layer in pairing.layers if not isinstance(layer.instruction, CHOSEN_BEFORE)]
    suffixes, found = Suffixes(pairing.float_model), dict[int, dict[Trial, Outputs]]()
    forward = bool(set(trials).intersection(FORWARD))
    steps = len(chosen) * (forward + (Trial.WITHOUT in trials))
    done, interrupted = 0, False
    whole: Outputs = {}
    with ThreadPoolExecutor(cores()) as pool:
        try:
            expected = _expected(suffixes, held, pool)
            whole = _whole(program, held, expected)
            for settled, new in _steps(program, quantized, pairing, chosen, suffixes, held, expected, trials, pool):
                for (index, trial), outputs in new.items():
                    found.setdefault(index, {})[trial] = outputs
                done += settled
                if progress is not None:
                    progress(done, steps)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            interrupted = True
    rows = tuple(
        LayerSensitivity(x.index, x.name, x.made_by.name, x.operator, found[x.index])
        for x in chosen
        if x.index in found
    )
    return Sensitivity(rows, whole, len(held), len(chosen), interrupted)


def _steps(
    program: Program,
    quantized: ir.Model,
    pairing: Pairing,
    chosen: Sequence[Layer],
    suffixes: Suffixes,
    held: Sequence[Sample],
    expected: Sequence[Mapping[str, Array]],
    trials: Collection[Trial],
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[int, Found]]:
    if set(trials).intersection(FORWARD):
        weights = _weight_trials(program, quantized, chosen, suffixes) if Trial.WEIGHT in trials else []
        indices = {layer.index for layer in chosen}
        both = list(zip(held, expected, strict=True))
        yield from one_at_a_time(program, suffixes, pairing.layers, indices, weights, both, trials, pool)
    if Trial.WITHOUT in trials:
        originals = _float_weights(pairing.float_model)
        leave = partial(_left_out, program, quantized, originals, held, expected)
        for k in range(0, len(chosen), cores()):
            some = chosen[k : k + cores()]
            results = zip(some, pool.map(leave, some), strict=True)
            yield len(some), {(x.index, Trial.WITHOUT): outputs for x, outputs in results if outputs is not None}


# --- weights ---


def _float_weights(model: ir.Model) -> dict[str, ir.Tensor]:
    found = {}
    for node in model.graph:
        value = given(node, 1) if is_op(node, *PRODUCTS) else None
        array = constant(value)
        if value is not None and array is not None:
            found[str(node.name)] = ir.tensor(np.asarray(array, np.float32), name=str(value.name))
    return found


def _weight_trials(
    program: Program, quantized: ir.Model, chosen: Sequence[Layer], suffixes: Suffixes
) -> list[ConstantTrial]:
    by_node = {layer.made_by.name: layer for layer in chosen}
    found = []
    for node in quantized.graph:
        name = str(node.name)
        if not is_op(node, *PRODUCTS) or name not in by_node or name not in suffixes.node_position:
            continue
        values = real_constant(given(node, 1), program.profile)
        if values is not None and is_quantized(node):
            constant_name = suffixes.constant(name, 1)
            found.append(ConstantTrial(by_node[name].index, name, constant_name, np.asarray(values, np.float32)))
    return found


def is_quantized(node: ir.Node) -> bool:
    """Whether a product's weight is codes."""
    value = given(node, 1)
    return value is not None and is_op(value.producer(), "DequantizeLinear")


# --- whole runs ---


def _expected(suffixes: Suffixes, held: Sequence[Sample], pool: ThreadPoolExecutor) -> list[Mapping[str, Array]]:
    piece = suffixes.open(0)
    if piece is None:
        return [{name: sample[name] for name in suffixes.outputs} for sample in held]
    return list(pool.map(piece.run, held))


def _whole(
    program: Program, held: Sequence[Sample], expected: Sequence[Mapping[str, Array]], threads: int = 0
) -> Outputs:
    """The outputs of an integer program against those of the float model, over all samples."""
    engine, total = Engine(program), dict[str, Difference]()
    for sample, wanted in zip(held, expected, strict=True):
        got = engine.run(sample, list(wanted), threads)
        for name, f in wanted.items():
            total[name] = total.get(name, Difference()) + Difference.between(f, got[name])
    return total


def _left_out(
    program: Program,
    quantized: ir.Model,
    originals: Mapping[str, ir.Tensor],
    held: Sequence[Sample],
    expected: Sequence[Mapping[str, Array]],
    layer: Layer,
) -> Outputs | None:
    product = layer.made_by.name
    without = take_out(quantized, layer.tensor, product, originals)
    return None if without is None else _whole(lower(without, program.profile, name=program.name), held, expected, 1)
