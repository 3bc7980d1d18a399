"""Integer transposed convolution, literally: every input adds its products to the outputs that it reaches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[Any]


def convolve_transposed(
    x: Integers,
    w: Integers,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    extra: Sequence[int],
    groups: int,
) -> Integers:
    """``acc[p] = sum x[i] w[t]`` over ``p = i stride + t dilation - pad``, int64 (N, O, *out).

    Parameters
    ----------
    x : centered codes (N, C, *spatial). w : centered codes (C, O / groups, *kernel).
    padding : (begin, end) cut off the result of each spatial axis. extra : elements added at its end first.
    """
    n, spatial, kernel = x.shape[0], x.shape[2:], w.shape[2:]
    full = [
        (size - 1) * s + d * (k - 1) + 1 + e
        for size, s, d, k, e in zip(spatial, stride, dilation, kernel, extra, strict=True)
    ]
    outputs = w.shape[1]
    flat = x.reshape(n, groups, x.shape[1] // groups, math.prod(spatial))
    taps = w.reshape(groups, w.shape[0] // groups, outputs, *kernel)
    acc = np.zeros((n, groups * outputs, *full), np.int64)
    for tap in np.ndindex(*kernel):
        part = np.matmul(taps[(..., *tap)].swapaxes(1, 2), flat)
        reached = tuple(
            slice(t * d, t * d + (size - 1) * s + 1, s)
            for t, d, s, size in zip(tap, dilation, stride, spatial, strict=True)
        )
        acc[(slice(None), slice(None), *reached)] += part.reshape(n, groups * outputs, *spatial)
    kept = tuple(slice(begin, size - end) for size, (begin, end) in zip(full, padding, strict=True))
    return acc[(slice(None), slice(None), *kept)]
