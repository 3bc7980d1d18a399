"""Run the algorithms of a stage one after the other, and measure what each was worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import onnx_ir as ir

from halfeven import interop
from halfeven.errors import HalfevenError
from halfeven.ptq.algorithms.report import UNDONE, AlgorithmReport, options_of
from halfeven.ptq.algorithms.stages import (
    Algorithm,
    BiasCorrecting,
    Error,
    FloatRewrite,
    Parts,
    Refined,
    Tick,
    Uneven,
    WeightRounding,
)
from halfeven.ptq.algorithms.walk import fitting
from halfeven.ptq.best_model import output_errors
from halfeven.ptq.difference import Measure
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Sample

CHECKED = 4  # samples on which a rewritten model is compared with the one before
PER_JUDGE = 4  # of so many samples one judges what the others have taught
MOST_JUDGES = 32
NO_NEARER = f"{UNDONE}it is kept only where the outputs come half a decibel nearer"
ENOUGH = 10**-0.05  # of the error is left, or less: gains below half a decibel are luck of the samples that judge


def rewrite(
    algorithms: Sequence[Algorithm],
    model: ir.Model,
    samples: Sequence[Sample],
    error_on: Callable[[Sequence[Sample], Sequence[Sample]], Error],
) -> tuple[ir.Model, tuple[AlgorithmReport, ...]]:
    """The float model after every :class:`FloatRewrite`.

    One that changes the function is undone, and so is one whose integer program's outputs do not come half a decibel
    nearer to the float model's on samples that are held back: no rewrite sees them.

    Parameters
    ----------
    error_on : gives the error of a float model that is made integer from some samples alone, on others.
    """
    reports = []
    for algorithm in algorithms:
        if not isinstance(algorithm, FloatRewrite):
            continue
        if len(samples) < PER_JUDGE:
            reports.append(AlgorithmReport(algorithm.name, options_of(algorithm), (), (_too_few(samples),)))
            continue
        others, judges = held_back(samples[: algorithm.samples + MOST_JUDGES])
        taught = others[: max(algorithm.samples, 1)]
        judged = error_on(taught, judges)
        found = algorithm.rewrite(model, taught, error_on(taught, taught))
        before = judged(model)
        after = judged(found.model) if found.changes else before
        equality = interop.check_equal(model, found.model, samples[:CHECKED])
        changes, left = found.changes, found.left
        if not equality.equal:
            left = (*left, f"{UNDONE}the rewritten model is {equality}")
        elif found.changes and not after <= before * ENOUGH:
            left = (*left, NO_NEARER)
        else:
            model = found.model if found.changes else model
        undone = len(left) > len(found.left)
        counts = (len(taught), len(judges))
        changes = () if undone else changes
        reports.append(
            AlgorithmReport(algorithm.name, options_of(algorithm), changes, left, before, after, undone, *counts)
        )
    return model, tuple(reports)


def refine(
    algorithms: Sequence[Algorithm],
    draft: Draft,
    samples: Sequence[Sample],
    tick: Tick,
    parts: Parts | None = None,
) -> tuple[Draft, tuple[AlgorithmReport, ...]]:
    """The draft after every :class:`WeightRounding`, then every :class:`BiasCorrecting`.

    A step stays only if the integer program's outputs come half a decibel nearer to the float model's on samples that
    are held back: no algorithm sees them. ``parts`` is told what goes on: each algorithm, and each look at its result.
    """
    steps = [(a, step) for a in algorithms if (step := _step(a)) is not None]
    if not steps:
        return draft, ()
    taught, judges = held_back(samples)
    why_not = _why_not(draft, samples)
    if why_not is not None:
        for _ in range(len(steps) * len(draft.placement.products)):
            tick()
        return draft, tuple(AlgorithmReport(a.name, options_of(a), (), (why_not,)) for a, _ in steps)
    error, reports = _error(draft, judges, parts), []
    for algorithm, step in steps:
        if parts is not None:
            parts.part(algorithm.name.replace("-", " "), _works(algorithm, draft))
        found, given = _acted(step, draft, taught[: algorithm.samples], tick)
        after = error if found.draft is draft else _error(found.draft, judges, parts)
        undone = found.draft is not draft and not after <= error * ENOUGH
        left = (*found.left, *([NO_NEARER] if undone else []))
        changes = () if undone else found.changes
        options, counts = options_of(algorithm), (given, len(judges))
        reports.append(AlgorithmReport(algorithm.name, options, changes, left, error, after, undone, *counts))
        if not undone:
            draft, error = found.draft, after
    return draft, tuple(reports)


def _acted(
    step: Callable[[Draft, Sequence[Sample], Tick], Refined], draft: Draft, samples: Sequence[Sample], tick: Tick
) -> tuple[Refined, int]:
    """What a step made of the draft, and of how many samples: as many as a walk can hold.

    A model that quantizes but cannot be walked block by block is left as it is: accuracy is asked for, not needed.
    """
    try:
        given = fitting(draft, samples)
        return step(draft, given, tick), len(given)
    except HalfevenError as reason:
        return Refined(draft, (), (f"it cannot act on this model: {reason}",)), 0


def held_back(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Samples that algorithms learn from, and those that judge: the last quarter, :data:`MOST_JUDGES` at most."""
    judges = min(len(samples) // PER_JUDGE, MOST_JUDGES)
    return samples[: len(samples) - judges], samples[len(samples) - judges :]


def _why_not(draft: Draft, samples: Sequence[Sample]) -> str | None:
    """Why nothing can be refined."""
    if not draft.placement.products:
        return "there are no weights with codes"
    if len(samples) < PER_JUDGE:
        return _too_few(samples)
    return None


def _too_few(samples: Sequence[Sample]) -> str:
    return f"{PER_JUDGE} or more different samples were expected, one of which judges, and there are {len(samples)}"


def _works(algorithm: Algorithm, draft: Draft) -> Sequence[float]:
    """Of each product beside the others."""
    return algorithm.works(draft) if isinstance(algorithm, Uneven) else [1.0] * len(draft.placement.products)


def _error(draft: Draft, judges: Sequence[Sample], parts: Parts | None) -> float:
    measure = partial(output_errors, draft.model, [draft.write()], judges, draft.profile, Measure.SQNR)
    if parts is None:
        return measure()[0]
    parts.part("comparing outputs", [1.0] * len(judges))
    return measure(parts.step)[0]


def _step(algorithm: Algorithm) -> Callable[[Draft, Sequence[Sample], Tick], Refined] | None:
    if isinstance(algorithm, WeightRounding):
        return algorithm.round_weights
    if isinstance(algorithm, BiasCorrecting):
        return algorithm.correct_biases
    return None
