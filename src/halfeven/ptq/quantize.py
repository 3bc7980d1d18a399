"""Post-training quantization: float ONNX and samples in, QDQ ONNX out."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx_ir as ir

from halfeven import interop
from halfeven.errors import ModelError, UnsupportedError
from halfeven.interop import CleanUp, Equality
from halfeven.interop.boundary import Exposed, expose_codes
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Profile, get_profile
from halfeven.ptq.activations import Activations
from halfeven.ptq.algorithms.apply import MOST_JUDGES, refine, rewrite
from halfeven.ptq.algorithms.report import AlgorithmReport, provenance
from halfeven.ptq.algorithms.second_order import SecondOrderRounding
from halfeven.ptq.algorithms.stages import BiasCorrecting, Error, FloatRewrite, Tick, WeightRounding
from halfeven.ptq.best_model import nearest_model, output_errors
from halfeven.ptq.boundary import Edge
from halfeven.ptq.calibrate import Progress, calibrate
from halfeven.ptq.choice import BestModel, BestOf, RangeChoice
from halfeven.ptq.choose_scales import Float, TensorRange, choose_scales
from halfeven.ptq.code_types import Scale
from halfeven.ptq.config import NodeSetting
from halfeven.ptq.data import count_samples, samples
from halfeven.ptq.difference import Measure
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Keeper, Sample, bytes_of
from halfeven.ptq.masks import softmax_reads
from halfeven.ptq.memory import CalibrationMemory, RefiningMemory, calibration_memory, refining_memory
from halfeven.ptq.options import Options, again
from halfeven.ptq.outcome import Outcome, outcome_of
from halfeven.ptq.placement import Placement
from halfeven.ptq.plan import Plan, make_plan
from halfeven.ptq.remarks import remarks_on
from halfeven.ptq.shared_weights import trim_heap
from halfeven.ptq.weights import Widened
from halfeven.ranges import Statistics

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Progress", "PtqResult", "TensorRange", "plan_quantization", "quantize"]

PERCENT = 100
COMPARED = 4  # samples on which models are compared where nothing asks for more


@dataclass(frozen=True, eq=False)
class PtqResult:
    """A quantized model and how it came about.

    Attributes
    ----------
    model : QDQ ONNX, with profile, version and source in its metadata. draft : what it was written from.
    clean_up : the float model it stands for (``clean_up.model``, rewritten by algorithms) and what was simplified.
    equality : of that float model with the original, on the first samples.
    placement : what carries codes. ranges : one row a scale of activations.
    widened : weights whose scale was raised so that the bias fits.
    samples : how many were seen.
    settings : what was asked of each node. warnings : remarks on configuration, boundary and ranges, one line
        each.
    algorithms : what each accuracy algorithm did. memory : that calibration was expected to take.
    outcome : how far the outputs are from the float model's; None where that could not be measured.
    """

    model: ir.Model
    draft: Draft
    clean_up: CleanUp
    equality: Equality
    placement: Placement
    ranges: tuple[TensorRange, ...]
    widened: tuple[Widened, ...]
    samples: int
    settings: tuple[NodeSetting, ...] = ()
    warnings: tuple[str, ...] = ()
    algorithms: tuple[AlgorithmReport, ...] = ()
    memory: CalibrationMemory | None = None
    outcome: Outcome | None = None

    @property
    def params(self) -> dict[str, AffineParams]:
        """Parameters of every activation that carries codes."""
        return {name: row.params for row in self.ranges if not row.reads for name in row.tensors}


@dataclass(frozen=True)
class _Input:
    name: str
    shape: tuple[int | str | None, ...] | None
    dtype: np.dtype[Any]


def quantize(
    model: str | os.PathLike[str] | onnx.ModelProto,
    data: Any,
    *,
    profile: Profile | str = JOURNEY6,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> PtqResult:
    """Clean up, calibrate in one pass, choose ranges, write Q and DQ nodes.

    Parameters
    ----------
    model : a float ONNX file, or a loaded one; opset 9 or later.
    data : samples, in any form of :func:`halfeven.ptq.data.samples`.
    profile : the arithmetic that the model is made for; the file names it.
    progress : called with (samples done, their number or None); samples on which ranges are compared count again, and
        so does each product of each algorithm that looks at it. If it has a method ``begin``, that is called with the
        name of each part, and counts are of that part alone (percents where its things take unequally long). If it has
        a method ``state``, that is called with the :class:`~halfeven.ptq.memory.CalibrationMemory` before calibration.
    options : see :class:`~halfeven.ptq.options.Options`.

    Raises
    ------
    ModelError, DataError, ParameterError, UnsupportedError
        In one line: the node, tensor, file or sample at fault, what was expected, what to do.
    """
    return calibrate_model(model, data, again(options), get_profile(profile), progress).quantize()


def calibrate_model(
    model: str | os.PathLike[str] | onnx.ModelProto,
    data: Any,
    options: Options,
    profile: Profile,
    progress: Progress | None = None,
    *,
    keep: int = 0,
) -> Calibrated:
    """Clean up and calibrate: everything of :func:`quantize` that looks at all samples.

    Parameters
    ----------
    keep : at least so many samples are kept, where there are so many.
    """
    cleaned, plan = plan_quantization(model, **options)
    stream = iter(samples(data, _inputs(cleaned.model)))
    rewrites = [a.samples + MOST_JUDGES for a in plan.algorithms if isinstance(a, FloatRewrite)]
    first = list(islice(stream, max([COMPARED, *rewrites])))
    error_on = partial(_error_on, cleaned, partial(make_plan, original=plan.original, **options), profile)
    rewritten, reports = rewrite(plan.algorithms, cleaned.model, first, error_on)
    if reports:
        cleaned = replace(cleaned, model=rewritten)
        plan = make_plan(rewritten, plan.original, **options)
    equality = interop.check_equal(model, cleaned.model, first[:COMPARED])
    known = count_samples(data, _inputs(cleaned.model)) if progress else None
    seen = _see(cleaned, plan, first, stream, _Count(progress, known), keep)
    return Calibrated(model, options, cleaned, plan, equality, seen, reports, profile)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A cleaned-up model and what the samples showed; it can be quantized in several ways without seeing them again.

    Attributes
    ----------
    source, options, profile : what was given. plan : what was asked for. rewrites : what algorithms did to the graph.
    """

    source: str | os.PathLike[str] | onnx.ModelProto
    options: Options
    cleaned: CleanUp
    plan: Plan
    equality: Equality
    seen: Seen
    rewrites: tuple[AlgorithmReport, ...]
    profile: Profile
    _known: dict[tuple[Scale, ...], tuple[TensorRange, ...]] = field(default_factory=dict, repr=False)

    def plan_with(self, config: Mapping[str, Any]) -> Plan:
        """The plan for another configuration of types."""
        options: Options = {**self.options, "config": config}
        return make_plan(self.cleaned.model, self.plan.original, **options)

    def draft(self, plan: Plan) -> tuple[Draft, tuple[TensorRange, ...]]:
        """Every scale chosen, by a plan with the same placement and choice of ranges; no algorithm has acted.

        A scale depends on no other but those of the same tensors, so what was chosen once is known.
        """
        if isinstance(plan.choice, BestModel):
            ranges = _ranges(self.cleaned, plan, self.seen, self.profile)
        else:
            ranges = self._by_group(plan)
        return _draft(self.cleaned, plan, ranges, self.profile), ranges

    def _by_group(self, plan: Plan) -> tuple[TensorRange, ...]:
        by_group: dict[tuple[str, ...], list[Scale]] = {}
        for scale in plan.types.scales:
            by_group.setdefault(scale.group.tensors, []).append(scale)
        keys = [tuple(scales) for scales in by_group.values()]
        new = [key for key in keys if key not in self._known]
        if new:
            types = replace(plan.types, scales=tuple(scale for key in new for scale in key))
            rows = iter(_ranges(self.cleaned, replace(plan, types=types), self.seen, self.profile))
            self._known.update({key: tuple(islice(rows, len(key))) for key in new})
        return tuple(row for key in keys for row in self._known[key])

    def write(self, draft: Draft, reports: Sequence[AlgorithmReport] = ()) -> ir.Model:
        """The QDQ model, with what its file says of itself."""
        made = draft.write()
        _sign(made, self.source, self.profile, reports)
        return made

    @staticmethod
    def _exposed(model: ir.Model, plan: Plan) -> Exposed:
        """The model with codes at the edges where that was asked for; of all edges, where they carry any."""
        names = {name for name, edge in plan.edges.items() if edge is Edge.CODES}
        ports = {str(v.name) for v in (*model.graph.inputs, *model.graph.outputs)}
        if not names:
            return Exposed(model, ())
        return expose_codes(model, None if names == ports else names)

    def quantize(self, plan: Plan | None = None, tick: Tick | None = None) -> PtqResult:
        """The quantized model, by the plan that was asked for or another one; ``tick`` counts what algorithms do."""
        plan = self.plan if plan is None else plan
        first, ranges = self.draft(plan)
        told = (self.seen.count.tick, self.seen.count) if tick is None else (tick, None)
        draft, refined = refine(plan.algorithms, first, self.seen.kept, *told)
        reports = (*self.rewrites, *refined)
        outcome = outcome_of(draft, refined, self.seen.kept, COMPARED)
        exposed = self._exposed(self.write(draft, reports), plan)
        remarks = remarks_on(ranges, plan.placement.products, draft.arrays, self.seen.samples)
        return PtqResult(
            exposed.model,
            draft,
            self.cleaned,
            self.equality,
            plan.placement,
            ranges,
            draft.constants.widened,
            self.seen.samples,
            plan.settings,
            (*plan.warnings, *exposed.remarks, *remarks, *([] if outcome is None else outcome.remarks)),
            reports,
            self.seen.memory,
            outcome,
        )


def plan_quantization(
    model: str | os.PathLike[str] | onnx.ModelProto, **options: Unpack[Options]
) -> tuple[CleanUp, Plan]:
    """The cleaned-up model and what :func:`quantize` would do to it; print the plan to see every node's setting."""
    read = _read_float(model)
    cleaned = interop.clean_up(read)
    original = {str(node.name) for node in read.graph}
    del read
    gc.collect()  # graphs are circles; behind them lie the file's messages and the weights that were folded
    trim_heap()
    plan = make_plan(cleaned.model, original, **options)
    _check_some_integer(plan.placement, model)
    return cleaned, plan


def described_plan(model: str | os.PathLike[str] | onnx.ModelProto, **options: Unpack[Options]) -> Plan:
    """:func:`plan_quantization` with the memory that it is expected to take, to be printed."""
    cleaned, plan = plan_quantization(model, **options)
    return replace(plan, memory=_memory_of_declared(cleaned.model, plan))


def _error_on(
    cleaned: CleanUp,
    plan_of: Callable[[ir.Model], Plan],
    profile: Profile,
    few: Sequence[Sample],
    judges: Sequence[Sample],
) -> Error:
    """The error at the outputs of float models that are made integer from a few samples, measured on the judges."""

    def error(model: ir.Model) -> float:
        tried, plan = replace(cleaned, model=model), plan_of(model)
        statistics, found = calibrate(model, plan.placement.observed, few, kind=plan.choice.statistics)
        seen = Seen(statistics, few, found, _Count(None, None))
        draft = _draft(tried, plan, _ranges(tried, plan, seen, profile), profile)
        return output_errors(model, [draft.write()], judges, profile, Measure.SQNR)[0]

    return error


class _Count:
    """What is done of what there is to do; ``known``: the number of samples, where it is known.

    A listener that has a method ``begin`` is told of each part by its name, and what is done of that part; any other
    gets one count of everything.
    """

    def __init__(self, progress: Progress | None, known: int | None) -> None:
        self._progress, self.known = progress, known
        self._done, self._total = 0, known
        self._begin: Callable[[str], object] | None = getattr(progress, "begin", None)
        self._works: list[float] | None = None  # of the part, up to each of its things

    def plan(self, again: int, other: int) -> None:
        """Of the samples ``again`` are looked at twice at most; ``other`` is work that is not samples."""
        if self.known is not None and self._begin is None:
            self._total = self.known + min(self.known, again) + other

    def part(self, label: str, works: Sequence[float] | None) -> None:
        """One begins, with so many things to do: how long each takes beside the others; None where that is unknown."""
        if self._begin is not None:
            uneven = works is not None and len(set(works)) > 1
            self._begin(f"{label} (%)" if uneven else label)
            self._done, self._works = 0, None
            self._total = None if works is None else len(works)
            if works and uneven:
                self._works, self._total = list(accumulate(works)), PERCENT

    def state(self, memory: CalibrationMemory | RefiningMemory) -> None:
        """Say what is about to be needed, to a caller who listens."""
        tell = getattr(self._progress, "state", None)
        if tell is not None:
            tell(memory)

    def end(self) -> None:
        """Nothing more is told: what follows is counted elsewhere."""
        self._progress, self._begin = None, None

    def tick(self, *_done: object) -> None:
        """One more."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._so_far(), self._total)

    def step(self, *_done: object) -> None:
        """One more of a part that a single count does without."""
        if self._begin is not None:
            self.tick()

    def _so_far(self) -> int:
        if not self._works:
            return self._done
        return round(PERCENT * self._works[min(self._done, len(self._works)) - 1] / self._works[-1])


@dataclass(frozen=True, eq=False)
class Seen:
    """What the samples showed, how many they were, those that were kept, and the memory that was expected."""

    statistics: Mapping[str, Statistics]
    kept: Sequence[Sample]
    samples: int
    count: _Count
    memory: CalibrationMemory | None = None


def _see(
    cleaned: CleanUp, plan: Plan, first: Sequence[Sample], rest: Iterable[Sample], count: _Count, keep: int
) -> Seen:
    """Calibrate on the first samples, which have been read, and on the rest."""
    again, refining = _samples_of(plan.choice), _refining(plan)
    count.plan(again, len(refining) * len(plan.placement.products))
    keeper = _keeper(plan, keep)
    largest = max(first, key=bytes_of)
    shapes = {name: array.shape for name, array in largest.items()}
    memory, then = _expected_memory(cleaned.model, plan, shapes, keeper.expected_bytes(largest), count.known)
    count.state(memory)
    if then is not None:
        count.state(then)
    softmax = softmax_reads(cleaned.model, plan.placement, plan.types.levels)
    tensors, kind = {*plan.placement.observed, *softmax}, plan.choice.statistics
    count.part("calibrating", None if count.known is None else [1.0] * count.known)
    seen, found = calibrate(
        cleaned.model, tensors, keeper.watch(chain(first, rest)), count.tick, kind=kind, softmax=softmax
    )
    return Seen(seen, keeper.samples, found, count, memory)


def _keeper(plan: Plan, keep: int = 0) -> Keeper:
    """Of as many samples as something will look at again."""
    return Keeper(max([COMPARED, keep, _samples_of(plan.choice), *(a.samples + MOST_JUDGES for a in _refining(plan))]))


def _refining(plan: Plan) -> list[WeightRounding | BiasCorrecting]:
    return [a for a in plan.algorithms if isinstance(a, (WeightRounding, BiasCorrecting))]


def _expected_memory(
    model: ir.Model, plan: Plan, shapes: Mapping[str, Sequence[int]], kept_bytes: int, known: int | None = None
) -> tuple[CalibrationMemory, RefiningMemory | None]:
    """Of calibration, and of algorithms on codes where there are any, for ``known`` samples of these shapes."""
    tensors = {*plan.placement.observed, *softmax_reads(model, plan.placement, plan.types.levels)}
    calibrating = calibration_memory(model, tensors, shapes, kind=plan.choice.statistics, kept_bytes=kept_bytes)
    refining, products = _refining(plan), plan.placement.products
    if not refining or not products:
        return calibrating, None
    nodes, weights = {str(node.name): node for node in model.graph}, model.graph.initializers
    rounded = [
        (weights[p.weight].shape.numpy(), p.axis, nodes[p.node].attributes.get_int("group", 1))
        for p in products
        if p.weight in weights and any(isinstance(a, SecondOrderRounding) for a in refining)
    ]
    looked_at = {a.name: a.samples if known is None else min(a.samples, known) for a in refining}
    return calibrating, refining_memory(model, shapes, rounded, looked_at)


def _memory_of_declared(model: ir.Model, plan: Plan) -> tuple[str, ...]:
    """For one sample of the shapes that the model itself declares; nothing where more than the batch is open."""
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = _inputs(model)
    for one in inputs:
        batch, *others = one.shape or (None, None)
        if not all(isinstance(size, int) for size in others):
            return ()
        shapes[one.name] = (batch if isinstance(batch, int) else 1, *(int(size or 0) for size in others))
    sample = {one.name: np.broadcast_to(np.zeros((), one.dtype), shapes[one.name]) for one in inputs}
    keeper = _keeper(plan)
    return tuple(str(part) for part in _expected_memory(model, plan, shapes, keeper.expected_bytes(sample)) if part)


def _samples_of(choice: RangeChoice) -> int:
    return choice.samples if isinstance(choice, (BestOf, BestModel)) else 0


def _ranges(cleaned: CleanUp, plan: Plan, seen: Seen, profile: Profile) -> tuple[TensorRange, ...]:
    choice, kept = plan.choice, seen.kept[: _samples_of(plan.choice)]
    if kept:
        seen.count.part("comparing ranges", [1.0] * len(kept))
    measured_on = Float(cleaned.model, plan.placement, kept, profile, seen.count.tick)
    if not isinstance(choice, BestModel):
        return choose_scales(plan.types.scales, seen.statistics, choice, measured_on)
    options = [BestOf((candidate,)) for candidate in choice.candidates]
    found = [choose_scales(plan.types.scales, seen.statistics, option, measured_on) for option in options]
    made = [_draft(cleaned, plan, ranges, profile).write() for ranges in found]
    return found[nearest_model(cleaned.model, made, kept, profile, choice.measure, seen.count.tick)]


def _draft(cleaned: CleanUp, plan: Plan, ranges: Sequence[TensorRange], profile: Profile) -> Draft:
    return Draft(cleaned.model, plan.placement, plan.types, Activations.of(ranges), profile)


def _read_float(model: str | os.PathLike[str] | onnx.ModelProto) -> ir.Model:
    read = interop.read_model(model)
    quantized = next((n for n in read.graph if n.op_type in ("QuantizeLinear", "DequantizeLinear")), None)
    if quantized is not None:
        raise ModelError(
            f"{_label(model)}: is quantized already (node '{quantized.name}', {quantized.op_type}): a float model was "
            "expected, load this one instead",
            source=_label(model),
            node=quantized.name,
        )
    return read


def _label(model: str | os.PathLike[str] | onnx.ModelProto) -> str:
    return "the given model" if isinstance(model, onnx.ModelProto) else os.fspath(model)


def _check_some_integer(placement: Placement, model: str | os.PathLike[str] | onnx.ModelProto) -> None:
    if placement.groups:
        return
    names = [node.name for node in placement.float_nodes]
    why = "; ".join(f"{n.operator} '{n.name}': {n.reason}" for n in placement.float_nodes[:3])
    raise UnsupportedError(
        f"{_label(model)}: nothing in it can be quantized ({why or 'it computes no real numbers'}): mend that, or "
        "use the float model",
        nodes=names,
    )


def _inputs(model: ir.Model) -> tuple[_Input, ...]:
    return tuple(_Input(p.name, p.shape, np.dtype(p.dtype)) for p in interop.describe(model).inputs)


def _sign(
    made: ir.Model,
    model: str | os.PathLike[str] | onnx.ModelProto,
    profile: Profile,
    reports: Sequence[AlgorithmReport],
) -> None:
    source = None if isinstance(model, onnx.ModelProto) else interop.source_of(model)
    algorithms = provenance(reports) if any(report.changes for report in reports) else None
    interop.sign(made)
    interop.set_metadata(
        made, profile=profile.name, version=interop.producer_version(), source=source, algorithms=algorithms
    )
