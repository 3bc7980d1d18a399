"""Products with constants, quotients, comparisons and choices in the compiled kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute import native_arguments as arguments
from halfeven.execute.native_arguments import codes, contiguous, native_rescale, run
from halfeven.execute.slopes import layout
from halfeven.execute.sums import broadcast_to, rows_of
from halfeven.ir.slopes import Divide, Factors, Slopes
from halfeven.ir.sums import AddSums
from halfeven.numerics.multiplier import Multiplier

Array = NDArray[Any]
SHORT_ROW = 512  # elements below which a row of channels is not worth a call of the kernel


def slopes(i: Slopes, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """``clamp(round(F (x - Zx)) + Z)``."""
    x = contiguous(arrays[0])
    y = codes(x.shape, i.target)
    outer, channels, inner = layout(i, x.shape)
    times = _repeats(outer, channels) if inner == 1 else 1
    rows = x.reshape(outer // times, channels * times, inner)
    sides = [part for factors in (i.above, i.below) for part in _side(i, factors, times)]
    run(_native.slopes, rows, y, i.x_zero, *sides, -1, threads)
    return (y,)


def _repeats(outer: int, channels: int) -> int:
    """How many short rows are taken as one."""
    times = 1
    while outer % (2 * times) == 0 and outer and 2 * times * channels <= SHORT_ROW:
        times *= 2
    return times


def _side(i: Slopes, factors: Factors, times: int) -> tuple[Array, _native.Rescale]:
    m, sign = factors.multiplier, factors.sign.reshape(-1)
    if sign.size > 1:
        m, sign = Multiplier(np.tile(m.m0, times), np.tile(m.shift, times), m.bits), np.tile(sign, times)
    return sign, native_rescale(m, i.target, i.method)


def divide(i: Divide, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """``clamp(rhe(M (a - Za) / (b - Zb)) + Z)``."""
    a, b = contiguous(arrays[0]), contiguous(arrays[1])
    both, to = arguments.broadcast(a, b), i.target
    y = codes(both.result, to)
    if y.size:
        walk = both.shape, both.a_strides, both.b_strides
        rule = i.a_zero, i.b_zero, int(i.multiplier.m0), int(i.multiplier.shift)
        run(_native.divide, a, b, y, *walk, *rule, to.zero_point, to.qmin, to.qmax, threads)
    return (y,)


def add_sums(i: AddSums, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """``clamp(rhe((a A_c + (b - Zb) B_c) / 2^k_c) + Z)``."""
    a, to = contiguous(arrays[0]), i.target
    b = contiguous(broadcast_to(arrays[1], a.shape))
    y = codes(a.shape, to)
    rule = (contiguous(m.reshape(-1)) for m in (i.a_multiplier, i.b_multiplier, i.shift))
    rows = a.reshape(rows_of(a.shape, i.axis))
    run(_native.add_sums, rows, b, y, i.b_zero, *rule, to.zero_point, to.qmin, to.qmax, threads)
    return (y,)
