"""Instructions made of float32 operations, in NumPy: each operation rounds once, and the order is the stated one."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute import windows
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.rescale import Target

Array = NDArray[Any]
F32 = NDArray[np.float32]


def average_pool(i: FloatAveragePool, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """Sum each window tap after tap, divide twice, add, round once to an integer.

    Padding adds +0, which changes no sum: a float32 sum that starts from +0 is never -0.
    """
    real = i.reals[arrays[0].astype(np.int64) - i.first]
    spatial = real.shape[2:]
    out = windows.output_sizes(spatial, i.window)
    padded = np.pad(real, [(0, 0), (0, 0), *windows.reach(spatial, i.window)])
    total = np.zeros((*real.shape[:2], *out), np.float32)
    for tap in windows.taps(i.window, out):
        total += padded[(slice(None), slice(None), *tap)]
    mean = total / counts(i, spatial)
    inside = np.rint(mean / np.float32(i.y_scale) + np.float32(i.added))
    return (clamped(inside.astype(np.float64) - i.added + i.target.zero_point, i.target),)


def counts(i: FloatAveragePool, spatial: Sequence[int]) -> F32:
    """What each window's sum is divided by, shape ``windows.output_sizes``."""
    if i.count_include_pad:
        return np.full(windows.output_sizes(spatial, i.window), prod(i.window.kernel), np.float32)
    return windows.counts(spatial, i.window, include_pad=False).astype(np.float32)


def clamped(whole: NDArray[np.float64], target: Target) -> Array:
    """Whole numbers, limited to the target's codes."""
    return np.clip(whole, target.qmin, target.qmax).astype(target.qtype.storage)
