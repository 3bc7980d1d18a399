"""Inputs of a layer as rows that its weights multiply."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute import windows
from halfeven.ir.window import Window

Array = NDArray[Any]


def conv_rows(x: Array, window: Window, group: int, chosen: Array | None = None) -> Array:
    """``x (N, C, *spatial)`` as (groups, rows, C / group * taps), in the order of a weight's (C / group, *kernel).

    Padding is 0. One row a window.

    Parameters
    ----------
    chosen : which windows, counted over N and the output's positions; None for all.
    """
    spatial, count = x.shape[2:], math.prod(window.kernel)
    out, around = windows.output_sizes(spatial, window), windows.reach(spatial, window)
    padded = np.pad(x, [(0, 0), (0, 0), *around]) if np.any(around) else x
    chosen = np.arange(x.shape[0] * math.prod(out)) if chosen is None else chosen
    sample, *places = np.unravel_index(chosen, (x.shape[0], *out))
    first = [place * stride for place, stride in zip(places, window.strides, strict=True)]
    columns = np.empty((x.shape[1], count, len(chosen)), x.dtype)
    flat = padded.reshape(*padded.shape[:2], -1)
    for k, tap in enumerate(np.ndindex(*window.kernel)):
        at = tuple(start + t * d for start, t, d in zip(first, tap, window.dilations, strict=True))
        place = np.ravel_multi_index(at, padded.shape[2:])
        for n in range(x.shape[0]):
            mine = sample == n
            columns[:, k, mine] = np.take(flat[n], place[mine], axis=-1)
    return columns.reshape(group, x.shape[1] // group * count, len(chosen)).swapaxes(-1, -2)


def matrix_rows(x: Array, chosen: Array | None = None) -> Array:
    """``x (..., K)`` as (1, rows, K), all rows or chosen ones."""
    rows = x.reshape(-1, x.shape[-1])
    return (rows if chosen is None else rows[chosen])[None]


def spread_evenly(count: int, most: int, start: int) -> Array:
    """At most so many of ``count`` places, evenly apart from place ``start`` on, around the end."""
    taken = min(count, most)
    return np.sort((np.arange(taken) * count // max(taken, 1) + start) % max(count, 1))
