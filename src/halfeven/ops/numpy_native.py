"""NumPy arrays through the native kernels, tested equal to the reference in ``halfeven.numerics``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halfeven import _native
from halfeven.errors import NotANumberError
from halfeven.numerics import nonlinear
from halfeven.numerics.affine import as_codes, as_float32
from halfeven.numerics.nonlinear import BinaryParams, Log2Params
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, ZeroPoint
from halfeven.numerics.rounding import F32
from halfeven.ops import layout

Params = AffineParams | BinaryParams | Log2Params


def quantize(x: ArrayLike, params: Params, profile: Profile, threads: int = 0) -> NDArray[Any]:
    """Codes of real values."""
    if isinstance(params, BinaryParams):
        return nonlinear.quantize_binary(x, params)
    if isinstance(params, Log2Params):
        return nonlinear.quantize_log2(x, params)
    view, scale, zero_point = layout.view(as_float32(x), params)
    codes = view.empty(params.qtype.storage)
    if codes.size:
        count = _native.quantize(
            view.data,
            codes,
            scale,
            zero_point,
            params.qtype.qmin,
            params.qtype.qmax,
            view.outer,
            view.inner,
            int(profile.scaling),
            profile.zero_point is ZeroPoint.INSIDE,
            int(profile.rounding),
            threads=threads,
        )
        if count:
            raise NotANumberError(count)
    return view.restore(codes)


def dequantize(codes: ArrayLike, params: Params, threads: int = 0) -> F32:
    """Real values of codes."""
    if isinstance(params, BinaryParams):
        return nonlinear.dequantize_binary(codes, params)
    if isinstance(params, Log2Params):
        return nonlinear.dequantize_log2(codes, params)
    q = as_codes(codes, params)
    view, scale, zero_point = layout.view(q, params)
    values = view.empty(np.dtype(np.float32))
    if values.size:
        _native.dequantize(view.data, values, scale, zero_point, view.outer, view.inner, threads=threads)
    return view.restore(values)


def fake_quantize(x: ArrayLike, params: Params, profile: Profile) -> F32:
    """``dequantize(quantize(x))``."""
    return dequantize(quantize(x, params, profile), params)
