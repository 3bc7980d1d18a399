"""Weights, biases and accumulator bounds of matrix products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.ir.rescale import Accumulator
from halfeven.lower.site import NotLowered, Operand, Site, constant_of, operand_of, real_constant
from halfeven.numerics.blocks import per_channel
from halfeven.numerics.params import AffineParams
from halfeven.numerics.product import quantize_bias
from halfeven.numerics.profile import Steps

Integers = NDArray[Any]


def weight_of(site: Site, index: int, axis: int) -> tuple[Operand, Integers]:
    """The constant weight at an input, with one scale for the tensor or one a channel of ``axis``.

    Scales of blocks become factors of the codes (docs/math/blocks.md).
    """
    operand = site.operand(index)
    codes = operand.constant
    if codes is None:
        raise NotLowered(f"its weight (input {index}) is not constant")
    if operand.params.block_size is not None:
        return _per_channel(operand, codes, axis)
    if operand.params.axis is not None and operand.params.normalized_axis(codes.shape) != axis:
        raise NotLowered(f"its weight's scales are not one an output channel (axis {axis})")
    return operand, codes


def _per_channel(operand: Operand, codes: Integers, axis: int) -> tuple[Operand, Integers]:
    try:
        merged, params = per_channel(codes, operand.params, axis)
    except ParameterError as error:
        raise NotLowered(f"its weight has one scale a block: {error}") from error
    return replace(operand, params=params, constant=merged), merged


def bias_value(site: Site) -> Any:
    """The product's bias: its third operand, or what an Add puts on its result; None where it has neither."""
    value = site.node.inputs[2] if len(site.node.inputs) > 2 else None  # noqa: PLR2004
    if value is not None and site.bias is not None:
        raise NotLowered("it has two biases")
    return site.bias if value is None else value


def bias_codes(
    site: Site, value: Any, x: AffineParams, w_scale: NDArray[np.float32], channels: int
) -> NDArray[np.int64]:
    """Bias codes at ``S1 S2``: int32 codes as stored when they already are at that scale, else from the real values.

    Parameters
    ----------
    w_scale : of the weight, () or (channels,).

    Source: docs/math/conv.md, "Bias".
    """
    if value is None:
        return np.zeros(channels, np.int64)
    real = real_constant(value, site.profile)
    if real is None:
        raise NotLowered("its bias is not constant")
    if real.size not in (1, channels):
        raise NotLowered(f"its bias has {real.size} values for {channels} channels")
    scale = x.scale.astype(np.float64) * w_scale.astype(np.float64)
    stored = _stored_codes(site, value, scale)
    if stored is not None:
        codes = stored.reshape(-1)
    elif site.profile.steps is Steps.FLOAT32:  # the quotient is a float32, of a float32 product
        codes = quantize_bias(real.reshape(-1).astype(np.float32) / (x.scale * w_scale), 1.0)
    else:
        codes = quantize_bias(real.reshape(-1), scale)
    return np.broadcast_to(codes, (channels,)).astype(np.int64)


def _stored_codes(site: Site, value: Any, scale: NDArray[np.float64]) -> NDArray[np.int64] | None:
    if constant_of(value) is not None:
        return None
    operand = operand_of(value, site.profile)
    same = bool((scale.astype(np.float32) == operand.params.scale).all())
    if not same or operand.constant is None or operand.params.zero_point.any():
        return None
    return operand.constant.astype(np.int64)


def accumulator(x: AffineParams, weight: Integers, bias: NDArray[np.int64]) -> Accumulator:
    """``|acc| <= sum |w| max |x - Zx| + |b|`` for each channel.

    Parameters
    ----------
    weight : centered, (channels, everything that is summed).
    """
    return bounded(x, np.abs(weight.astype(np.int64)).sum(axis=1), bias)


def bounded(x: AffineParams, sums: NDArray[np.int64], bias: NDArray[np.int64]) -> Accumulator:
    """``|acc| <= sums max |x - Zx| + |b|`` for each channel, from ``sums`` of ``|w|``."""
    farthest = max(int(x.zero_point) - x.qtype.qmin, x.qtype.qmax - int(x.zero_point))
    return Accumulator.of(sums * farthest + np.abs(bias))
