"""From an integer sum to a code: ``q = clamp(round(M * acc) + Z)``. Source: docs/math/requantize.md eq. 7-9."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halfeven.errors import ParameterError
from halfeven.numerics.multiplier import MAX_BITS, Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Profile, Requantize, get_profile
from halfeven.numerics.rounding import shift_half_away, shift_half_even, shift_half_up

Integers = NDArray[Any]
INT32 = np.iinfo(np.int32)


def as_sums(acc: ArrayLike) -> Integers:
    """``acc`` as an integer array.

    Raises
    ------
    ParameterError
        If it is not of integers, or of uint64.
    """
    a = np.asarray(acc)
    if a.dtype.kind not in "iu":
        raise ParameterError(f"requantize expects integer sums, not {a.dtype}")
    if a.dtype == np.uint64:
        raise ParameterError("requantize expects sums of up to int64, not uint64")
    return a


def fits_int32(acc: Integers) -> bool:
    """Whether int32 holds every sum."""
    return bool(acc.size == 0 or (acc.min() >= INT32.min and acc.max() <= INT32.max))


def check_int32(acc: Integers) -> None:
    """Raise ParameterError unless int32 holds every sum, as two-rounding requantize needs."""
    if not fits_int32(acc):
        raise ParameterError("two-rounding requantize is defined for int32 sums only")


def scale_exact(acc: Integers, multiplier: Multiplier, *, half_up: bool = False) -> Integers:
    """``rhe(acc * M0 / 2^shift)``, the product exact and one rounding (eq. 9); ``floor(.. + 1/2)`` with ``half_up``.

    Parameters
    ----------
    acc : int64, broadcasting against ``multiplier``; int32-ranged values stay in int64, wider ones use Python integers.

    Returns
    -------
    int64 array; a result beyond int64 saturates to it.
    """
    m0, shift = multiplier.m0, multiplier.shift
    if fits_int32(acc) and (multiplier.m0.size == 0 or shift.min() >= 1):
        # |acc * M0| <= 2^62: int64 holds it. Beyond a shift of 62 the quotient is below 1/2, so 0 (also as half up).
        rounded = (shift_half_up if half_up else shift_half_even)(acc * m0, np.minimum(shift, 62))
        return np.where(shift > 62, 0, rounded)  # noqa: PLR2004
    return _scale_wide(acc, m0, shift, half_up=half_up)


def _scale_wide(acc: Integers, m0: Integers, shift: Integers, *, half_up: bool) -> Integers:
    shape = np.broadcast_shapes(acc.shape, m0.shape, shift.shape)
    acc, m0, shift = np.broadcast_arrays(*np.atleast_1d(acc, m0, shift))  # 0-d object arrays decay to Python integers
    product = acc.astype(object) * m0.astype(object)
    product = product << np.maximum(-shift, 0).astype(object)
    right = np.maximum(shift, 1).astype(object)
    rounded = (shift_half_up if half_up else shift_half_even)(product, right)
    exact = np.where(shift >= 1, rounded, product)
    info = np.iinfo(np.int64)
    return np.asarray(np.clip(exact, info.min, info.max)).astype(np.int64).reshape(shape)


def scale_double_rounding(acc: Integers, multiplier: Multiplier) -> Integers:
    """Saturating rounding doubling high multiply by M0 (ties up), then a rounding right shift (ties away from zero).

    A left shift (M >= 1) comes first and saturates to int32. Source: the operations that gemmlowp documents under these
    names; the high multiply truncates ``(acc * M0 + nudge) / 2^31`` with ``nudge = 2^30`` or ``1 - 2^30`` by sign.
    """
    check_int32(acc)
    left = np.clip(multiplier.bits - multiplier.shift, 0, 31)
    right = np.clip(multiplier.shift - multiplier.bits, 0, 62)
    shifted = np.clip(acc << left, INT32.min, INT32.max)
    product = shifted * (multiplier.m0 << (MAX_BITS - multiplier.bits))
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))  # C division truncates
    return np.where(right > 0, shift_half_away(high, np.maximum(right, 1)), high)


def float32_multiplier(multiplier: Multiplier) -> NDArray[np.float32]:
    """``f32(M)``.

    Raises
    ------
    ParameterError
        If M is beyond float32.
    """
    with np.errstate(over="ignore", under="ignore"):
        m: NDArray[np.float32] = np.asarray(multiplier.value, np.float32)
    if not np.isfinite(m).all():
        raise ParameterError(f"a multiplier of {multiplier.value.max():.3g} is beyond float32, which this profile uses")
    return m


def scale_float32(acc: Integers, multiplier: Multiplier) -> Integers:
    """``rhe(f32(f32(acc) * f32(M)))``, saturated to int64."""
    m = float32_multiplier(multiplier)
    with np.errstate(over="ignore", under="ignore"):
        t = acc.astype(np.float32) * m
    return np.asarray(np.clip(np.rint(t).astype(np.float64), -(2.0**62), 2.0**62)).astype(np.int64)


def scale_accumulator(acc: Integers, multiplier: Multiplier, method: Requantize) -> Integers:
    """``round(M * acc)`` by the method named, int64."""
    acc = acc.astype(np.int64)
    if method is Requantize.DOUBLE_ROUNDING:
        return scale_double_rounding(acc, multiplier)
    if method is Requantize.FLOAT32:
        return scale_float32(acc, multiplier)
    return scale_exact(acc, multiplier, half_up=method is Requantize.EXACT_HALF_UP)


def method_of(profile: Profile) -> Requantize:
    """The profile's requantize method.

    Raises
    ------
    ParameterError
        If the profile defines none.
    """
    if profile.requantize is None:
        raise ParameterError(f"profile {profile.name} defines no requantize: choose another, such as journey6")
    return profile.requantize


def clamp_codes(scaled: Integers, zero_point: Any, qmin: int, qmax: int, storage: np.dtype[Any]) -> Integers:
    """``clamp(scaled + Z)`` as codes; ``scaled`` is int64 and is limited first, so that the sum cannot wrap."""
    limited = np.clip(scaled, -(1 << 62), 1 << 62)
    return np.asarray(np.clip(limited + zero_point, qmin, qmax)).astype(storage)


def requantize(
    acc: ArrayLike,
    multiplier: Multiplier,
    params: AffineParams,
    profile: str | Profile = JOURNEY6,
    axis: int | None = None,
) -> Integers:
    """``q = clamp(round(M * acc) + Z)`` (docs/math/requantize.md eq. 9).

    Parameters
    ----------
    acc : integer sums, int8 to int64, any shape.
    multiplier : M, one or one a channel.
    params : of the output: its zero point and codes.
    axis : channel axis of ``multiplier``; by default that of ``params``.

    Raises
    ------
    ParameterError
        If ``acc`` is not integer, the channels do not fit, or the profile defines no requantize.
    """
    a = as_sums(acc)
    axis = params.axis if axis is None else axis
    m = along(multiplier, axis, a.shape)
    _, zero = params.expanded(a.shape)
    scaled = scale_accumulator(a, m, method_of(get_profile(profile)))
    return clamp_codes(scaled, zero.astype(np.int64), params.qtype.qmin, params.qtype.qmax, params.qtype.storage)


def along(multiplier: Multiplier, axis: int | None, shape: tuple[int, ...]) -> Multiplier:
    """``multiplier`` shaped so that it broadcasts against sums of ``shape``, one a channel of ``axis``."""
    if multiplier.m0.ndim == 0:
        return multiplier
    if axis is None:
        raise ParameterError("a multiplier a channel needs axis=")
    if not -len(shape) <= axis < len(shape) or multiplier.m0.shape != (shape[axis],):
        raise ParameterError(
            f"multipliers of shape {multiplier.m0.shape} do not fit axis {axis} of sums of shape {shape}"
        )
    channels = [1] * len(shape)
    channels[axis] = -1
    return Multiplier(multiplier.m0.reshape(channels), multiplier.shift.reshape(channels), multiplier.bits)
