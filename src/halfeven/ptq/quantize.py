"""Post-training quantization: float ONNX and samples in, QDQ ONNX out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from halfeven import interop
from halfeven.errors import ModelError, ParameterError, UnsupportedError
from halfeven.interop import CleanUp, Equality
from halfeven.interop.values import constant
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Profile, get_profile
from halfeven.numerics.qtype import QType, get_qtype, int8, int16, int32
from halfeven.ptq.calibrate import Progress, calibrate
from halfeven.ptq.choice import BestOf, RangeChoice, get_choice
from halfeven.ptq.choose_scales import Float, TensorRange, choose_scales
from halfeven.ptq.code_types import one_type
from halfeven.ptq.data import count_samples, samples
from halfeven.ptq.insert_qdq import insert_qdq
from halfeven.ptq.keep import Keeper
from halfeven.ptq.placement import Placement, place
from halfeven.ptq.weights import Widened, quantize_constants
from halfeven.ranges import Codes

__all__ = ["Progress", "PtqResult", "TensorRange", "quantize"]

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
    """

    model: ir.Model
    clean_up: CleanUp
    equality: Equality
    placement: Placement
    ranges: tuple[TensorRange, ...]
    widened: tuple[Widened, ...]
    samples: int

    @property
    def params(self) -> dict[str, AffineParams]:
        """Parameters of every activation that carries codes."""
        return {name: row.params for row in self.ranges for name in row.tensors}


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
    method: RangeChoice | str = "default",
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
        "max", "percentile", "kl", "mse", or a :class:`~halfeven.ranges.Method` or
        :class:`~halfeven.ptq.choice.BestOf`.
    profile : the arithmetic that the model is made for; the file names it.
    progress : called with (samples done, their number or None).

    Raises
    ------
    ModelError, DataError, ParameterError, UnsupportedError
        In one line: the node, tensor, file or sample at fault, what was expected, what to do.
    """
    profile, choice = get_profile(profile), get_choice(method)
    codes, weight_codes = Codes.of(_activation_type(activations)), _weight_type(weights)
    cleaned = interop.clean_up(_read_float(model))
    placement = place(cleaned.model)
    _check_some_integer(placement, model)
    inputs = _inputs(cleaned.model)
    keeper = Keeper(choice.samples if isinstance(choice, BestOf) else 0)
    stream = keeper.watch(samples(data, inputs))
    first = list(islice(stream, COMPARED))
    equality = interop.check_equal(model, cleaned.model, first)
    seen, count = calibrate(
        cleaned.model,
        placement.observed,
        chain(first, stream),
        progress,
        kind=choice.statistics,
        total=count_samples(data, inputs) if progress else None,
    )
    types = one_type(placement, codes, weight_codes)
    measured_on = Float(cleaned.model, placement, keeper.samples, profile)
    ranges = choose_scales(types.scales, seen, choice, measured_on)
    params = {name: row.params for row in ranges for name in row.tensors}
    constants = quantize_constants(_constants(cleaned.model), placement, params, weight_codes)
    made = insert_qdq(cleaned.model, placement, params, constants)
    _sign(made, model, profile)
    return PtqResult(made, cleaned, equality, placement, ranges, constants.widened, count)


def _activation_type(activations: QType | str) -> QType:
    qtype = get_qtype(activations)
    if qtype is int32 or qtype.bits < int8.bits:
        raise ParameterError(f"activations can be int8, uint8, int16 or uint16, not {qtype}")
    return qtype


def _weight_type(weights: QType | str) -> QType:
    qtype = get_qtype(weights)
    if not qtype.signed or qtype.bits > int16.bits:
        raise ParameterError(f"weights can be int4, int8 or int16, not {qtype}")
    return qtype


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
