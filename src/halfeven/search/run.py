"""Mixed precision: calibrate once, rank by sensitivity, judge candidates in integers, keep the best at any time."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.execute.run import native_backend, run_program
from halfeven.interop import to_bytes
from halfeven.ir.instructions import results
from halfeven.ir.program import Program
from halfeven.lower import lower
from halfeven.numerics.profile import JOURNEY6, Profile, get_profile
from halfeven.numerics.qtype import QType, get_qtype, int4, int8
from halfeven.ptq.algorithms.report import AlgorithmReport, Change, options_of
from halfeven.ptq.algorithms.stages import BiasCorrecting, WeightRounding
from halfeven.ptq.calibrate import Progress
from halfeven.ptq.choice import BestModel
from halfeven.ptq.config import read_config
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Sample
from halfeven.ptq.options import Config, Options, again
from halfeven.ptq.placement import Product
from halfeven.ptq.plan import make_plan
from halfeven.ptq.quantize import Calibrated, PtqResult, calibrate_model
from halfeven.ptq.segments import tap
from halfeven.report.layers import pair
from halfeven.report.sensitivity.found import Sensitivity, Trial
from halfeven.report.sensitivity.measure import measure
from halfeven.search.finish import Finish, Finished
from halfeven.search.found import Judged, MixedPrecisionResult
from halfeven.search.judge import Judge
from halfeven.search.knobs import Knob, knobs_of
from halfeven.search.settings import MixedPrecision
from halfeven.search.steps import cost_of, holds, order_of, to_floor, to_limits, within

if TYPE_CHECKING:
    from typing_extensions import Unpack

Array = NDArray[Any]
Begin = Callable[[str], object]
RANKED_ON = 8  # samples: the order is a guess, the judge is not
RELAXED = 2  # searches for a model that its algorithms bring to the floor, before one that reaches it without
WORTH = 10**0.05  # half a decibel: what less is gained is within the noise of the samples
FINER = 256.0  # int8 steps are a sixteenth of int4's, their error's energy that squared


def mixed_precision(
    model: str | os.PathLike[str] | onnx.ModelProto,
    data: Any,
    settings: MixedPrecision,
    *,
    profile: Profile | str = JOURNEY6,
    progress: Progress | None = None,
    begin: Begin = lambda _label: None,
    **options: Unpack[Options],
) -> tuple[PtqResult, MixedPrecisionResult]:
    """Quantize with the fewest bits that do, or the best that the limits allow.

    Activations are int8 or int16, one choice for each scale; weights int8 or int16, with ``weights="int4"`` also int4.
    What a configuration says of a node stays. Candidates are made without accuracy algorithms that act on codes; the
    model taken has them, and may miss the floor without them by as much as they have been seen to gain.

    Ctrl-C, or the end of ``settings.seconds``, ends the search: the best model so far is returned, from the first one
    judged on. Without an end in time, equal data give equal models.

    Parameters
    ----------
    progress : called with (done, total) of the part that ``begin`` has announced.
    options : see :class:`~halfeven.ptq.options.Options`.

    Raises
    ------
    ModelError, DataError, ParameterError, UnsupportedError
        In one line each.
    """
    given, narrowest = _given(options.get("config")), _narrowest_weight(options)
    asked: Options = {**again(options), "activations": int8, "weights": int8, "config": given}
    if options.get("weight_group") is not None:
        raise ParameterError("mixed precision has one scale a channel: leave the weight group out")
    begin("calibrating")
    deadline = None if settings.seconds is None else time.monotonic() + settings.seconds
    calibrated = calibrate_model(model, data, asked, get_profile(profile), progress, keep=settings.samples)
    if isinstance(calibrated.plan.choice, BestModel):
        raise ParameterError("mixed precision chooses ranges for each tensor: leave modelwise_search and lists out")
    added = _added_by_algorithms(calibrated)
    limit = None if settings.max_bytes is None else max(1, settings.max_bytes - added)
    candidates = replace(settings, max_bytes=limit)
    return _Search(calibrated, settings, candidates, given, narrowest, deadline, progress, begin).run()


def _added_by_algorithms(calibrated: Calibrated) -> int:
    """Bytes at most that the model taken has more than the candidates: biases for all products, and their mention."""
    if not calibrated.plan.algorithms:
        return 0
    draft, _ = calibrated.draft(calibrated.plan)
    reports = [AlgorithmReport(a.name, options_of(a), (Change("", ""),)) for a in calibrated.plan.algorithms]
    if any(isinstance(a, (WeightRounding, BiasCorrecting)) for a in calibrated.plan.algorithms):
        biases = {p: np.zeros(_channels(p, draft), np.float32) for p in draft.placement.products if p.bias is None}
        fuller = draft.with_biases(biases)
    else:
        fuller = draft
    return len(to_bytes(calibrated.write(fuller, reports))) - len(to_bytes(calibrated.write(draft)))


def _channels(product: Product, draft: Draft) -> int:
    return int(draft.arrays[product.weight].shape[product.axis]) * product.group


def _given(config: Config | None) -> dict[str, Any]:
    """What a configuration says, as it stands; it is read and checked with the model."""
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return dict(config)
    read_config(config)
    loaded: dict[str, Any] = json.loads(Path(config).read_bytes().decode("utf-8-sig"))
    return loaded


def _narrowest_weight(options: Options) -> QType:
    activations, weights = get_qtype(options.get("activations", int8)), get_qtype(options.get("weights", int8))
    if activations is not int8:
        raise ParameterError(
            f"mixed precision chooses between int8 and int16: leave activations at int8, not {activations}"
        )
    if weights not in (int4, int8):
        raise ParameterError(
            f"mixed precision takes weights int8, or int4 to choose between int4 and int8, not {weights}"
        )
    return weights


class _Search:
    """One search; what it has judged grows, and the best of it can be asked for at any time."""

    def __init__(
        self,
        calibrated: Calibrated,
        asked: MixedPrecision,
        settings: MixedPrecision,
        config: Mapping[str, Any],
        weights: QType,
        deadline: float | None,
        progress: Progress | None,
        begin: Begin,
    ) -> None:
        self._calibrated, self._asked, self._settings, self._deadline = calibrated, asked, settings, deadline
        self._progress, self._begin = progress, begin
        self._samples = calibrated.seen.kept[-settings.samples :]  # the last: algorithms learn from others
        calibrated.seen.count.end()
        self._expected = _float_outputs(calibrated, self._samples)
        options: Options = {**calibrated.options, "config": config, "weights": weights}
        self._narrow = make_plan(calibrated.cleaned.model, calibrated.plan.original, **options)
        self._model = calibrated.draft(self._narrow)[0].write()
        self._program = lower(self._model, calibrated.profile)
        shapes = _shapes(self._program, calibrated, self._samples[0])
        self._knobs = knobs_of(self._narrow, self._program, shapes, config, wide_weights=settings.wide_weights)
        self._judge = Judge(calibrated, self._knobs, self._samples, self._expected, settings.measure)
        self._finish = Finish(calibrated, self._knobs, self._judge, self._reaches, progress)
        self._sensitivity: Sensitivity | None = None
        self._order: list[Knob] | None = None

    def run(self) -> tuple[PtqResult, MixedPrecisionResult]:
        """Search until there is nothing more to try, the time is over, or somebody stops it."""
        base, narrow = self._judge(()), None
        if self._settings.most_error is not None and not self._reaches(base) and self._finish.changes_models:
            begun = time.monotonic()
            narrow = self._finished(base)
            if self._reaches(narrow.judged):
                ended = "with accuracy algorithms nothing needs more bits"
                return narrow.result, self._result(base, base, narrow, ended, interrupted=False)
            if narrow.interrupted:
                return narrow.result, self._result(base, base, narrow, "before the search", interrupted=True)
            if self._deadline is not None:
                self._deadline += time.monotonic() - begun  # it is the search's
        ended, interrupted = "the search came to its end", False
        try:
            if narrow is not None and (found := self._with_algorithms(base, narrow)) is not None:
                candidate, made = found
                ended = "with accuracy algorithms these bits are enough"
                return made.result, self._result(base, candidate, made, ended, interrupted=False)
            self._walk(base, self._settings.most_error)
        except _TimeIsOver:
            ended = f"the time of {self._settings.seconds:g} s was over"
        except KeyboardInterrupt:
            ended, interrupted = "it was interrupted: the best model so far is taken", True
        best = self._best(base, self._settings.most_error)
        finished = narrow if narrow is not None and best is base else self._finished(best)
        return finished.result, self._result(
            base, best, finished, ended, interrupted=interrupted or finished.interrupted
        )

    def _finished(self, candidate: Judged) -> Finished:
        if self._finish.changes_models:
            self._begin("accuracy algorithms")
        return self._finish(candidate)

    def _reaches(self, judged: Judged) -> bool:
        most = self._asked.most_error
        return (most is None or judged.error <= most) and holds(judged, self._asked)

    def _with_algorithms(self, base: Judged, narrow: Finished) -> tuple[Judged, Finished] | None:
        """A model that reaches the floor with its algorithms, though not without them; None where none is found.

        What they gain on the narrowest model is what the search may miss the floor by. Where they gain less on the
        model that it finds, it searches once more with that.
        """
        most, gain = self._settings.most_error, _gain(base, narrow)
        for _ in range(RELAXED):
            if most is None or not WORTH <= gain < math.inf:
                return None
            self._walk(base, most * gain)
            candidate = self._best(base, most * gain)
            if not most < candidate.error <= most * gain:
                return None
            made = self._finished(candidate)
            if made.interrupted:
                raise KeyboardInterrupt
            if self._reaches(made.judged):
                return candidate, made
            self._check_time()
            gain = min(_gain(candidate, made), math.sqrt(gain))
        return None

    def _walk(self, base: Judged, most: float | None) -> None:
        for count, _ in enumerate(self._steps(base, most)):
            self._tick(count)

    def _steps(self, base: Judged, most: float | None) -> Iterator[None]:
        settings, knobs = self._settings, self._knobs
        if not knobs.knobs or (most is not None and base.error <= most):
            return
        if self._order is None:
            self._order = order_of(knobs, self._gains(), base.size_bytes)
        order = self._order
        self._begin("judging models")
        if most is None:
            yield from to_limits(self._judge, knobs, order, settings, base)
        else:
            yield from to_floor(self._judge, within(knobs, order, settings, base), most)

    def _gains(self) -> dict[Knob, float]:
        """The error at the outputs that each knob's narrow codes make alone: what is gained by more bits."""
        self._begin("sensitivity")
        pairing = pair(self._program, self._model.graph, ir.to_proto(self._calibrated.cleaned.model))
        trials = [t for t, some in ((Trial.ACTIVATION, False), (Trial.WEIGHT, True)) if self._some(weights=some)]
        found = measure(
            self._program, self._model, pairing, self._samples[:RANKED_ON], trials=trials, progress=self._pass_on
        )
        self._sensitivity = found
        if found.interrupted:
            raise KeyboardInterrupt
        by_tensor = {layer.name: layer.error(Trial.ACTIVATION) or 0.0 for layer in found.layers}
        by_node = {layer.node: layer.error(Trial.WEIGHT) or 0.0 for layer in found.layers}
        four_bits = {k.label for k in self._knobs.knobs if k.narrow is int4}

        def gain(knob: Knob) -> float:
            if not knob.is_weight:
                return sum(by_tensor.get(t, 0.0) for t in knob.tensors)
            measured = by_node.get(knob.label, 0.0)
            return measured / FINER if knob.narrow is int8 and knob.label in four_bits else measured

        return {knob: gain(knob) for knob in self._knobs.knobs}

    def _some(self, *, weights: bool) -> bool:
        return any(knob.is_weight == weights for knob in self._knobs.knobs)

    def _pass_on(self, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(done, total)
        self._check_time()

    def _tick(self, count: int) -> None:
        if self._progress is not None:
            self._progress(count, None)
        self._check_time()

    def _check_time(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise _TimeIsOver

    def _result(
        self, base: Judged, candidate: Judged, finished: Finished, ended: str, *, interrupted: bool
    ) -> MixedPrecisionResult:
        whole = frozenset(within(self._knobs, self._knobs.knobs, self._settings, base))
        return MixedPrecisionResult(
            config=self._knobs.config_of(candidate.wide),
            best=finished.judged,
            candidate=candidate,
            narrowest=base,
            widest=self._judge.known.get(whole),
            judged=tuple(self._judge.known.values()),
            knobs=len(self._knobs.knobs),
            measure=self._settings.measure,
            reached=self._reaches(finished.judged),
            ended="; ".join(text for text in (ended, finished.remark) if text),
            interrupted=interrupted,
            sensitivity=self._sensitivity,
        )

    def _best(self, base: Judged, most: float | None) -> Judged:
        """The cheapest that reaches the floor; where there is none, the most accurate within the limits."""
        allowed = [j for j in self._judge.known.values() if j is base or holds(j, self._settings)]
        good = [j for j in allowed if most is not None and j.error <= most]
        if good:
            return min(good, key=lambda j: cost_of(self._knobs, j, base))
        return min(allowed, key=lambda j: j.error)


def _gain(candidate: Judged, made: Finished) -> float:
    """How many times less error it has with its algorithms."""
    return candidate.error / made.judged.error if made.judged.error > 0 else math.inf


class _TimeIsOver(Exception):  # noqa: N818
    """The search's time."""


def _float_outputs(calibrated: Calibrated, samples: Sequence[Sample]) -> list[dict[str, Array]]:
    model = calibrated.cleaned.model
    outputs = [str(v.name) for v in model.graph.outputs]
    tapped, found = tap(model, outputs), []
    for sample in samples:
        expected: dict[str, Array] = {}
        tapped.run(sample, expected.__setitem__)
        found.append(expected)
    return found


def _shapes(program: Program, calibrated: Calibrated, sample: Sample) -> dict[str, tuple[int, ...]]:
    """Of every tensor that carries codes, for inputs of the sample's size, by its name in either model."""
    names = [name for i in program for name in results(i)]
    found = {name: a.shape for name, a in run_program(program, dict(sample), names, native_backend()).items()}
    found |= {name: a.shape for name, a in sample.items()}

    def see(name: str, array: Array) -> None:
        found[name] = array.shape

    tap(calibrated.cleaned.model, calibrated.plan.placement.tensors).run(sample, see)
    return found
