"""Products with constants, quotients, comparisons and choices in plain NumPy, exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute.exact import centered, write
from halfeven.execute.slopes import layout
from halfeven.execute.sums import broadcast_to, rows_of
from halfeven.ir.slopes import Divide, Factors, Slopes
from halfeven.ir.sums import AddSums
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.requantize import scale_accumulator
from halfeven.numerics.rounding import divide_half_even, shift_half_even

Array = NDArray[Any]
BEYOND = 1 << 62


def slopes(i: Slopes, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """``clamp(round(F (x - Zx)) + Z)``."""
    x = centered(arrays[0], i.x_zero)
    rows = x.reshape(layout(i, x.shape))
    scaled = np.where(rows >= 0, _times(i, i.above, rows), _times(i, i.below, rows))
    return (write(scaled, i.target).reshape(x.shape),)


def _times(i: Slopes, factors: Factors, rows: Array) -> Array:
    m = factors.multiplier
    m = Multiplier(m.m0.reshape(-1, 1), m.shift.reshape(-1, 1), m.bits)
    return scale_accumulator(rows * factors.sign.reshape(-1, 1), m, i.method)


def divide(i: Divide, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """``clamp(rhe(M (a - Za) / (b - Zb)) + Z)``."""
    a, b = np.broadcast_arrays(centered(arrays[0], i.a_zero), centered(arrays[1], i.b_zero))
    m0, shift = int(i.multiplier.m0), int(i.multiplier.shift)
    numerator = (np.where(b < 0, -a, a) * m0) << max(-shift, 0)
    denominator = np.maximum(np.abs(b), 1) << max(shift, 0)
    scaled = np.where(b == 0, np.sign(a) * BEYOND, divide_half_even(numerator, denominator))
    return (write(scaled, i.target),)


def add_sums(i: AddSums, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """``clamp(rhe((a A_c + (b - Zb) B_c) / 2^k_c) + Z)``."""
    a = arrays[0].astype(np.int64)
    b = centered(broadcast_to(arrays[1], a.shape), i.b_zero)
    outer = rows_of(a.shape, i.axis)
    left, right, shift = (m.reshape(-1, 1) for m in (i.a_multiplier, i.b_multiplier, i.shift))
    total = a.reshape(outer) * left + b.reshape(outer) * right
    scaled = np.where(shift > 0, shift_half_even(total, np.maximum(shift, 1)), total)
    return (write(scaled, i.target).reshape(a.shape),)
