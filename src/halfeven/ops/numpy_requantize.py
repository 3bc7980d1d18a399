"""Integer sums in NumPy arrays through the native kernel, tested equal to the reference in ``halfeven.numerics``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halfeven import _native
from halfeven.numerics import requantize as reference
from halfeven.numerics.multiplier import MAX_BITS, Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, Requantize
from halfeven.ops import layout

FAR = 4096  # a shift of this or more, either way, has the result of any larger one


def kernel_multiplier(
    multiplier: Multiplier, method: Requantize
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """M0 of 31 bits, shift and float32 form of each M in C order, as the native kernels take them."""
    lift = MAX_BITS - multiplier.bits  # the kernel's M0 has 31 bits; a narrower one is that many bits further left
    m0 = (multiplier.m0 << lift).reshape(-1)
    shift = np.clip(multiplier.shift + lift, -FAR, FAR).astype(np.int32).reshape(-1)
    if method is Requantize.FLOAT32:
        return m0, shift, reference.float32_multiplier(multiplier).reshape(-1)
    return m0, shift, np.zeros(m0.shape, np.float32)


def requantize(
    acc: ArrayLike, multiplier: Multiplier, params: AffineParams, profile: Profile, axis: int | None
) -> NDArray[Any]:
    """``q = clamp(round(M * acc) + Z)``."""
    a = reference.as_sums(acc)
    a = a.astype(np.int32 if np.can_cast(a.dtype, np.int32) else np.int64, copy=False)
    method = reference.method_of(profile)
    axis = params.axis if axis is None else axis
    reference.along(multiplier, axis, a.shape)
    zero_point = _one_zero_point(params, a.shape)
    if zero_point is None:
        return reference.requantize(a, multiplier, params, profile, axis)
    per_channel = multiplier.m0.ndim and axis is not None
    view = layout.by_channel(a, axis % a.ndim) if per_channel and axis is not None else layout.whole(a)
    codes = view.empty(params.qtype.storage)
    if method is Requantize.DOUBLE_ROUNDING:
        reference.check_int32(a)
    if codes.size:
        _requantize_into(codes, view, multiplier, zero_point, params, method)
    return view.restore(codes)


def _one_zero_point(params: AffineParams, shape: tuple[int, ...]) -> int | None:
    # The kernel takes one zero point; sums whose zero points differ by channel go to the reference.
    params.expanded(shape)
    zeros = params.zero_point.reshape(-1)
    return int(zeros[0]) if zeros.size and (zeros == zeros[0]).all() else None


def _requantize_into(
    codes: NDArray[Any],
    view: layout.KernelView,
    multiplier: Multiplier,
    zero_point: int,
    params: AffineParams,
    method: Requantize,
) -> None:
    m0, shift, m_float32 = kernel_multiplier(multiplier, method)
    _native.requantize(
        view.data,
        codes,
        m0,
        shift,
        zero_point,
        params.qtype.qmin,
        params.qtype.qmax,
        view.outer,
        view.inner,
        int(method),
        m_float32,
    )
