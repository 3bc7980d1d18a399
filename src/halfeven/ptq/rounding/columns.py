"""Inputs of a layer as rows that its weights multiply."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute import windows
from halfeven.ir.window import Window

Array = NDArray[Any]


def conv_rows(x: Array, window: Window, group: int) -> Array:
    """``x (N, C, *spatial)`` as (groups, rows, C / group * taps), in the order of a weight's (C / group, *kernel).

    Padding is 0. One row a window.
    """
    spatial = x.shape[2:]
    out = windows.output_sizes(spatial, window)
    padded = np.pad(x, [(0, 0), (0, 0), *windows.reach(spatial, window)])
    taps = np.stack([padded[(slice(None), slice(None), *tap)] for tap in windows.taps(window, out)])
    count, n, c = taps.shape[:3]
    rows = taps.reshape(count, n, group, c // group, -1).transpose(2, 1, 4, 3, 0)  # group, n, window, channel, tap
    return rows.reshape(group, -1, c // group * count)


def matrix_rows(x: Array) -> Array:
    """``x (..., K)`` as (1, rows, K)."""
    return x.reshape(1, -1, x.shape[-1])
