"""The arithmetic over NumPy arrays and torch tensors: each answers in its own library, on its own device."""

from __future__ import annotations

from halfeven.ops.dispatch import (
    dequantize,
    fake_quantize,
    quantize,
    quantized_conv2d,
    quantized_matmul,
    requantize,
)

__all__ = ["dequantize", "fake_quantize", "quantize", "quantized_conv2d", "quantized_matmul", "requantize"]
