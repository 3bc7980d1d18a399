"""Integer matrix product and convolution in torch, exact: tested equal to the reference, ``halfeven.numerics.product``.

torch multiplies floats fast and integers slowly or not at all, so centered codes are multiplied as floats, in a type
that holds every partial sum: whatever the order of the additions, each is exact. Convolution is a matrix product of
windows, because a convolution library may choose an algorithm (Winograd, FFT) that rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from halfeven.errors import ParameterError
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.product import check_accumulator, check_conv2d, check_matmul, conv2d_window, window_counts
from halfeven.numerics.profile import Profile
from halfeven.numerics.requantize import method_of
from halfeven.ops.torch_params import check_codes, expanded, largest
from halfeven.ops.torch_requantize import INTEGERS, clamp_codes, scale_accumulator

FLOAT32_INTEGERS = 2**24
FLOAT64_INTEGERS = 2**53
BFLOAT16_INTEGERS = 2**8
INT32_MAX = 2**31 - 1
HALF_WORD = 16

Product = Callable[[Tensor, Tensor], Tensor]


def quantized_matmul(
    a: Tensor,
    a_params: AffineParams,
    b: Tensor,
    b_params: AffineParams,
    out_params: AffineParams,
    bias: Tensor | None,
    profile: Profile,
) -> Tensor:
    """``q3 = clamp(round(M sum_k (a - Za)(b - Zb) + bias) + Z3)``."""
    _check_device(a, b, bias)
    x, w = _centered(a, a_params), _centered(b, b_params)
    check_matmul(tuple(a.shape), a_params, tuple(b.shape), b_params, out_params)
    acc, bound = _exact(x, w, torch.matmul, a.shape[-1], largest(a_params), largest(b_params))
    multiplier = Multiplier.from_scales((a_params.scale, b_params.scale), out_params.scale, profile)
    return _to_codes(acc, bound, _checked_bias(bias), multiplier, out_params, profile, -1)


def quantized_conv2d(
    x: Tensor,
    x_params: AffineParams,
    w: Tensor,
    w_params: AffineParams,
    out_params: AffineParams,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: int | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
    profile: Profile,
) -> Tensor:
    """``q3 = clamp(round(M acc) + Z3)``, ``acc = sum (x - Zx)(w - Zw) + bias``."""
    _check_device(x, w, bias)
    xc, wc = _centered(x, x_params), _centered(w, w_params)
    check_conv2d(tuple(x.shape), x_params, tuple(w.shape), w_params, out_params, groups)
    strides, pads, dilations = conv2d_window(stride, padding, dilation)

    def convolve(a: Tensor, b: Tensor) -> Tensor:
        return _convolve(a, b, strides, pads, dilations, groups)

    acc, bound = _exact(xc, wc, convolve, prod(w.shape[1:]), largest(x_params), largest(w_params))
    multiplier = Multiplier.from_scales((x_params.scale, w_params.scale), out_params.scale, profile)
    channels = _checked_bias(bias)
    return _to_codes(
        acc, bound, None if channels is None else channels.reshape(1, -1, 1, 1), multiplier, out_params, profile, 1
    )


def _check_device(first: Tensor, second: Tensor, bias: Tensor | None) -> None:
    devices = {str(t.device) for t in (first, second, bias) if t is not None}
    if len(devices) > 1:
        raise ParameterError(f"operands must be on one device, not on {' and '.join(sorted(devices))}")


def _centered(codes: Tensor, params: AffineParams) -> Tensor:
    """``q - Z`` as int64."""
    check_codes(codes, params)
    return codes.to(torch.int64) - expanded(params, codes)[1]


def _exact(x: Tensor, w: Tensor, product: Product, terms: int, x_max: int, w_max: int) -> tuple[Tensor, int]:
    """The bilinear ``product`` of integers as int64, and a bound on its magnitude: ``terms`` products of the largest.

    float32 only where the operands are also bfloat16 integers, so that modes which multiply float32 in fewer bits
    (TF32, bfloat16) change nothing.
    """
    bound = terms * x_max * w_max
    if bound <= FLOAT32_INTEGERS and max(x_max, w_max) <= BFLOAT16_INTEGERS:
        return product(x.to(torch.float32), w.to(torch.float32)).to(torch.int64), bound
    if bound <= FLOAT64_INTEGERS:
        return product(x.to(torch.float64), w.to(torch.float64)).to(torch.int64), bound
    return _in_halves(x, w, product, terms), bound


def _magnitude(t: Tensor) -> int:
    return int(t.abs().max()) if t.numel() else 0


def _in_halves(x: Tensor, w: Tensor, product: Product, terms: int) -> Tensor:
    """Each operand as ``high * 2^16 + low``: centered 32-bit codes lie within 2^32, so four exact products do."""
    if terms << 2 * HALF_WORD > FLOAT64_INTEGERS:
        raise ParameterError(f"a sum of {terms} products of 32-bit codes is too long: at most {2**21} were expected")
    if not torch.compiler.is_compiling():
        check_accumulator(terms, _magnitude(x), _magnitude(w))
    mask = (1 << HALF_WORD) - 1
    x_high, x_low, w_high, w_low = (t.to(torch.float64) for t in (x >> HALF_WORD, x & mask, w >> HALF_WORD, w & mask))
    high = product(x_high, w_high).to(torch.int64)
    middle = product(x_high, w_low).to(torch.int64) + product(x_low, w_high).to(torch.int64)
    return (((high << HALF_WORD) + middle) << HALF_WORD) + product(x_low, w_low).to(torch.int64)


def _convolve(
    x: Tensor,
    w: Tensor,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """(N, C, H, W) with (O, C / groups, kH, kW): windows as columns, then one matrix product a group."""
    (top, bottom), (left, right) = padding
    x = torch.nn.functional.pad(x, (left, right, top, bottom))
    kernel = tuple(w.shape[2:])
    out = window_counts(tuple(x.shape[2:]), kernel, stride, dilation)
    n, o = x.shape[0], w.shape[0]
    columns = torch.nn.functional.unfold(x, kernel, dilation=tuple(dilation), stride=tuple(stride))
    rows = prod(w.shape[1:])
    acc = torch.matmul(w.reshape(groups, o // groups, rows), columns.reshape(n, groups, rows, prod(out)))
    return acc.reshape(n, o, *out)


def _checked_bias(bias: Tensor | None) -> Tensor | None:
    if bias is not None and bias.dtype not in INTEGERS:
        raise ParameterError(f"a bias is given as integer codes at the product's scale, not {bias.dtype}")
    return bias


def _to_codes(
    acc: Tensor,
    bound: int,
    bias: Tensor | None,
    multiplier: Multiplier,
    out_params: AffineParams,
    profile: Profile,
    axis: int,
) -> Tensor:
    narrow = bias is None and bound <= INT32_MAX
    total: Any = acc if bias is None else acc + bias.to(torch.int64)
    scaled = scale_accumulator(total, multiplier, method_of(profile), axis, narrow=narrow)
    return clamp_codes(scaled, expanded(out_params, total)[1], out_params.qtype)
