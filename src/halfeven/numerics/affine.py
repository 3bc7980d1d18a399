"""Affine quantization of NumPy arrays: the specification in code. Source: docs/math/affine.md.

Plain and literal; ``halfeven.quantize`` runs the native kernels, which are tested equal to this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halfeven.errors import NotANumberError, ParameterError
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Profile, Scaling, ZeroPoint, get_profile
from halfeven.numerics.qtype import QType
from halfeven.numerics.rounding import F32, round_float

BYTE = 8  # bits; narrower codes do not fill what stores them
FLOAT32_INTEGERS = 2**24  # every integer up to this is a float32


def as_float32(x: ArrayLike) -> F32:
    """``x`` as float32 (itself where it is that already): float16 and bfloat16 exactly, float64 rounded once.

    Integers and others are refused.
    """
    a = np.asarray(x)
    if a.dtype == np.float32:
        return a
    if a.dtype.kind != "f" and a.dtype.name != "bfloat16":
        raise ParameterError(f"real values are expected as floats, not {a.dtype}: convert them first")
    with np.errstate(over="ignore"):
        return a.astype(np.float32, copy=False)


def divide(x: F32, scale: F32, profile: Profile) -> F32:
    """``f32(x / S)``, or ``f32(x * f32(1 / S))`` under profiles that multiply by the reciprocal."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if profile.scaling is Scaling.DIVIDE:
            return x / scale
        return x * (np.float32(1) / scale)


def add_once(v: F32, z: NDArray[np.int32]) -> F32:
    """``f32(v + Z)``, the exact sum rounded once to float32, also where Z is not itself a float32."""
    with np.errstate(over="ignore", under="ignore"):
        if not np.any(np.abs(z.astype(np.int64)) > FLOAT32_INTEGERS):
            return v + z.astype(np.float32)
    return add_rounded_once(v.astype(np.float64), z.astype(np.float64))


def add_rounded_once(v: NDArray[np.float64], z: NDArray[np.float64]) -> F32:
    """``f32(v + z)`` of float64 values, the exact sum rounded once."""
    # The float64 sum rounded to odd, then to float32, is the exact sum rounded once (Boldo & Melquiond 2008, thm 3.1).
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        total = v + z
        part = total - v
        error = (v - (total - part)) + (z - part)  # Knuth's exact error of the sum
        inexact = np.isfinite(total) & (error != 0) & ((total.view(np.int64) & 1) == 0)
        toward = np.where(error > 0, np.inf, -np.inf)
        return np.where(inexact, np.nextafter(total, toward), total).astype(np.float32)


def quantize_unchecked(x: F32, params: AffineParams, profile: Profile) -> NDArray[Any]:
    """Eq. 2 on float32, with NaN -> clamp(Z) as in kernels that cannot raise."""
    scale, zero = params.expanded(x.shape)
    qmin, qmax = float(params.qtype.qmin), float(params.qtype.qmax)
    v = divide(x, scale, profile)
    z = zero.astype(np.float64)
    if profile.zero_point is ZeroPoint.INSIDE:
        q = np.clip(round_float(add_once(v, zero), profile.rounding).astype(np.float64), qmin, qmax)
    else:
        q = np.clip(round_float(v, profile.rounding).astype(np.float64), qmin - z, qmax - z) + z
    return np.where(np.isnan(x), z, q).astype(params.qtype.storage)


def quantize(x: ArrayLike, params: AffineParams, profile: str | Profile = JOURNEY6) -> NDArray[Any]:
    """Codes of real values: ``q = clamp(rhe(f32(f32(r / S) + Z)))`` under ``journey6`` (docs/math/affine.md eq. 2).

    Raises
    ------
    NotANumberError
        If ``x`` holds NaN.
    """
    r = as_float32(x)
    count = int(np.isnan(r).sum())
    if count:
        raise NotANumberError(count)
    return quantize_unchecked(r, params, get_profile(profile))


def as_codes(codes: ArrayLike, params: AffineParams) -> NDArray[Any]:
    """``codes`` as an array, after checking that they are stored as ``params`` say, and are codes."""
    q = np.asarray(codes)
    if q.dtype != params.qtype.storage:
        raise ParameterError(f"codes of {params.qtype} are stored as {params.qtype.storage}, not {q.dtype}")
    if params.qtype.bits < BYTE and q.size:
        check_ends(int(q.min()), int(q.max()), params.qtype)
    return q


def check_ends(lo: int, hi: int, qtype: QType) -> None:
    """Raise ParameterError unless codes from ``lo`` to ``hi`` are codes of ``qtype``; its storage holds others."""
    if lo < qtype.qmin or hi > qtype.qmax:
        raise ParameterError(
            f"codes of {qtype} lie in [{qtype.qmin}, {qtype.qmax}], and these in [{lo}, {hi}]: one code a byte was "
            "expected, unpack those of a file first"
        )


def dequantize(codes: ArrayLike, params: AffineParams) -> F32:
    """``r = f32(f32(q - Z) * S)``, the difference exact (docs/math/affine.md eq. 5)."""
    q = as_codes(codes, params)
    scale, zero = params.expanded(q.shape)
    difference = q.astype(np.int64) - zero.astype(np.int64)
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(difference.astype(np.float32) * scale)


def fake_quantize(x: ArrayLike, params: AffineParams, profile: str | Profile = JOURNEY6) -> F32:
    """``dequantize(quantize(x))``."""
    return dequantize(quantize(x, params, profile), params)
