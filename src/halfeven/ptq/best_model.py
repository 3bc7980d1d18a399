"""How far the outputs of quantized models, computed in integers, are from the float model's; the nearest of some."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from halfeven.execute.engine import Engine
from halfeven.lower import lower
from halfeven.numerics.profile import Profile
from halfeven.ptq.difference import Difference, Measure
from halfeven.ptq.keep import Sample
from halfeven.ptq.segments import tap


def nearest_model(
    model: ir.Model,
    made: Sequence[ir.Model],
    samples: Sequence[Sample],
    profile: Profile,
    measure: Measure,
    progress: Callable[[int], object] = lambda _done: None,
) -> int:
    """Index of the one in ``made`` with the least difference from ``model``, summed over outputs; of equals the first.

    Raises
    ------
    HalfevenError
        If one of them cannot run on a sample.
    """
    errors = output_errors(model, made, samples, profile, measure, progress)
    return errors.index(min(errors))


def output_errors(
    model: ir.Model,
    made: Sequence[ir.Model],
    samples: Sequence[Sample],
    profile: Profile,
    measure: Measure,
    progress: Callable[[int], object] = lambda _done: None,
) -> list[float]:
    """How far each of ``made``, run in integers, is from ``model``: the measure, summed over the outputs.

    Raises
    ------
    HalfevenError
        If one of them cannot run on a sample.
    """
    found = differences_by_output(model, made, samples, profile, progress)
    return [sum(measure.of(d) for d in sums.values()) for sums in found]


def differences_by_output(
    model: ir.Model,
    made: Sequence[ir.Model],
    samples: Sequence[Sample],
    profile: Profile,
    progress: Callable[[int], object] = lambda _done: None,
) -> list[dict[str, Difference]]:
    """How far each of ``made``, run in integers, is from ``model`` at each output.

    Raises
    ------
    HalfevenError
        If one of them cannot run on a sample.
    """
    outputs = [str(v.name) for v in model.graph.outputs]
    engines = [Engine(lower(m, profile)) for m in made]
    found = [dict.fromkeys(outputs, Difference()) for _ in made]
    tapped = tap(model, outputs)
    for count, sample in enumerate(samples, 1):
        expected: dict[str, np.ndarray] = {}
        tapped.run(sample, expected.__setitem__)
        for sums, engine in zip(found, engines, strict=True):
            got = engine.run(sample, outputs)
            for name in outputs:
                sums[name] += Difference.between(expected[name], got[name])
        progress(count)
    return found
