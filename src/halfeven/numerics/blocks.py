"""Scales of blocks as integer multiples of one scale a channel. Source: docs/math/blocks.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.numerics.affine import as_codes
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import QType, int8, int16

Integers = NDArray[Any]
MANTISSA_BITS = 24
MOST_SHIFT = 38  # a mantissa and so many bits fit int64
LEAST_LIMIT = (
    2**11 - 1
)  # factors of rounded scales reach at least this: 4-bit weights are then off by 2^-8 of a step at most


@dataclass(frozen=True, eq=False)
class Factors:
    """``scale = unit * factor`` of each block.

    Attributes
    ----------
    unit : float64 numbers that float32 holds, one a channel. factor : int64, of the shape of the scales.
    """

    unit: NDArray[np.float64]
    factor: Integers


def exact_factors(scale: NDArray[np.float32], axis: int) -> Factors:
    """The largest unit of each channel of ``axis`` of which all its scales are integer multiples.

    A factor is 0 in a channel whose scales are too far apart for int64: at least 2^38.
    """
    rows = np.moveaxis(scale, axis, 0).reshape(scale.shape[axis], -1)
    mantissa, exponent = np.frexp(rows.astype(np.float64))
    least = exponent.min(axis=1, keepdims=True)
    apart = exponent - least
    whole = np.ldexp(mantissa, MANTISSA_BITS).astype(np.int64) << np.minimum(apart, MOST_SHIFT)
    common = np.gcd.reduce(whole, axis=1, keepdims=True)
    unit = np.ldexp(common.astype(np.float64), least - MANTISSA_BITS)
    factor = np.where(apart.max(axis=1, keepdims=True) > MOST_SHIFT, 0, whole // common)
    return Factors(unit[:, 0], _as_scales(factor, scale.shape, axis))


def rounded_factors(scale: NDArray[np.float64], axis: int, limit: int) -> Factors:
    """Factors up to ``limit`` whose products with the unit are nearest to the scales; the largest scale sets the unit.

    The unit has so few bits that every product is a float32 number.
    """
    rows = np.moveaxis(scale, axis, 0).reshape(scale.shape[axis], -1)
    unit = _with_bits(rows.max(axis=1, keepdims=True) / limit, MANTISSA_BITS - limit.bit_length())
    factor = np.clip(np.rint(rows / unit), 1, limit).astype(np.int64)
    return Factors(unit[:, 0], _as_scales(factor, scale.shape, axis))


def _with_bits(x: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    mantissa, exponent = np.frexp(x)
    return np.asarray(np.ldexp(np.ceil(np.ldexp(mantissa, bits)), exponent - bits))


def _as_scales(rows: Integers, shape: tuple[int, ...], axis: int) -> Integers:
    others = [n for k, n in enumerate(shape) if k != axis]
    return np.moveaxis(rows.reshape(shape[axis], *others), 0, axis)


def per_channel(codes: Integers, params: AffineParams, axis: int) -> tuple[Integers, AffineParams]:
    """Codes with one scale a channel of ``axis`` for codes with one a block: ``(q - Z) factor``, int8 where that holds.

    Exact where the scales of a channel are small multiples of one number, as ours are. Else scales are rounded to
    multiples of a unit, by at most half of it.

    Raises
    ------
    ParameterError
        If blocks do not lie along another axis, or 16 bits do not hold such codes.
    """
    if params.block_size is None or params.normalized_axis(codes.shape) == axis:
        raise ParameterError(f"blocks along another axis than {axis}, that of the channels, were expected")
    centered = as_codes(codes, params).astype(np.int64) - params.expanded(codes.shape)[1]
    limit = int16.qmax // max(int(np.abs(centered).max(initial=0)), 1)
    found = exact_factors(params.scale, axis)
    if not ((found.factor > 0) & (found.factor <= limit)).all():
        if limit < LEAST_LIMIT:
            raise ParameterError(f"codes of {params.qtype} with these scales of blocks are too wide for 16 bits")
        found = rounded_factors(params.scale.astype(np.float64), axis, limit)
    block = params.normalized_axis(codes.shape)
    factor = np.repeat(found.factor, params.block_size, axis=block).take(np.arange(codes.shape[block]), axis=block)
    merged = centered * factor
    qtype = _holds(merged)
    return merged.astype(qtype.storage), AffineParams(found.unit, 0, qtype, axis)


def _holds(codes: Integers) -> QType:
    fits = codes.min(initial=0) >= int8.qmin and codes.max(initial=0) <= int8.qmax
    return int8 if fits else int16
