"""The public arithmetic: one function an operation, which hands arrays to NumPy and native code, tensors to torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from halfeven.errors import ParameterError
from halfeven.numerics import product
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.nonlinear import BinaryParams, Log2Params
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Profile, get_profile
from halfeven.ops import numpy_native, numpy_requantize
from halfeven.ops.library import all_torch, is_torch

Params = AffineParams | BinaryParams | Log2Params


def _check_params(params: object) -> None:
    if not isinstance(params, (AffineParams, BinaryParams, Log2Params)):
        raise ParameterError(
            f"params must be AffineParams, BinaryParams or Log2Params, not {type(params).__name__}: see choose_params"
        )


def quantize(x: Any, params: Params, profile: str | Profile = JOURNEY6) -> Any:
    """Codes of real values: ``q = clamp(rhe(f32(f32(r / S) + Z)))`` under ``journey6`` (docs/math/affine.md eq. 2).

    Parameters
    ----------
    x : NumPy array (or what becomes one) or torch tensor of any float type, shape and layout. float16 and bfloat16
        are exact, float64 is rounded to float32 once. ``+-inf`` saturates.
    params : AffineParams, BinaryParams or Log2Params.
    profile : name or Profile; binary and log2 codes are the same under all.

    Returns
    -------
    Codes in ``params.qtype.storage`` (int8 for binary and log2), same shape, library and device.

    Raises
    ------
    NotANumberError
        If ``x`` holds NaN. Inside torch.compile or torch.export, where nothing can raise, NaN gives the code Z.
    ParameterError
        If ``x`` is not of floats, or ``params`` do not fit its shape.

    Examples
    --------
    >>> import numpy as np, halfeven as he
    >>> he.quantize(np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]), he.AffineParams(1.0))
    array([-2, -2,  0,  0,  2,  2], dtype=int8)
    """
    _check_params(params)
    if is_torch(x):
        from halfeven.ops import torch_ops  # noqa: PLC0415  torch loads when a tensor comes

        return torch_ops.quantize(x, params, get_profile(profile))
    return numpy_native.quantize(x, params, get_profile(profile))


def dequantize(codes: Any, params: Params) -> Any:
    """Real values of codes: ``r = f32(f32(q - Z) * S)``, the difference exact (docs/math/affine.md eq. 5).

    Parameters
    ----------
    codes : NumPy array or torch tensor of ``params.qtype.storage`` (int8 for binary and log2).

    Returns
    -------
    float32, same shape, library and device.

    Raises
    ------
    ParameterError
        If the codes are of another type, or ``params`` do not fit their shape.
    """
    _check_params(params)
    if is_torch(codes):
        from halfeven.ops import torch_ops  # noqa: PLC0415

        return torch_ops.dequantize(codes, params)
    return numpy_native.dequantize(codes, params)


def fake_quantize(x: Any, params: Params, profile: str | Profile = JOURNEY6) -> Any:
    """``dequantize(quantize(x))``, float32.

    For torch the gradient is the straight-through estimator with the range mask: that of the output where the rounded
    code, before clamping, lies in ``[qmin, qmax]``, and 0 elsewhere. Binary: where ``|r| <= 1`` (Courbariaux et al.
    2016); log2: where ``|r| <= S sqrt(2)``. Works in torch.compile with ``fullgraph=True``.

    Raises
    ------
    NotANumberError, ParameterError
        As :func:`quantize`.
    """
    _check_params(params)
    if is_torch(x):
        from halfeven.ops import torch_ops  # noqa: PLC0415

        return torch_ops.fake_quantize(x, params, get_profile(profile))
    return numpy_native.fake_quantize(x, params, get_profile(profile))


def requantize(
    acc: Any,
    multiplier: Multiplier,
    params: AffineParams,
    profile: str | Profile = JOURNEY6,
    axis: int | None = None,
) -> Any:
    """``q = clamp(rhe(acc * M0 / 2^shift) + Z)``: the product exact, one rounding (docs/math/requantize.md eq. 9).

    Parameters
    ----------
    acc : integer sums of up to int64, NumPy array or torch tensor of any shape.
    multiplier : M, one or one a channel.
    params : of the output: its zero point and codes.
    profile : how M acc is rounded.
    axis : channel axis of ``multiplier``; by default that of ``params``.

    Returns
    -------
    Codes in ``params.qtype.storage``, same shape, library and device.

    Raises
    ------
    ParameterError
        If ``acc`` is not integer, the channels do not fit, or the profile defines no requantize.
    """
    if not isinstance(multiplier, Multiplier):
        raise ParameterError(
            f"multiplier must be a Multiplier, not {type(multiplier).__name__}: see Multiplier.from_real"
        )
    if not isinstance(params, AffineParams):
        raise ParameterError(f"params must be AffineParams, not {type(params).__name__}: see choose_params")
    if is_torch(acc):
        from halfeven.ops import torch_ops  # noqa: PLC0415

        return torch_ops.requantize(acc, multiplier, params, get_profile(profile), axis)
    return numpy_requantize.requantize(acc, multiplier, params, get_profile(profile), axis)


def quantized_matmul(
    a: Any,
    a_params: AffineParams,
    b: Any,
    b_params: AffineParams,
    out_params: AffineParams,
    bias: Any = None,
    profile: str | Profile = JOURNEY6,
) -> Any:
    """``q3 = clamp(round(M sum_k (a - Za)(b - Zb) + bias) + Z3)``, ``M = Sa Sb / S3`` (docs/math/conv.md eq. 7).

    Parameters
    ----------
    a : codes (..., M, K), one scale for the tensor.
    b : codes (..., K, N); one scale, or one a column (axis -1).
    bias : integer codes at scale ``Sa Sb``, shape (N,) or broadcasting against the product.

    Returns
    -------
    Codes (..., M, N) of ``out_params`` (one scale for the tensor), same library and device. Sums are exact (int64).

    Raises
    ------
    ParameterError
        If the operands are of two libraries, or shapes, codes and parameters do not fit together.
    """
    if all_torch(a=a, b=b, bias=bias):
        from halfeven.ops import torch_ops  # noqa: PLC0415

        return torch_ops.quantized_matmul(a, a_params, b, b_params, out_params, bias, get_profile(profile))
    return product.quantized_matmul(a, a_params, b, b_params, out_params, bias, profile)


def quantized_conv2d(
    x: Any,
    x_params: AffineParams,
    w: Any,
    w_params: AffineParams,
    out_params: AffineParams,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    profile: str | Profile = JOURNEY6,
) -> Any:
    """``q3 = clamp(round(M acc) + Z3)``, ``acc = sum (x - Zx)(w - Zw) + bias`` (docs/math/conv.md eq. 7).

    Parameters
    ----------
    x : codes (N, C, H, W), one scale for the tensor.
    w : codes (O, C / groups, kH, kW), one scale or one a channel (axis 0).
    bias : integer codes (O,) at scale ``Sx Sw``.
    padding : one number, (H, W), or (top, left, bottom, right); padding is real zero, code Zx.

    Returns
    -------
    Codes (N, O, oH, oW) of ``out_params``, same library and device. Sums are exact (int64).

    Raises
    ------
    ParameterError
        If the operands are of two libraries, or shapes, codes and parameters do not fit together.
    """
    window = (stride, padding, dilation, groups)
    if all_torch(x=x, w=w, bias=bias):
        from halfeven.ops import torch_ops  # noqa: PLC0415

        return torch_ops.quantized_conv2d(x, x_params, w, w_params, out_params, bias, *window, get_profile(profile))
    return product.quantized_conv2d(x, x_params, w, w_params, out_params, bias, *window, profile)
