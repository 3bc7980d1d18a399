"""From integer sums to codes in torch, tested equal to the reference in ``halfeven.numerics.requantize``."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from halfeven.errors import ParameterError
from halfeven.numerics.multiplier import MAX_BITS, Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, Requantize
from halfeven.numerics.qtype import QType
from halfeven.numerics.requantize import INT32, float32_multiplier, method_of
from halfeven.ops.torch_params import along, expanded, placed, storage
from halfeven.ops.torch_shift import scale_half, scale_half_wide

INTEGERS = (torch.int8, torch.uint8, torch.int16, torch.uint16, torch.int32, torch.uint32, torch.int64)
LIMIT = 1 << 62


def requantize(acc: Tensor, multiplier: Multiplier, params: AffineParams, profile: Profile, axis: int | None) -> Tensor:
    """``q = clamp(round(M * acc) + Z)``."""
    if acc.dtype not in INTEGERS:
        raise ParameterError(f"requantize expects integer sums of up to int64, not {acc.dtype}")
    axis = params.axis if axis is None else axis
    if multiplier.m0.ndim and axis is None:
        raise ParameterError("a multiplier a channel needs axis=")
    narrow = acc.dtype not in (torch.uint32, torch.int64)
    scaled = scale_accumulator(acc.to(torch.int64), multiplier, method_of(profile), axis, narrow=narrow)
    return clamp_codes(scaled, expanded(params, acc)[1], params.qtype)


def scale_accumulator(
    acc: Tensor, multiplier: Multiplier, method: Requantize, axis: int | None, *, narrow: bool
) -> Tensor:
    """``round(M * acc)`` by the method named, int64; beyond 2^40 either way it may saturate.

    Parameters
    ----------
    acc : int64; ``narrow`` states that int32 holds every sum, so that int64 holds the product with M0.
    """
    if method is Requantize.FLOAT32:
        m = along(placed(float32_multiplier(multiplier), acc.device), axis, acc)
        return (acc.to(torch.float32) * m).round_().clamp_(-LIMIT, LIMIT).to(torch.int64)
    if method is Requantize.DOUBLE_ROUNDING and not narrow:
        _check_int32(acc)
    m0, shift = _normalized(multiplier, axis, acc)
    if method is Requantize.DOUBLE_ROUNDING:
        return _double_rounding(acc, m0, shift)
    half_up = method is Requantize.EXACT_HALF_UP
    return (scale_half if narrow else scale_half_wide)(acc, m0, shift, half_up=half_up)


def clamp_codes(scaled: Tensor, zero_point: Tensor, qtype: QType) -> Tensor:
    """``clamp(scaled + Z)`` as codes; ``scaled`` is limited first, so that the sum cannot wrap."""
    total = scaled.clamp(-LIMIT, LIMIT) + zero_point.to(torch.int64)
    return total.clamp_(qtype.qmin, qtype.qmax).to(storage(qtype))


def _normalized(multiplier: Multiplier, axis: int | None, acc: Tensor) -> tuple[Tensor, Tensor]:
    """M0 and shift of 31 bits as int64 tensors; a shift beyond +-128 has the result of 128."""
    lift = MAX_BITS - multiplier.bits
    m0 = placed(multiplier.m0 << lift, acc.device)
    shift = placed(np.clip(multiplier.shift + lift, -128, 128), acc.device)
    return along(m0, axis, acc), along(shift, axis, acc)


def _check_int32(acc: Tensor) -> None:
    if torch.compiler.is_compiling():
        return
    if bool(((acc < INT32.min) | (acc > INT32.max)).any()):
        raise ParameterError("two-rounding requantize is defined for int32 sums only")


def _double_rounding(acc: Tensor, m0: Tensor, shift: Tensor) -> Tensor:
    """Saturating rounding doubling high multiply by M0, then a shift rounded half away; a left shift comes first."""
    left, right = (MAX_BITS - shift).clamp(0, 31), (shift - MAX_BITS).clamp(0, 62)
    shifted = (acc << left).clamp_(INT32.min, INT32.max)
    high = (shifted * m0 + (1 << 30)) >> MAX_BITS  # gemmlowp's nudge by sign and truncation: ties up, in one formula
    half = torch.where(right > 0, torch.ones_like(right) << (right - 1).clamp(min=0), 0)
    magnitude = (high.abs() + half) >> right
    return torch.where(high < 0, -magnitude, magnitude)
