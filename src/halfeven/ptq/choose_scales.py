"""Statistics of tensors -> the range and the parameters of every scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import onnx_ir as ir

from halfeven.numerics.params import AffineParams, choose_params
from halfeven.numerics.profile import Profile
from halfeven.ptq.choice import BestOf, Candidate
from halfeven.ptq.code_types import Scale
from halfeven.ptq.difference import Difference, Measure
from halfeven.ptq.groups import MOVING
from halfeven.ptq.keep import Sample
from halfeven.ptq.masks import EVERYTHING, complemented, limits_of_groups, narrowed, softmax_reads, watched
from halfeven.ptq.placement import Group, Placement
from halfeven.ptq.readers import Trial, measure
from halfeven.ranges import Codes, Fixed, Histogram, Method, Range, Statistics, choose_range
from halfeven.ranges.mse import expected_error


@dataclass(frozen=True)
class TensorRange:
    """One scale: what was seen of the tensors that share it, and what was chosen.

    Attributes
    ----------
    lo, hi : the chosen range. method : by which.
    seen_lo, seen_hi : of the finite values seen. infinite : how many infinities were seen; they set no range.
    reads : (block's operator, tensor) of the blocks that read these codes, where the tensors have wider ones; empty for
        the tensors' own codes.
    """

    tensors: tuple[str, ...]
    lo: float
    hi: float
    seen_lo: float
    seen_hi: float
    infinite: int
    params: AffineParams
    method: str = "max"
    reads: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Float:
    """The float model, where its codes will be, and samples to measure on."""

    model: ir.Model
    placement: Placement
    samples: Sequence[Sample]
    profile: Profile
    progress: Callable[[int], object] = lambda _done: None


@dataclass(frozen=True)
class _Tried:
    """A candidate for one scale."""

    candidate: Candidate
    lo: float
    hi: float
    params: AffineParams


def choose_scales(
    scales: Sequence[Scale], seen: Mapping[str, Statistics], choice: Method | BestOf, model: Float
) -> tuple[TensorRange, ...]:
    """One row a scale, in their order.

    Raises
    ------
    ModelError
        If the float model cannot run on a sample.
    """
    levels = {name: k.codes.qtype.levels for k in scales if k.reads is None for name in k.group.tensors}
    softmax = softmax_reads(model.model, model.placement, levels)
    together = [reduce(lambda a, b: a.merge(b), _statistics(scale, seen, softmax)) for scale in scales]
    ranges = {n: (s.lo, s.hi) for k, s in zip(scales, together, strict=True) if s.count for n in k.group.tensors}
    limits = limits_of_groups(model.model, model.placement, ranges)
    candidates = (Candidate(choice),) if not isinstance(choice, BestOf) else choice.candidates
    ends = complemented(model.model, model.placement, ranges)
    tried = [
        _tried(k, s, candidates, limits.get(k.group, EVERYTHING), ends.get(k.group))
        for k, s in zip(scales, together, strict=True)
    ]
    masked = {k.group for k in scales if k.group in limits or {*k.group.tensors} & softmax.keys()}
    best = _best(scales, together, tried, choice, model, masked) if isinstance(choice, BestOf) else [0] * len(scales)
    rows = zip(scales, together, tried, best, strict=True)
    return tuple(_row(scale, statistics, options[k]) for scale, statistics, options, k in rows)


def _statistics(scale: Scale, seen: Mapping[str, Statistics], softmax: Collection[str]) -> list[Any]:
    return [seen[name] for name in watched(scale.group, softmax)]


def _tried(
    scale: Scale, statistics: Statistics, candidates: Sequence[Candidate], limit: Range, end: float | None
) -> list[_Tried]:
    """The candidates whose parameters are no earlier one's; ``end``: what must have a code, see complemented."""
    found: dict[AffineParams, _Tried] = {}
    for candidate in candidates:
        if scale.codes.qtype.bits > candidate.most_bits:
            continue
        symmetric = scale.codes.symmetric if candidate.symmetric is None else candidate.symmetric
        codes = Codes(scale.codes.qtype, symmetric)
        lo, hi = choose_range(statistics, candidate.method, codes)
        if not isinstance(candidate.method, Fixed):
            lo, hi = narrowed((lo, hi), limit)
        exact = end is not None and symmetric and not isinstance(candidate.method, Fixed)
        hi = max(hi, end or hi) if exact else hi
        params = choose_params(lo, hi, codes.qtype, narrow=True) if exact else codes.params(lo, hi)
        found.setdefault(params, _Tried(candidate, lo, hi, params))
    return list(found.values())


def _row(scale: Scale, statistics: Any, chosen: _Tried) -> TensorRange:
    return TensorRange(
        scale.group.tensors,
        chosen.lo,
        chosen.hi,
        statistics.lo,
        statistics.hi,
        statistics.inf,
        chosen.params,
        str(chosen.candidate),
        tuple(sorted(scale.reads or ())),
    )


# --- by what the readers make of them ---


def _best(
    scales: Sequence[Scale],
    together: Sequence[Any],
    tried: Sequence[Sequence[_Tried]],
    choice: BestOf,
    model: Float,
    masked: Collection[Group],
) -> list[int]:
    """For each scale the index of the candidate with the least error; of outputs that of the widest range.

    Outputs are read outside, and there the peaks matter that a narrower range would level. Groups in ``masked`` hold
    values that saturate on purpose, so their own error says nothing.
    """
    outputs = {str(v.name) for v in model.model.graph.outputs}
    open_ = [
        k
        for k, (scale, options) in enumerate(zip(scales, tried, strict=True))
        if len(options) > 1 and (scale.reads is not None or not outputs & set(scale.group.tensors))
    ]
    trials = [_trials(scales[k], scales, tried[k], model.placement) for k in open_]
    flat = [trial for some in trials for trial in some]
    measured = iter(measure(model.model, flat, model.samples, model.profile, model.progress) if flat else [])
    best = [_widest(options) for options in tried]
    for k, some in zip(open_, trials, strict=True):
        found = [next(measured) for _ in some]
        if scales[k].group in masked and len(found) > 1:
            errors = [sum(choice.measure.of(d[c]) for d in found[1:]) for c in range(len(tried[k]))]
        else:
            errors = _errors(found, together[k], tried[k], choice.measure)
        best[k] = errors.index(min(errors))
    return best


def _widest(options: Sequence[_Tried]) -> int:
    """Index of the widest range, of equals with the finest steps, of equals the first."""
    return max(range(len(options)), key=lambda c: (options[c].hi - options[c].lo, -float(options[c].params.scale)))


def _trials(
    scale: Scale, scales: Sequence[Scale], options: Sequence[_Tried], placement: Placement
) -> tuple[Trial, ...]:
    """The tensors alone, then one for each computing block that reads the scale."""
    params = tuple(option.params for option in options)
    elsewhere = {read for s in scales if s.group is scale.group for read in s.reads or ()}
    found = [Trial(scale.group.observed, params)]
    for block in placement.blocks:
        reads = {(block.node, t) for t in block.operands if t in scale.group.tensors and block.role not in MOVING}
        mine = reads - elsewhere if scale.reads is None else reads & scale.reads
        if mine:
            found.append(Trial(tuple(sorted(tensor for _, tensor in mine)), params, block))
    return tuple(found)


def _errors(
    measured: Sequence[Sequence[Difference]], seen: Histogram, options: Sequence[_Tried], by: Measure
) -> list[float]:
    """Of each candidate: the readers' error, times the tensor's error on all samples over that on the measured ones.

    A value that is clipped once in ten thousand is missing from a few samples, and not from the histogram. Where nobody
    computes with the tensor, its own error counts.
    """
    alone, *readers = measured
    everywhere = expected_error(seen, [option.params for option in options])
    if not readers:
        return everywhere if by.is_energy else [by.of(d) for d in alone]
    errors = [sum(by.of(found[c]) for found in readers) for c in range(len(options))]
    if not by.is_energy:
        return errors
    here = [d.e_energy / max(d.count, 1) for d in alone]
    return [e * a / h if h > 0 and math.isfinite(e) else e for e, a, h in zip(errors, everywhere, here, strict=True)]
