"""Binary and log2 quantizers of torch tensors, tested equal to the reference in ``halfeven.numerics.nonlinear``."""

from __future__ import annotations

import torch
from torch import Tensor

from halfeven.errors import ParameterError
from halfeven.numerics.nonlinear import BinaryParams, Log2Params
from halfeven.ops.torch_float import as_float32, refuse_nan
from halfeven.ops.torch_gradient import straight_through, wants_gradient
from halfeven.ops.torch_params import along, placed


def _scale(params: BinaryParams | Log2Params, x: Tensor) -> Tensor:
    return along(placed(params.scale, x.device), params.axis, x)


def quantize_binary(x: Tensor, params: BinaryParams) -> Tensor:
    """``q = +1 where r >= 0 (also -0.0), else -1``; int8. NaN raises; compiled, it gives -1."""
    r = as_float32(x)
    _scale(params, r)
    refuse_nan(r)
    return torch.where(r >= 0, 1, -1).to(torch.int8)


def quantize_log2(x: Tensor, params: Log2Params) -> Tensor:
    """Sign and exponent code, int8: thresholds at ``|r|^2 = S^2 2^-(2k+1)``, exact in float64.

    NaN raises; compiled, it gives 0.
    """
    r = as_float32(x)
    threshold = _scale(params, r).double().square()
    refuse_nan(r)
    square = r.double().square()
    code = torch.zeros_like(r, dtype=torch.int64)
    for k in range(params.kmax):  # one more for each threshold passed, from S 2^-(K-1/2) up
        code += square >= threshold * 2.0 ** -(2 * k + 1)
    magnitude = torch.where(code == 0, 0, params.kmax + 1 - code)
    return torch.where(torch.signbit(r), -magnitude, magnitude).to(torch.int8)


def dequantize_binary(codes: Tensor, params: BinaryParams) -> Tensor:
    """``r = S q``."""
    if codes.dtype != torch.int8 or (not torch.compiler.is_compiling() and bool((codes.abs() != 1).any())):
        raise ParameterError("binary codes are int8, -1 or +1")
    return codes.to(torch.float32) * _scale(params, codes)


def dequantize_log2(codes: Tensor, params: Log2Params) -> Tensor:
    """``r = sign(q) S 2^-(|q| - 1)``, 0 for code 0."""
    q = codes.to(torch.int64)
    if codes.dtype != torch.int8 or (not torch.compiler.is_compiling() and bool((q.abs() > params.kmax).any())):
        raise ParameterError(f"log2 codes of {params.bits} bits are int8 in [-{params.kmax}, {params.kmax}]")
    # A table, because pow is not exact everywhere.
    powers = torch.tensor([2.0**-k for k in range(params.kmax)], dtype=torch.float64, device=codes.device)
    return (q.sign() * _scale(params, codes).double() * powers[(q.abs() - 1).clamp(min=0)]).to(torch.float32)


def fake_quantize_binary(x: Tensor, params: BinaryParams) -> Tensor:
    """``S sign(r)``; the gradient passes where ``|r| <= 1`` (Courbariaux et al. 2016)."""
    mask = as_float32(x).abs() <= 1 if wants_gradient(x) else None
    return straight_through(x, dequantize_binary(quantize_binary(x, params), params), mask)


def fake_quantize_log2(x: Tensor, params: Log2Params) -> Tensor:
    """``dequantize(quantize(x))``; the gradient passes where ``|r| <= S sqrt(2)``, the last value that rounds to S."""
    values = dequantize_log2(quantize_log2(x, params), params)
    if not wants_gradient(x):
        return values
    r = as_float32(x)
    return straight_through(x, values, r.double().square() <= 2 * _scale(params, r).double().square())
