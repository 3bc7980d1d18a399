"""What the kernels are given instead of zero points and multipliers: folded biases, M as a double, rules on bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute.plan.layout import STORED_ABOVE
from halfeven.ir.instructions import Add
from halfeven.ir.rescale import Accumulator, Rescale, Target
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import Requantize
from halfeven.ops.numpy_requantize import kernel_multiplier

FAR = 200  # shifts beyond have the result of this one
EXACT_FLOATS = 2**24
MOST_SHIFT = 100  # 2^-shift is a normal float32 with room for 24 bits


def stored(code: int, dtype: Any) -> int:
    """What stands for a code in memory."""
    return code + STORED_ABOVE.get(np.dtype(dtype), 0)


def stored_rescale(multiplier: Multiplier, target: Target, method: Requantize) -> _native.Rescale:
    """The rescale whose results are as stored: Z and the clamp are applied after the rounding, so they may be moved."""
    bounds = [stored(q, target.qtype.storage) for q in (target.zero_point, target.qmin, target.qmax)]
    return _native.Rescale(*kernel_multiplier(multiplier, method), int(method), *bounds)


def doubles(multiplier: Multiplier, channels: int) -> NDArray[np.float64]:
    """``M = m0 2^-shift``, exact, one a channel."""
    shift = np.clip(multiplier.shift, -FAR, FAR).astype(np.int32)
    m = np.ldexp(multiplier.m0.astype(np.float64), -shift).reshape(-1)
    return np.ascontiguousarray(np.broadcast_to(m, channels))


def rescaled_in_kernel(how: Rescale, accumulator: Accumulator) -> bool:
    """Whether one fused multiply-add rounds every sum: half to even, and ``|M acc| < 2^31``."""
    channels = max(how.multiplier.m0.size, accumulator.bound.size)
    largest = doubles(how.multiplier, channels) * np.broadcast_to(accumulator.bound.reshape(-1), channels)
    return how.method is Requantize.EXACT_HALF_EVEN and bool(largest.max(initial=0) < 2**31 - 2**8)


def folded_bias(bias: NDArray[np.int64], sums: NDArray[np.int64], zero: int) -> NDArray[np.int32]:
    """``b - zero * sum(w)`` modulo 2^32: the sum that it is part of fits int32."""
    return (bias - zero * sums).astype(np.uint64).astype(np.uint32).view(np.int32)


def sum_rule(i: Add, a_dtype: Any, b_dtype: Any) -> tuple[float, float, float, int, int, int] | None:
    """Multipliers, constant, zero and clamp of an addition on bytes, where float32 holds every term; else None."""
    largest = 255 * (abs(i.a_multiplier) + abs(i.b_multiplier))
    if largest > EXACT_FLOATS or not 0 <= i.shift <= MOST_SHIFT:
        return None
    unit = 2.0**-i.shift
    zeros = stored(i.a_zero, a_dtype) * i.a_multiplier + stored(i.b_zero, b_dtype) * i.b_multiplier
    bounds = [stored(q, i.target.qtype.storage) for q in (i.target.zero_point, i.target.qmin, i.target.qmax)]
    return (i.a_multiplier * unit, i.b_multiplier * unit, -zeros * unit, bounds[0], bounds[1], bounds[2])
