"""Post-training quantization: float ONNX and samples in, QDQ ONNX out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from halfeven import interop
from halfeven.errors import ModelError, UnsupportedError
from halfeven.interop import CleanUp, Equality
from halfeven.interop.values import constant
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Profile, get_profile
from halfeven.numerics.qtype import QType, int8
from halfeven.ptq.activations import Activations
from halfeven.ptq.best_model import nearest_model
from halfeven.ptq.calibrate import Progress, calibrate
from halfeven.ptq.choice import BestModel, BestOf, RangeChoice
from halfeven.ptq.choose_scales import Float, TensorRange, choose_scales
from halfeven.ptq.config import NodeSetting
from halfeven.ptq.data import count_samples, samples
from halfeven.ptq.insert_qdq import insert_qdq
from halfeven.ptq.keep import Keeper, Sample
from halfeven.ptq.placement import Placement
from halfeven.ptq.plan import Config, Plan, make_plan
from halfeven.ptq.weights import Widened, quantize_constants
from halfeven.ranges import Statistics

__all__ = ["Progress", "PtqResult", "TensorRange", "plan_quantization", "quantize"]

COMPARED = 4  # samples on which the cleaned model is compared with the original


@dataclass(frozen=True, eq=False)
class PtqResult:
    """A quantized model and how it came about.

    Attributes
    ----------
    model : QDQ ONNX, with profile, version and source in its metadata.
    clean_up : the float model it stands for (``clean_up.model``) and what was simplified.
    equality : of that float model with the original, on the first samples.
    placement : what carries codes. ranges : one row a scale of activations.
    widened : weights whose scale was raised so that the bias fits.
    samples : how many were seen.
    settings : what was asked of each node. warnings : remarks on the configuration, one line each.
    """

    model: ir.Model
    clean_up: CleanUp
    equality: Equality
    placement: Placement
    ranges: tuple[TensorRange, ...]
    widened: tuple[Widened, ...]
    samples: int
    settings: tuple[NodeSetting, ...] = ()
    warnings: tuple[str, ...] = ()

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
    activations: QType | str = int8,
    weights: QType | str = int8,
    method: RangeChoice | str | None = None,
    config: Config | None = None,
    profile: Profile | str = JOURNEY6,
    progress: Progress | None = None,
) -> PtqResult:
    """Clean up, calibrate in one pass, choose ranges, write Q and DQ nodes.

    Parameters
    ----------
    model : a float ONNX file, or a loaded one; opset 9 or later.
    data : samples, in any form of :func:`halfeven.ptq.data.samples`.
    activations : codes of activations: signed ones symmetric (int8, int16), unsigned ones asymmetric.
    weights : codes of weights, symmetric, one scale for each output channel: int4, int8, int16.
    method : how ranges are chosen: "default" (for each scale the best of the others, by the error at its readers),
        "max", "percentile", "kl", "mse", or a :class:`~halfeven.ranges.Method`,
        :class:`~halfeven.ptq.choice.BestOf` or :class:`~halfeven.ptq.choice.BestModel`.
    config : a quant_config.json, or its contents. Where it speaks, ``activations`` and ``weights`` do not count.
    profile : the arithmetic that the model is made for; the file names it.
    progress : called with (samples done, their number or None); samples on which ranges are compared count again.

    Raises
    ------
    ModelError, DataError, ParameterError, UnsupportedError
        In one line: the node, tensor, file or sample at fault, what was expected, what to do.
    """
    profile = get_profile(profile)
    cleaned, plan = plan_quantization(model, activations=activations, weights=weights, method=method, config=config)
    seen = _see(model, cleaned, plan, data, progress)
    ranges = _ranges(cleaned, plan, seen, profile, progress)
    made, widened = _write(cleaned, plan, ranges)
    _sign(made, model, profile)
    return PtqResult(
        made, cleaned, seen.equality, plan.placement, ranges, widened, seen.count, plan.settings, plan.warnings
    )


def plan_quantization(
    model: str | os.PathLike[str] | onnx.ModelProto,
    *,
    activations: QType | str = int8,
    weights: QType | str = int8,
    method: RangeChoice | str | None = None,
    config: Config | None = None,
) -> tuple[CleanUp, Plan]:
    """The cleaned-up model and what :func:`quantize` would do to it; print the plan to see every node's setting."""
    read = _read_float(model)
    cleaned = interop.clean_up(read)
    plan = make_plan(
        cleaned.model,
        {str(node.name) for node in read.graph},
        activations=activations,
        weights=weights,
        method=method,
        config=config,
    )
    _check_some_integer(plan.placement, model)
    return cleaned, plan


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the samples showed, and those that were kept. ``total``: their number and that of the kept, if known."""

    statistics: Mapping[str, Statistics]
    equality: Equality
    kept: Sequence[Sample]
    count: int
    total: int | None


def _see(
    model: str | os.PathLike[str] | onnx.ModelProto,
    cleaned: CleanUp,
    plan: Plan,
    data: Any,
    progress: Progress | None,
) -> _Seen:
    inputs = _inputs(cleaned.model)
    keeper = Keeper(plan.choice.samples if isinstance(plan.choice, (BestOf, BestModel)) else 0)
    stream = keeper.watch(samples(data, inputs))
    first = list(islice(stream, COMPARED))
    equality = interop.check_equal(model, cleaned.model, first)
    known = count_samples(data, inputs) if progress else None
    total = None if known is None else known + min(known, keeper.most)
    seen, count = calibrate(
        cleaned.model,
        plan.placement.observed,
        chain(first, stream),
        progress,
        kind=plan.choice.statistics,
        total=total,
    )
    return _Seen(seen, equality, keeper.samples, count, total)


def _ranges(
    cleaned: CleanUp, plan: Plan, seen: _Seen, profile: Profile, progress: Progress | None
) -> tuple[TensorRange, ...]:
    def again(done: int) -> None:
        if progress is not None:
            progress(seen.count + done, seen.total)

    measured_on = Float(cleaned.model, plan.placement, seen.kept, profile, again)
    choice = plan.choice
    if not isinstance(choice, BestModel):
        return choose_scales(plan.types.scales, seen.statistics, choice, measured_on)
    options = [BestOf((candidate,)) for candidate in choice.candidates]
    found = [choose_scales(plan.types.scales, seen.statistics, option, measured_on) for option in options]
    made = [_write(cleaned, plan, ranges)[0] for ranges in found]
    return found[nearest_model(cleaned.model, made, seen.kept, profile, choice.measure, again)]


def _write(cleaned: CleanUp, plan: Plan, ranges: Sequence[TensorRange]) -> tuple[ir.Model, tuple[Widened, ...]]:
    activations = Activations.of(ranges)
    constants = quantize_constants(_constants(cleaned.model), plan.placement, activations, plan.types)
    return insert_qdq(cleaned.model, plan.placement, activations, constants), constants.widened


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
        f"{_label(model)}: nothing in it can be quantized ({why or 'it computes no real numbers'}): use it as it is",
        nodes=names,
    )


def _inputs(model: ir.Model) -> tuple[_Input, ...]:
    return tuple(_Input(p.name, p.shape, np.dtype(p.dtype)) for p in interop.describe(model).inputs)


def _constants(model: ir.Model) -> dict[str, np.ndarray]:
    values = {str(v.name): constant(v) for node in model.graph for v in node.inputs if v is not None}
    return {name: array for name, array in values.items() if array is not None}


def _sign(made: ir.Model, model: str | os.PathLike[str] | onnx.ModelProto, profile: Profile) -> None:
    source = None if isinstance(model, onnx.ModelProto) else interop.source_of(model)
    interop.set_metadata(made, profile=profile.name, version=interop.producer_version(), source=source)
