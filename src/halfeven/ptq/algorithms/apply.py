"""Run the algorithms of a stage one after the other, and measure what each was worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from halfeven import interop
from halfeven.ptq.algorithms.report import AlgorithmReport, options_of
from halfeven.ptq.algorithms.stages import Algorithm, BiasCorrecting, FloatRewrite, Refined, Tick, WeightRounding
from halfeven.ptq.best_model import output_errors
from halfeven.ptq.difference import Measure
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Sample

CHECKED = 4  # samples on which a rewritten model is compared with the one before


def rewrite(
    algorithms: Sequence[Algorithm], model: ir.Model, samples: Sequence[Sample]
) -> tuple[ir.Model, tuple[AlgorithmReport, ...]]:
    """The float model after every :class:`FloatRewrite`; one that changes the function on the samples is not taken."""
    reports = []
    for algorithm in algorithms:
        if not isinstance(algorithm, FloatRewrite):
            continue
        found = algorithm.rewrite(model, samples)
        equality = interop.check_equal(model, found.model, samples[:CHECKED])
        if equality.equal:
            model, changes, left = found.model, found.changes, found.left
        else:
            changes, left = (), (*found.left, f"all of it was undone: the rewritten model is {equality}")
        reports.append(AlgorithmReport(algorithm.name, options_of(algorithm), changes, left))
    return model, tuple(reports)


def refine(
    algorithms: Sequence[Algorithm], draft: Draft, samples: Sequence[Sample], tick: Tick
) -> tuple[Draft, tuple[AlgorithmReport, ...]]:
    """The draft after every :class:`WeightRounding`, then every :class:`BiasCorrecting`.

    The integer programs before and after are run on the samples, and their outputs compared with the float model's.
    """
    steps = [(a, step) for a in algorithms if (step := _step(a)) is not None]
    if not steps:
        return draft, ()
    drafts, found = [draft], []
    for algorithm, step in steps:
        found.append(step(drafts[-1], samples[: algorithm.samples], tick))
        drafts.append(found[-1].draft)
    made = [d.write() for d in drafts]
    errors = output_errors(draft.model, made, samples, draft.profile, Measure.SQNR)
    reports = [
        AlgorithmReport(a.name, options_of(a), one.changes, one.left, errors[k], errors[k + 1])
        for k, ((a, _), one) in enumerate(zip(steps, found, strict=True))
    ]
    return drafts[-1], tuple(reports)


def _step(algorithm: Algorithm) -> Callable[[Draft, Sequence[Sample], Tick], Refined] | None:
    if isinstance(algorithm, WeightRounding):
        return algorithm.round_weights
    if isinstance(algorithm, BiasCorrecting):
        return algorithm.correct_biases
    return None
