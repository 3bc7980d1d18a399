"""Run the algorithms of a stage one after the other, and measure what each was worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from halfeven import interop
from halfeven.ptq.algorithms.report import AlgorithmReport, decibels, options_of
from halfeven.ptq.algorithms.stages import Algorithm, BiasCorrecting, Error, FloatRewrite, Refined, Tick, WeightRounding
from halfeven.ptq.best_model import output_errors
from halfeven.ptq.difference import Measure
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Sample

CHECKED = 4  # samples on which a rewritten model is compared with the one before


def rewrite(
    algorithms: Sequence[Algorithm],
    model: ir.Model,
    samples: Sequence[Sample],
    error_on: Callable[[Sequence[Sample]], Error],
) -> tuple[ir.Model, tuple[AlgorithmReport, ...]]:
    """The float model after every :class:`FloatRewrite`.

    One that changes the function on the samples, or whose integer program is farther from it, is undone.

    Parameters
    ----------
    error_on : gives the error of a float model that is made integer from some samples alone.
    """
    reports = []
    for algorithm in algorithms:
        if not isinstance(algorithm, FloatRewrite):
            continue
        given = samples[: algorithm.samples]
        error = error_on(given)
        found = algorithm.rewrite(model, given, error)
        before, after = error(model), error(found.model)
        equality = interop.check_equal(model, found.model, samples[:CHECKED])
        changes, left = found.changes, found.left
        if not equality.equal:
            changes, left = (), (*left, f"all of it was undone: the rewritten model is {equality}")
        elif after > before:
            why = f"SQNR at the outputs {decibels(before)} -> {decibels(after)}"
            changes, left = (), (*left, f"all of it was undone: the integer program is no better, {why}")
        else:
            model = found.model
        reports.append(AlgorithmReport(algorithm.name, options_of(algorithm), changes, left, before, after))
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
