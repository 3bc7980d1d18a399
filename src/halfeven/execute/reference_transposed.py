"""Transposed convolution in plain NumPy, exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute.exact import centered, rescale
from halfeven.execute.transposed import output_sizes
from halfeven.ir.transposed import ConvTranspose
from halfeven.numerics.transposed import convolve_transposed

Array = NDArray[Any]


def conv_transpose(i: ConvTranspose, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """``clamp(round(M acc) + Z)``."""
    x = centered(arrays[0], i.x_zero)
    output_sizes(x.shape[2:], i.window, i.extra)  # refuses what leaves no output
    acc = convolve_transposed(
        x, centered_weight(i), i.window.strides, i.window.pads, i.window.dilations, i.extra, i.group
    ) + i.bias.reshape(1, -1, *[1] * (x.ndim - 2))
    return (rescale(acc, i.rescale, axis=1),)


def centered_weight(i: ConvTranspose) -> NDArray[np.int64]:
    """``w - Zw``: group g holds outputs g O / group and on."""
    codes = i.weight.astype(np.int64)
    inputs, outputs, *kernel = codes.shape
    ones = [1] * len(kernel)
    zero = np.broadcast_to(i.weight_zero, (i.group * outputs,)).reshape(i.group, 1, outputs, *ones)
    grouped = codes.reshape(i.group, inputs // i.group, outputs, *kernel)
    return np.asarray((grouped - zero).reshape(codes.shape))
