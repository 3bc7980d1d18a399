"""Scales of weights, one for each block of inputs. Source: docs/math/blocks.md."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from halfeven.numerics.blocks import exact_factors, rounded_factors
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import QType, int4

F64 = NDArray[np.float64]
MOST_FACTOR = 15  # times a 4-bit code: 8 bits
MATRIX = 2


def block_of(shape: tuple[int, ...], axis: int, qtype: QType, group: int | None) -> int | None:
    """``group`` where a weight of that shape and channel axis is divided so; None where it has one scale a channel.

    4-bit codes of Conv, Gemm and MatMul are divided, along more inputs than one group.
    """
    fits = qtype is int4 and (axis == 0 or len(shape) == MATRIX)
    return group if group is not None and fits and shape[1 - axis] > group else None


def snapped(scale: F64, least: F64) -> F64:
    """Scales (channels, blocks) as multiples 1 to 15 of a unit of each channel, not below ``least`` (channels,).

    A channel without weights, whose scales are all 0, has its unit at ``least``, with which a bias is most exact.
    """
    empty = np.where(least > 0, least, 1.0) * MOST_FACTOR
    top = np.where(scale.any(axis=1), scale.max(axis=1), empty)[:, None]
    floor = (least * MOST_FACTOR)[:, None]
    found = rounded_factors(np.where(top < floor, floor, np.where(scale > 0, scale, top)), 0, MOST_FACTOR)
    return found.unit[:, None] * found.factor


def block_params(scale: F64, shape: tuple[int, ...], axis: int, block: int, qtype: QType) -> AffineParams:
    """Parameters of a weight of that shape from its scales (channels, blocks): taps of a kernel share them."""
    taps = shape[MATRIX:]
    full = scale.reshape(*scale.shape, *[1] * len(taps))
    full = np.broadcast_to(full, (*scale.shape, *taps))
    return AffineParams(full if axis == 0 else full.T, 0, qtype, 1 - axis, block)


def covering_blocks(array: NDArray[np.float32], axis: int, block: int, qtype: QType) -> F64:
    """``max |w| / -qmin`` of each block, (channels, blocks)."""
    rows = np.moveaxis(np.abs(array.astype(np.float64)), axis, 0)
    largest = rows.reshape(*rows.shape[:MATRIX], -1).max(axis=-1)
    firsts = np.arange(0, largest.shape[1], block)
    return np.maximum.reduceat(largest, firsts, axis=1) / -qtype.qmin


def channel_scale(params: AffineParams, axis: int) -> F64:
    """The scale of each channel of ``axis``: of blocks the unit, by which lowering counts the channel's sums."""
    if params.block_size is None:
        return params.scale.astype(np.float64)
    return exact_factors(params.scale, axis).unit
