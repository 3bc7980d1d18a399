"""Tables of offsets: where each row of a product, or each window, finds its elements."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from halfeven.execute import windows
from halfeven.execute.memory import check_memory
from halfeven.execute.plan.layout import Held, Shape
from halfeven.ir.window import Window

TABLE_BYTES = 25  # of an entry while the table is made: two of int64, a bool, and what is kept
OUTSIDE = np.iinfo(np.int32).min


def window_table(x: Held, window: Window, out: Sequence[int]) -> NDArray[np.int32]:
    """Offsets [taps][rows] from the first byte of ``x (N, C, *spatial)``; OUTSIDE for padding."""
    rank = len(out)
    strides = x.strides
    check_memory(x.shape[0] * prod(window.kernel) * prod(out) * TABLE_BYTES, "a table of offsets")
    offsets = np.zeros([1] * (2 * rank + 1), np.int64)
    inside = np.ones([1] * (2 * rank + 1), np.bool_)
    for k in range(rank):
        first = np.arange(out[k]) * window.strides[k] - window.pads[k][0]
        position = np.arange(window.kernel[k])[:, None] * window.dilations[k] + first
        shape = [1] * (2 * rank + 1)
        shape[k], shape[rank + 1 + k] = window.kernel[k], out[k]
        offsets = offsets + (position * strides[2 + k]).reshape(shape)
        inside = inside & ((position >= 0) & (position < x.shape[2 + k])).reshape(shape)
    images = [1] * (2 * rank + 1)
    images[rank] = x.shape[0]
    table = np.where(inside, offsets + (np.arange(x.shape[0]) * strides[0]).reshape(images), OUTSIDE)
    return np.ascontiguousarray(table.reshape(-1), np.int32)


def is_pointwise(window: Window) -> bool:
    """Whether each window is one pixel, in order."""
    return not any(n != 1 for n in (*window.kernel, *window.strides)) and not any(map(any, window.pads))


def axes_table(x: Held, axes: Sequence[int]) -> NDArray[np.int32]:
    """Offsets [elements over ``axes``][the other pixels], both in C order."""
    offsets = np.zeros((), np.int64)
    for k, n in enumerate(x.shape):
        steps = np.zeros(1) if k == x.axis else np.arange(n) * x.strides[k]
        offsets = offsets[..., None] + steps.astype(np.int64)
    kept = [k for k in range(len(x.shape)) if k not in axes]
    table = offsets.transpose(*axes, *kept)
    return np.ascontiguousarray(table.reshape(-1), np.int32)


def pixel_numbers(x: Held) -> NDArray[np.int32]:
    """Offset of each pixel, in the shape of ``x`` with one channel."""
    shape = [1 if k == x.axis else n for k, n in enumerate(x.shape)]
    return (np.arange(prod(shape), dtype=np.int32) * np.int32(x.stride)).reshape(shape)


def output_shape(x: Shape, channels: int, window: Window) -> Shape:
    """(N, channels, *windows)."""
    return (x[0], channels, *windows.output_sizes(x[2:], window))
