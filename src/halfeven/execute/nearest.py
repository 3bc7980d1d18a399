"""Nearest neighbours of a resized axis, in float32 steps as ONNX Runtime takes them (ONNX Resize-19)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = np.float32


def nearest(size: int, target: int | None, scale: float | None, coordinates: str, rounding: str) -> NDArray[np.int64]:
    """The input index that each output index takes, for an axis of ``size``, given its new size or its scale."""
    out = int(np.floor(F32(size) * F32(scale))) if target is None else target
    ratio = F32(scale) if scale is not None else F32(out) / F32(size)
    if ratio == 1 and out == size:
        return np.arange(size)
    source = _source(np.arange(out).astype(F32), size, out, ratio, coordinates)
    return np.clip(_round(source, rounding), 0, size - 1).astype(np.int64)


def _source(x: NDArray[np.float32], size: int, out: int, ratio: np.float32, coordinates: str) -> NDArray[np.float32]:
    half = F32(0.5)
    if coordinates == "asymmetric":
        return np.asarray(x / ratio)
    if coordinates == "align_corners":
        return np.asarray(x * F32(size - 1) / F32(out - 1)) if out > 1 else np.zeros_like(x)
    if coordinates == "pytorch_half_pixel" and out <= 1:
        return np.zeros_like(x)
    return np.asarray((x + half) / ratio - half)


def _round(x: NDArray[np.float32], rounding: str) -> NDArray[np.float32]:
    if rounding == "floor":
        return np.asarray(np.floor(x))
    if rounding == "ceil":
        return np.asarray(np.ceil(x))
    if rounding == "round_prefer_ceil":
        return np.asarray(np.floor(x + F32(0.5)))
    return np.asarray(np.ceil(x - F32(0.5)))
