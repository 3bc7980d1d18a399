"""Integer matrix product and convolution. Source: docs/math/conv.md eq. 6, 7."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halfeven.errors import AccumulatorError, ParameterError
from halfeven.numerics.affine import as_codes
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Profile
from halfeven.numerics.requantize import requantize

Integers = NDArray[Any]
Shape = tuple[int, ...]
INT64_HALF = 2**62


def centered(codes: ArrayLike, params: AffineParams) -> Integers:
    """``q - Z`` as int64, after checking the type of the codes."""
    q = as_codes(codes, params)
    _, zero = params.expanded(q.shape)
    return np.asarray(q.astype(np.int64) - zero)


def quantize_bias(bias: ArrayLike, scale: ArrayLike) -> NDArray[np.int64]:
    """``b = rhe(r_b / (S1 S2))`` in float64, as int64 codes: the caller decides whether int32 holds them.

    Raises
    ------
    ParameterError
        If a bias is NaN or infinite.
    AccumulatorError
        If a code is beyond 2^62.
    """
    b = np.asarray(bias, np.float64)
    if not np.isfinite(b).all():
        raise ParameterError("a bias must be finite")
    codes = np.rint(b / np.asarray(scale, np.float64))
    if (np.abs(codes) > 2.0**62).any():
        raise AccumulatorError(
            f"a bias code of {np.abs(codes).max():.3g} does not fit: its input's or weight's scale is too small"
        )
    return codes.astype(np.int64)


def _check_per_tensor(name: str, params: AffineParams) -> None:
    if params.axis is not None:
        raise ParameterError(f"{name} must have one scale for the whole tensor here")


def check_accumulator(terms: int, x_max: int, w_max: int) -> None:
    """Raise AccumulatorError where ``terms`` products of such magnitudes may leave int64 (half of it is the bias's)."""
    if terms * x_max * w_max > INT64_HALF:
        raise AccumulatorError(
            f"a sum of {terms} products of up to {x_max} * {w_max} may leave int64: use narrower codes"
        )


def _magnitude(a: Integers) -> int:
    return int(np.abs(a).max(initial=0))


def check_matmul(a: Shape, a_params: AffineParams, b: Shape, b_params: AffineParams, out_params: AffineParams) -> None:
    """Raise ParameterError unless shapes ``a`` and ``b`` multiply and their scales can leave the sum."""
    _check_per_tensor("the first operand", a_params)
    _check_per_tensor("the output", out_params)
    if len(a) < 1 or len(b) < 1 or a[-1] != b[-2 if len(b) > 1 else 0]:
        raise ParameterError(f"shapes {a} and {b} do not multiply")
    if b_params.axis is not None and (len(b) < 2 or b_params.normalized_axis(b) != len(b) - 1):  # noqa: PLR2004
        raise ParameterError("the second operand's scales must be one a column: axis=-1")


def check_conv2d(
    x: Shape, x_params: AffineParams, w: Shape, w_params: AffineParams, out_params: AffineParams, groups: int
) -> None:
    """Raise ParameterError unless an input and weights of these shapes convolve and their scales can leave the sum."""
    _check_per_tensor("the input", x_params)
    _check_per_tensor("the output", out_params)
    if len(x) != 4 or len(w) != 4:  # noqa: PLR2004
        raise ParameterError(f"conv2d expects (N, C, H, W) and (O, C/groups, kH, kW), not {x} and {w}")
    if groups < 1 or w[0] % groups or x[1] != w[1] * groups:
        raise ParameterError(f"{x[1]} channels, weights {w} and groups={groups} do not fit together")
    if w_params.axis is not None and w_params.normalized_axis(w) != 0:
        raise ParameterError("the weight's scales must be one an output channel: axis=0")


def quantized_matmul(
    a: ArrayLike,
    a_params: AffineParams,
    b: ArrayLike,
    b_params: AffineParams,
    out_params: AffineParams,
    bias: ArrayLike | None = None,
    profile: str | Profile = JOURNEY6,
) -> Integers:
    """``q3 = clamp(round(M sum_k (a - Za)(b - Zb) + bias) + Z3)``, ``M = Sa Sb / S3`` (docs/math/conv.md eq. 7).

    Parameters
    ----------
    a : codes (..., M, K), one scale for the tensor.
    b : codes (..., K, N); one scale, or one a column (axis -1).
    bias : int32 codes at scale ``Sa Sb``, shape (N,) or broadcasting against the product.

    Returns
    -------
    Codes (..., M, N) of ``out_params`` (one scale for the tensor). Sums are exact (int64).
    """
    x, w = centered(a, a_params), centered(b, b_params)
    check_matmul(x.shape, a_params, w.shape, b_params, out_params)
    check_accumulator(x.shape[-1], _magnitude(x), _magnitude(w))
    acc = np.matmul(x, w) + _bias(bias)
    m = Multiplier.from_scales((a_params.scale, b_params.scale), out_params.scale, profile)
    return requantize(acc, m, out_params, profile, axis=-1)


def _bias(bias: ArrayLike | None) -> Integers:
    b = np.asarray(0 if bias is None else bias)
    if b.dtype.kind not in "iu":
        raise ParameterError(f"a bias is given as integer codes at the product's scale, not {b.dtype}")
    return b.astype(np.int64)


def pair(value: int | Sequence[int], rank: int, name: str) -> tuple[int, ...]:
    """One number for each of ``rank`` spatial axes."""
    values = (value,) * rank if isinstance(value, (int, np.integer)) else tuple(int(v) for v in value)
    if len(values) != rank:
        raise ParameterError(f"{name} needs 1 or {rank} values, not {values}")
    return values


def window_counts(size: Shape, kernel: Shape, stride: Sequence[int], dilation: Sequence[int]) -> Shape:
    """Windows along each axis of a padded input of ``size``.

    Raises
    ------
    ParameterError
        If there is none.
    """
    span = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    out = tuple((n - s) // t + 1 for n, s, t in zip(size, span, stride, strict=True))
    if min(out, default=1) < 1:
        raise ParameterError(f"a kernel of extent {span} does not fit a padded input of {size}")
    return out


def convolve(
    x: Integers,
    w: Integers,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Integers:
    """``sum (x - Zx)(w - Zw)`` over each window, int64; padding is 0, which is real zero for centered codes.

    Parameters
    ----------
    x : centered codes (N, C, *spatial). w : centered codes (O, C / groups, *kernel).
    padding : (begin, end) for each spatial axis.

    Returns
    -------
    int64 (N, O, *out).
    """
    rank = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *padding])
    kernel = w.shape[2:]
    out = window_counts(x.shape[2:], kernel, stride, dilation)
    n, o = x.shape[0], w.shape[0]
    windows = x.reshape(n, groups, x.shape[1] // groups, *x.shape[2:])
    weights = w.reshape(groups, o // groups, *w.shape[1:])
    acc = np.zeros((n, groups, o // groups, *out), np.int64)
    for tap in np.ndindex(*kernel):
        view = tuple(
            slice(t * d, t * d + s * (m - 1) + 1, s) for t, d, s, m in zip(tap, dilation, stride, out, strict=True)
        )
        patch = windows[(slice(None), slice(None), slice(None), *view)]
        taps = weights[(slice(None), slice(None), slice(None), *tap)]
        flat = patch.reshape(n, groups, patch.shape[2], math.prod(out))
        acc += np.matmul(taps, flat).reshape(acc.shape)
    return acc.reshape(n, o, *out[:rank])


def quantized_conv2d(
    x: ArrayLike,
    x_params: AffineParams,
    w: ArrayLike,
    w_params: AffineParams,
    out_params: AffineParams,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    profile: str | Profile = JOURNEY6,
) -> Integers:
    """``q3 = clamp(round(M acc) + Z3)``, ``acc = sum (x - Zx)(w - Zw) + bias`` (docs/math/conv.md eq. 7).

    Parameters
    ----------
    x : codes (N, C, H, W), one scale for the tensor.
    w : codes (O, C / groups, kH, kW), one scale or one a channel (axis 0).
    bias : int32 codes (O,) at scale ``Sx Sw``.
    padding : one number, (H, W), or (top, left, bottom, right); padding is real zero, code Zx.

    Returns
    -------
    Codes (N, O, oH, oW) of ``out_params``.
    """
    xc, wc = centered(x, x_params), centered(w, w_params)
    check_conv2d(xc.shape, x_params, wc.shape, w_params, out_params, groups)
    check_accumulator(int(np.prod(wc.shape[1:])), _magnitude(xc), _magnitude(wc))
    acc = convolve(xc, wc, *conv2d_window(stride, padding, dilation), groups)
    acc = acc + _bias(bias).reshape(1, -1, 1, 1)
    m = Multiplier.from_scales((x_params.scale, w_params.scale), out_params.scale, profile)
    return requantize(acc, m, out_params, profile, axis=1)


def conv2d_window(
    stride: int | Sequence[int], padding: int | Sequence[int], dilation: int | Sequence[int]
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Stride, padding (begin, end) and dilation, checked, one entry for each of (H, W).

    ``padding`` is given as one number, (H, W), or (top, left, bottom, right).
    """
    strides, dilations = pair(stride, 2, "stride"), pair(dilation, 2, "dilation")
    if min(*strides, *dilations) < 1:
        raise ParameterError(f"stride {strides} and dilation {dilations} must be >= 1")
    return strides, _pads(padding), dilations


def _pads(padding: int | Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    values = (padding,) * 4 if isinstance(padding, (int, np.integer)) else tuple(int(v) for v in padding)
    if len(values) == 2:  # noqa: PLR2004
        values = (*values, *values)
    if len(values) != 4 or min(values) < 0:  # noqa: PLR2004
        raise ParameterError(f"padding is one number, (H, W), or (top, left, bottom, right), all >= 0: {padding}")
    return (values[0], values[2]), (values[1], values[3])
