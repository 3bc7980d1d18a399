"""Between codes and exact sums in NumPy: what the reference evaluators share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.rescale import Rescale, Target
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.requantize import clamp_codes, scale_accumulator

Array = NDArray[Any]


def write(scaled: Array, target: Target) -> Array:
    """``clamp(scaled + Z)`` as codes."""
    return clamp_codes(scaled, target.zero_point, target.qmin, target.qmax, target.qtype.storage)


def rescale(acc: Array, how: Rescale, axis: int | None = None) -> Array:
    """``clamp(round(M acc) + Z)``; M one a channel of ``axis``."""
    m = how.multiplier
    if m.m0.ndim and axis is not None:
        channels = [1] * acc.ndim
        channels[axis] = -1
        m = Multiplier(m.m0.reshape(channels), m.shift.reshape(channels), m.bits)
    return write(scale_accumulator(acc, m, how.method), how.target)


def centered(codes: Array, zero: int) -> Array:
    """``q - Z`` as int64."""
    return codes.astype(np.int64) - zero
