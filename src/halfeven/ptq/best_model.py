"""Of several quantized models the one whose outputs, computed in integers, are nearest to the float model's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from halfeven.execute.run import native_backend, run_program
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
    outputs = [str(v.name) for v in model.graph.outputs]
    programs = [lower(m, profile) for m in made]
    found = [dict.fromkeys(outputs, Difference()) for _ in made]
    tapped, backend = tap(model, outputs), native_backend()
    for count, sample in enumerate(samples, 1):
        expected: dict[str, np.ndarray] = {}
        tapped.run(sample, expected.__setitem__)
        for sums, program in zip(found, programs, strict=True):
            got = run_program(program, dict(sample), outputs, backend)
            for name in outputs:
                sums[name] += Difference.between(expected[name], got[name])
        progress(count)
    errors = [sum(measure.of(d) for d in sums.values()) for sums in found]
    return errors.index(min(errors))
