"""What the kernel tests share: instruction sets of this machine, profiles of every rule, inputs that find mistakes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.numerics.affine import dequantize, quantize_unchecked
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, Requantize, Scaling, ZeroPoint
from halfeven.numerics.qtype import QType, int4, int8, int16, int32, uint8, uint16
from halfeven.numerics.rounding import Rounding

F32 = NDArray[np.float32]
Codes = NDArray[Any]

ISAS = [name for name, _, supported in _native.isa_names() if supported]
QTYPES = [int8, uint8, int16, uint16, int32, int4, QType("narrow", -127, 127, np.dtype(np.int8))]
RULES = [
    Profile(f"{scaling.name}-{side.name}-{rounding.name}", "", scaling=scaling, zero_point=side, rounding=rounding)
    for scaling, side, rounding in product(Scaling, ZeroPoint, Rounding)
]
METHODS = list(Requantize)


def index_of(isa: str) -> int:
    return [name for name, _, _ in _native.isa_names()].index(isa)


def reals(scale: float, zero_point: int, qtype: QType, seed: int = 0, count: int = 500) -> F32:
    """Random values over and beyond the codes, ties and their neighbours, extremes and subnormals; no NaN."""
    rng = np.random.default_rng(seed)
    width = float(qtype.qmax - qtype.qmin)
    steps = rng.uniform(qtype.qmin - zero_point - 0.1 * width, qtype.qmax - zero_point + 0.1 * width, count)
    ties = np.concatenate([np.floor(steps) + 0.5, np.arange(-8, 8) + 0.5, np.arange(-8, 8)])
    with np.errstate(over="ignore", under="ignore"):
        near = np.concatenate([steps, ties]).astype(np.float32) * np.float32(scale)
        around = np.concatenate([near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))])
    magnitudes = [0, 1e-45, 1e-39, 1.1754944e-38, 0.49999997, 0.5, 1.5, 1e20, 3.4e38, np.inf]
    return np.concatenate([around, np.float32(magnitudes), -np.float32(magnitudes)])


def quantize(
    x: F32, params: AffineParams, rule: Profile, isa: str, threads: int = 1, out: Codes | None = None
) -> tuple[Codes, int]:
    """Codes and the number of NaN, by the kernel of ``isa``."""
    codes = np.empty(x.shape, params.qtype.storage) if out is None else out
    scale, zero, outer, inner = _layout(x.shape, params)
    range_ = params.qtype.qmin, params.qtype.qmax
    how = int(rule.scaling), rule.zero_point is ZeroPoint.INSIDE, int(rule.rounding)
    return codes, _native.quantize(x, codes, scale, zero, *range_, outer, inner, *how, index_of(isa), threads)


def dequantized(q: Codes, params: AffineParams, isa: str, threads: int = 1, out: F32 | None = None) -> F32:
    values = np.empty(q.shape, np.float32) if out is None else out
    scale, zero, outer, inner = _layout(q.shape, params)
    _native.dequantize(q, values, scale, zero, outer, inner, index_of(isa), threads)
    return values


def expected_codes(x: F32, params: AffineParams, rule: Profile) -> Codes:
    return quantize_unchecked(x, params, rule)


def expected_reals(q: Codes, params: AffineParams) -> F32:
    return dequantize(q, params)


def _layout(shape: tuple[int, ...], params: AffineParams) -> tuple[F32, NDArray[np.int32], int, int]:
    scale, zero = params.scale.reshape(-1), params.zero_point.reshape(-1)
    if params.axis is None:
        return scale, zero, 1, int(np.prod(shape))
    return scale, zero, int(np.prod(shape[: params.axis])), int(np.prod(shape[params.axis + 1 :]))


def per_channel(channels: int, qtype: QType, axis: int, seed: int = 3) -> AffineParams:
    rng = np.random.default_rng(seed)
    zero = rng.integers(max(qtype.qmin, -70000), min(qtype.qmax, 70000), channels, endpoint=True)
    return AffineParams(rng.uniform(0.001, 2, channels), zero, qtype, axis)


def zero_points(qtype: QType) -> list[int]:
    return sorted({qtype.qmin, qtype.qmin // 2 + 1, min(max(0, qtype.qmin), qtype.qmax), 3, qtype.qmax})


def bits(x: F32) -> NDArray[np.uint32]:
    return x.view(np.uint32)
