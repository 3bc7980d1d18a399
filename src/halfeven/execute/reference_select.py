"""Comparing, choosing, summing and interpolating codes in plain NumPy, exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.execute.exact import centered, rescale, write
from halfeven.execute.linear import taps_of, total_of
from halfeven.ir.select import Extreme, Mask, ReduceExtreme, ReduceSum, ResizeLinear, Where
from halfeven.numerics.requantize import scale_accumulator

Array = NDArray[Any]


def extreme(i: Extreme, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """The larger or smaller code of each pair."""
    return ((np.maximum if i.largest else np.minimum)(arrays[0], arrays[1]),)


def check_some(axes: Sequence[int], shape: Sequence[int]) -> None:
    """Raise ParameterError where an extreme over ``axes`` has nothing to choose from."""
    if any(shape[k] == 0 for k in axes):
        raise ParameterError(f"the axes {tuple(axes)} of shape {tuple(shape)} hold nothing to choose from")


def reduce_extreme(i: ReduceExtreme, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """The largest or smallest code."""
    check_some(i.axes, arrays[0].shape)
    return (np.asarray((np.max if i.largest else np.min)(arrays[0], axis=i.axes, keepdims=i.keepdims)),)


def reduce_sum(i: ReduceSum, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """``clamp(round(M sum (x - Zx)) + Z)``."""
    total = np.asarray(centered(arrays[0], i.x_zero).sum(axis=i.axes, keepdims=i.keepdims))
    return (rescale(total, i.rescale),)


def where(i: Where, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """Codes of the second operand where the first holds, else of the third."""
    del i
    return (np.where(*arrays),)


def mask(i: Mask, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """``fill`` where the condition is ``when``."""
    condition, x = arrays
    return (np.where(condition == i.when, np.asarray(i.fill, x.dtype), x),)


def resize_linear(i: ResizeLinear, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """``clamp(round(M sum w (x - Zx)) + Z)``."""
    taps = taps_of(i, arrays[0].shape)
    x = centered(arrays[0], i.x_zero)
    for axis, t in enumerate(taps):
        if t is not None:
            sides = [-1 if k == axis else 1 for k in range(x.ndim)]
            low, high = t.low_weight.reshape(sides), t.high_weight.reshape(sides)
            x = np.take(x, t.low, axis=axis) * low + np.take(x, t.high, axis=axis) * high
    m = i.rescale.multiplier(total_of(taps))
    return (write(scale_accumulator(x, m, i.rescale.method), i.rescale.target),)
