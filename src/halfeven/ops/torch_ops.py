"""The public arithmetic of torch tensors: values by the type of their parameters, integer sums beside torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from halfeven.numerics.nonlinear import BinaryParams, Log2Params
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile
from halfeven.ops import torch_affine, torch_nonlinear, torch_product, torch_requantize

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


def requantize(*arguments: Any) -> Tensor:
    """Codes of integer sums: ``torch_requantize.requantize``."""
    return _beside_compile(torch_requantize.requantize)(*arguments)


def quantized_matmul(*arguments: Any) -> Tensor:
    """Codes of a matrix product: ``torch_product.quantized_matmul``."""
    return _beside_compile(torch_product.quantized_matmul)(*arguments)


def quantized_conv2d(*arguments: Any) -> Tensor:
    """Codes of a convolution: ``torch_product.quantized_conv2d``."""
    return _beside_compile(torch_product.quantized_conv2d)(*arguments)


def _beside_compile(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """``function``, which compiled code calls instead of tracing: its multipliers come from NumPy."""
    return torch.compiler.disable(function) if torch.compiler.is_dynamo_compiling() else function
