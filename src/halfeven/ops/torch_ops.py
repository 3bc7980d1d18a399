"""quantize, dequantize and fake_quantize of torch tensors, by the type of the parameters."""

from __future__ import annotations

from torch import Tensor

from halfeven.numerics.nonlinear import BinaryParams, Log2Params
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile
from halfeven.ops import torch_affine, torch_nonlinear

Params = AffineParams | BinaryParams | Log2Params


def quantize(x: Tensor, params: Params, profile: Profile) -> Tensor:
    """Codes of real values."""
    if isinstance(params, BinaryParams):
        return torch_nonlinear.quantize_binary(x, params)
    if isinstance(params, Log2Params):
        return torch_nonlinear.quantize_log2(x, params)
    return torch_affine.quantize(x, params, profile)


def dequantize(codes: Tensor, params: Params) -> Tensor:
    """Real values of codes."""
    if isinstance(params, BinaryParams):
        return torch_nonlinear.dequantize_binary(codes, params)
    if isinstance(params, Log2Params):
        return torch_nonlinear.dequantize_log2(codes, params)
    return torch_affine.dequantize(codes, params)


def fake_quantize(x: Tensor, params: Params, profile: Profile) -> Tensor:
    """``dequantize(quantize(x))`` with the straight-through gradient."""
    if isinstance(params, BinaryParams):
        return torch_nonlinear.fake_quantize_binary(x, params)
    if isinstance(params, Log2Params):
        return torch_nonlinear.fake_quantize_log2(x, params)
    return torch_affine.fake_quantize(x, params, profile)
