"""One line of the report: what a layer's sums say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven.numerics.params import AffineParams
from halfeven.report.error_sums import FEWEST_VALUES, ErrorSums, decibels
from halfeven.report.layer_sums import LayerSums
from halfeven.report.layers import Layer
from halfeven.report.weights import Weight

F64 = NDArray[np.float64]

FEWEST_CHANNELS = 4  # before their median says what is usual


@dataclass(frozen=True, eq=False)
class LayerRow:
    """A layer of the quantized model against the float model, over all samples.

    Errors are ``d - f``: the quantized model's real value less the float model's. Steps are those of the layer's codes
    (LSB); what has no meaning for a layer (steps of a float32 layer, ...) is None.

    Attributes
    ----------
    index, name, operator, node, qtype : where it is; ``name`` is the float model's tensor.
    sqnr_db, cosine, max_error_steps, mean_error_steps : accumulated: of the quantized run.
    alone_sqnr_db, alone_max_error_steps : this layer alone, run on the float model's values put on codes.
    rounding_sqnr_db : the float model's result put on this layer's codes: what its scale alone costs.
    weight_bits, weight_sqnr_db : of its weight's codes; the level of its result if they alone were quantized.
    left_out : share of values that count in nothing here: masked, or infinite in the float model.
    lo, hi : of the float values. representable_lo, representable_hi : of the codes.
    clipped : share of float values outside that, by more than 1.5 steps. at_qmin, at_qmax : shares of the run's codes.
    channels : how many. dead_channels : constant in the float model. lost_channels : constant in the codes alone.
    channel_ratio : the largest channel's amplitude over the median channel's.
    channel_rounding_db : ``rounding_sqnr_db`` of the median channel: a loud one cannot hide it.
    macs : multiply-accumulates. is_input, is_output : of the model.
    layer, sums : all that was counted, for further questions.
    """

    index: int
    name: str
    operator: str
    node: str
    qtype: str
    elements: int
    sqnr_db: float
    cosine: float
    max_error_steps: float | None
    mean_error_steps: float | None
    alone_sqnr_db: float | None
    alone_max_error_steps: float | None
    rounding_sqnr_db: float | None
    weight_bits: int | None
    weight_sqnr_db: float | None
    left_out: float
    lo: float
    hi: float
    representable_lo: float | None
    representable_hi: float | None
    clipped: float | None
    at_qmin: float | None
    at_qmax: float | None
    channels: int
    dead_channels: int
    lost_channels: int
    channel_ratio: float | None
    channel_rounding_db: float | None
    macs: int
    is_input: bool
    is_output: bool
    layer: Layer
    sums: LayerSums


def layer_row(layer: Layer, sums: LayerSums, weight: Weight | None, macs: int) -> LayerRow:
    """The line of one layer."""
    run, params = sums.accumulated, layer.params
    ends = (None, None) if params is None else representable(params)
    dead, lost = constant_channels(run)
    return LayerRow(
        index=layer.index,
        name=layer.name,
        operator=layer.operator,
        node=layer.made_by.name,
        qtype="float32" if params is None else str(params.qtype),
        elements=run.elements,
        sqnr_db=run.sqnr_db,
        cosine=run.cosine,
        max_error_steps=max_steps(run, params),
        mean_error_steps=mean_steps(run, params),
        alone_sqnr_db=None if sums.alone is None else sums.alone.sqnr_db,
        alone_max_error_steps=None if sums.alone is None else max_steps(sums.alone, params),
        rounding_sqnr_db=None if sums.rounding is None else sums.rounding.sqnr_db,
        weight_bits=None if weight is None or weight.qtype is None else weight.qtype.bits,
        weight_sqnr_db=_weight_db(sums),
        left_out=run.infinite / max(1, run.infinite + run.elements),
        lo=float(run.f_lo.min(initial=np.inf)),
        hi=float(run.f_hi.max(initial=-np.inf)),
        representable_lo=ends[0],
        representable_hi=ends[1],
        **_shares(sums),
        channels=run.channels,
        dead_channels=dead,
        lost_channels=lost,
        channel_ratio=channel_ratio(run),
        channel_rounding_db=None if sums.rounding is None else median_channel_db(sums.rounding),
        macs=macs,
        is_input=layer.is_input,
        is_output=layer.is_output,
        layer=layer,
        sums=sums,
    )


def _weight_db(sums: LayerSums) -> float | None:
    if sums.weight_energy is None:
        return None
    return decibels(float(sums.accumulated.f_energy.sum()), sums.weight_energy)


def representable(params: AffineParams) -> tuple[float, float]:
    """Real values of the lowest and the highest code; the widest channel's."""
    zero, scale = params.zero_point.astype(np.float64), params.scale.astype(np.float64)
    lo, hi = (params.qtype.qmin - zero) * scale, (params.qtype.qmax - zero) * scale
    return float(lo.min()), float(hi.max())


def _shares(sums: LayerSums) -> dict[str, float | None]:
    counts, elements = sums.counts, max(1, sums.accumulated.elements)
    if counts is None:
        return {"clipped": None, "at_qmin": None, "at_qmax": None}
    return {
        "clipped": (counts.clipped_low + counts.clipped_high) / elements,
        "at_qmin": counts.at_qmin / elements,
        "at_qmax": counts.at_qmax / elements,
    }


def _steps(params: AffineParams | None, channels: int) -> F64 | None:
    """The step of each channel; None where codes have none, or one for each block."""
    if params is None or params.block_size is not None or params.scale.size not in (1, channels):
        return None
    return params.scale.astype(np.float64).reshape(-1)


def max_steps(sums: ErrorSums, params: AffineParams | None) -> float | None:
    """``max |e| / S``."""
    steps = _steps(params, sums.channels)
    return None if steps is None else float((sums.e_max / steps).max(initial=0.0))


def mean_steps(sums: ErrorSums, params: AffineParams | None) -> float | None:
    """``mean e / S``."""
    steps = _steps(params, sums.channels)
    return None if steps is None else float((sums.e_sum / steps).sum()) / max(1, sums.elements)


def constant_channels(sums: ErrorSums) -> tuple[int, int]:
    """How many channels the float model leaves constant, and how many more the codes do."""
    enough = sums.count >= FEWEST_VALUES
    dead = enough & (sums.f_lo == sums.f_hi)
    lost = enough & (sums.d_lo == sums.d_hi) & ~dead
    return int(dead.sum()), int(lost.sum())


def channel_ratio(sums: ErrorSums) -> float | None:
    """The largest ``max |f|`` of a channel over the median of those that are not all zero."""
    amplitude = np.maximum(np.abs(sums.f_lo), np.abs(sums.f_hi))[sums.count > 0]
    alive = amplitude[amplitude > 0]
    return float(alive.max() / np.median(alive)) if alive.size >= FEWEST_CHANNELS else None


def median_channel_db(sums: ErrorSums) -> float | None:
    """Median SQNR of the channels that are not all zero."""
    levels = sums.channel_sqnr_db[sums.f_energy > 0]
    return float(np.sort(levels)[(levels.size - 1) // 2]) if levels.size >= FEWEST_CHANNELS else None
