"""Affine quantization of torch tensors, tested equal to the reference in ``halfeven.numerics.affine``."""

from __future__ import annotations

import torch
from torch import Tensor

from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, ZeroPoint
from halfeven.numerics.qtype import QType
from halfeven.ops.torch_float import add_once, as_float32, divide, refuse_nan, round_float
from halfeven.ops.torch_gradient import straight_through, wants_gradient
from halfeven.ops.torch_params import check_codes, expanded, storage

NARROW_BITS = 16  # codes of up to this many bits, their sums with Z and their differences from it are float32 integers


def quantize(x: Tensor, params: AffineParams, profile: Profile) -> Tensor:
    """Codes of real values; NaN raises where it can, and gives Z where it cannot."""
    r = as_float32(x)
    scale, zero_point = expanded(params, r)
    nan_free = refuse_nan(r)
    codes = clamp_codes(unclamped_codes(r, scale, zero_point, params.qtype, profile), params.qtype)
    return _nan_to_zero_point(codes, r, zero_point, nan_free=nan_free).to(storage(params.qtype))


def dequantize(codes: Tensor, params: AffineParams) -> Tensor:
    """``f32(f32(q - Z) * S)``, the difference exact."""
    check_codes(codes, params)
    scale, zero_point = expanded(params, codes)
    if params.qtype.bits <= NARROW_BITS:
        return codes.to(torch.float32).sub_(zero_point.to(torch.float32)).mul_(scale)
    return (codes.to(torch.int64) - zero_point.to(torch.int64)).to(torch.float32).mul_(scale)


def fake_quantize(x: Tensor, params: AffineParams, profile: Profile) -> Tensor:
    """``dequantize(quantize(x))`` without the trip through integers; straight-through gradient with the range mask."""
    r = as_float32(x)
    scale, zero_point = expanded(params, r)
    nan_free = refuse_nan(r)
    codes = unclamped_codes(r, scale, zero_point, params.qtype, profile)
    mask = (codes >= params.qtype.qmin) & (codes <= params.qtype.qmax) if wants_gradient(x) else None
    codes = _nan_to_zero_point(clamp_codes(codes, params.qtype), r, zero_point, nan_free=nan_free)
    return straight_through(x, values_of(codes, scale, zero_point), mask)


def unclamped_codes(x: Tensor, scale: Tensor, zero_point: Tensor, qtype: QType, profile: Profile) -> Tensor:
    """``round(..)`` of eq. 2 before the clamp, as floats that hold integers: float32 up to 16 bits, float64 beyond.

    A new tensor. Beyond 2^24 the sum with Z of the outside rule may be inexact in float32, where no 16-bit code is.
    """
    narrow = qtype.bits <= NARROW_BITS
    work = torch.float32 if narrow else torch.float64
    v = divide(x, scale, profile)
    if profile.zero_point is ZeroPoint.INSIDE:
        return round_float(add_once(v, zero_point, exact_in_float32=narrow), profile.rounding).to(work)
    return round_float(v, profile.rounding).to(work).add_(zero_point.to(work))


def clamp_codes(codes: Tensor, qtype: QType) -> Tensor:
    """``clamp(q)``, in place."""
    return codes.clamp_(qtype.qmin, qtype.qmax)


def values_of(codes: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    """``f32(f32(q - Z) * S)`` of codes in floats; changes ``codes``.

    Adding -Z, which is +0 for Z = 0, turns a code -0.0 into the 0.0 that the integer 0 gives.
    """
    minus_z = (-zero_point.to(torch.int64)).to(codes.dtype)
    return codes.add_(minus_z).to(torch.float32).mul_(scale)


def _nan_to_zero_point(codes: Tensor, x: Tensor, zero_point: Tensor, *, nan_free: bool) -> Tensor:
    return codes if nan_free else torch.where(torch.isnan(x), zero_point.to(codes.dtype), codes)
