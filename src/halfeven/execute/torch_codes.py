"""Between codes and exact sums in torch: what the instructions share."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from halfeven.ir.rescale import MeanRescale, Rescale, Target
from halfeven.ops.torch_params import storage
from halfeven.ops.torch_requantize import LIMIT, scale_accumulator

INT32_BITS = 32


def centered(codes: Tensor, zero: int) -> Tensor:
    """``q - Z`` as int64."""
    return codes.to(torch.int64) - zero


def farthest(codes: Tensor, zero: int) -> int:
    """The largest ``|q - Z|`` over all values of the tensor's type."""
    info = torch.iinfo(codes.dtype)
    return int(max(zero - info.min, info.max - zero))


def write(scaled: Tensor, target: Target) -> Tensor:
    """``clamp(scaled + Z)`` as codes; ``scaled`` is limited first, so that the sum cannot wrap."""
    total = scaled.clamp(-LIMIT, LIMIT) + target.zero_point
    return total.clamp_(target.qmin, target.qmax).to(storage(target.qtype))


def rescale(acc: Tensor, how: Rescale, axis: int | None = None, *, narrow: bool = False) -> Tensor:
    """``clamp(round(M acc) + Z)``, M one or one a channel of ``axis``; ``narrow`` states that int32 holds the sums."""
    return write(scale_accumulator(acc, how.multiplier, how.method, axis, narrow=narrow), how.target)


def mean(total: Tensor, how: MeanRescale, count: int | NDArray[np.int64]) -> Tensor:
    """``clamp(round(S1 / (S3 count) total) + Z)``; counts of their own for the elements of the last axis."""
    multiplier = how.multiplier(count)
    axis = -1 if multiplier.m0.ndim else None
    return write(scale_accumulator(total, multiplier, how.method, axis, narrow=False), how.target)


def divide_half_even(numerator: Tensor, denominator: Tensor) -> Tensor:
    """``rhe(numerator / denominator)`` in integers, ``denominator > 0``, both below 2^62."""
    floor = torch.div(numerator, denominator, rounding_mode="floor")
    above = 2 * (numerator - floor * denominator) - denominator
    return floor + ((above > 0) | ((above == 0) & ((floor & 1) == 1)))
