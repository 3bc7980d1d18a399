"""What looks at whole rows, in the compiled kernels: normalization, sums, interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute import native_arguments as arguments
from halfeven.execute.linear import MOST_AXES, Taps, taps_of, total_of
from halfeven.execute.native_arguments import codes, contiguous, native_rescale, rescale_of, run
from halfeven.execute.normalize import rows_of
from halfeven.execute.reference_select import resize_linear as resize_in_numpy
from halfeven.ir.normalize import Normalize
from halfeven.ir.select import ReduceSum, ResizeLinear

Array = NDArray[Any]


def normalize(i: Normalize, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """``clamp(rhe((T G_c + B_c) / 2^shift) + Z)``."""
    x, to = contiguous(arrays[0]), i.target
    rows = rows_of(i, x.shape)
    outer, groups, channels, inner = rows.shape
    y = codes(x.shape, to)
    fixed = rows.half_fraction, rows.epsilon, i.fraction, contiguous(i.gain), contiguous(i.offset), i.shift
    clamp = to.zero_point, to.qmin, to.qmax
    run(_native.normalize, x.reshape(outer * groups, channels, inner), y, groups, *fixed, *clamp, threads)
    return (y,)


def reduce_sum(i: ReduceSum, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """``clamp(round(M sum (x - Zx)) + Z)``."""
    x = arrays[0]
    kept = [1 if k in i.axes else n for k, n in enumerate(x.shape) if i.keepdims or k not in i.axes]
    y = codes(kept, i.rescale.target)
    run(_native.reduce_mean, arguments.rows_over(x, i.axes), y, i.x_zero, rescale_of(i.rescale), -1, threads)
    return (y,)


def resize_linear(i: ResizeLinear, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """``clamp(round(M sum w (x - Zx)) + Z)``, from the first axis that changes on."""
    x, how = contiguous(arrays[0]), i.rescale
    taps = taps_of(i, x.shape)
    first = next((k for k, t in enumerate(taps) if t is not None), x.ndim)
    if x.ndim - first > MOST_AXES:
        return resize_in_numpy(i, arrays)  # more axes than the kernel walks
    first = max(x.ndim - MOST_AXES, 0)
    sizes = (1,) * (MOST_AXES - x.ndim + first) + x.shape[first:]
    last = (None,) * (MOST_AXES - x.ndim + first) + tuple(taps[first:])
    columns = [_columns(t, n) for t, n in zip(last, sizes, strict=True)]
    out = [n if t is None else t.low.size for t, n in zip(taps, x.shape, strict=True)]
    y = codes(out, how.target)
    rescale = native_rescale(how.multiplier(total_of(taps)), how.target, how.method)
    run(_native.resize_linear, x.reshape(prod(x.shape[:first]), *sizes), y, *columns, i.x_zero, rescale, -1, threads)
    return (y,)


def _columns(taps: Taps | None, size: int) -> list[Array]:
    if taps is not None:
        return [taps.low, taps.high, taps.low_weight, taps.high_weight]
    same = np.arange(size, dtype=np.int64)
    return [same, same, np.ones(size, np.int64), np.zeros(size, np.int64)]
