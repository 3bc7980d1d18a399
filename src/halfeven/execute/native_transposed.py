"""Transposed convolution in the compiled convolution kernel, phase by phase."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute import native_arguments as arguments
from halfeven.execute.native_arguments import codes, contiguous, rescale_of, run
from halfeven.execute.transposed import Phase, output_sizes, phases
from halfeven.ir.transposed import ConvTranspose
from halfeven.ir.window import Window

Array = NDArray[Any]


def conv_transpose(i: ConvTranspose, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """Every phase is a convolution of stride 1 with the taps that it meets; its outputs lie a stride apart."""
    x = arrays[0]
    out = output_sizes(x.shape[2:], i.window, i.extra)
    y = codes((x.shape[0], i.bias.size, *out), i.rescale.target)
    weight = _by_output(i)
    for phase in product(*(phases(i.window, axis, size) for axis, size in enumerate(out))):
        places = tuple(slice(p.first, None, s) for p, s in zip(phase, i.window.strides, strict=True))
        y[(slice(None), slice(None), *places)] = _convolve(i, x, _taps(i, weight, phase), phase, threads)
    return (y,)


def _by_output(i: ConvTranspose) -> Array:
    """The weight as a convolution takes it, (O, C / group, *kernel)."""
    inputs, outputs, *kernel = i.weight.shape
    grouped = i.weight.reshape(i.group, inputs // i.group, outputs, *kernel)
    return grouped.swapaxes(1, 2).reshape(i.group * outputs, inputs // i.group, *kernel)


def _taps(i: ConvTranspose, weight: Array, phase: Sequence[Phase]) -> Array:
    """The phase's taps; where it meets none, one of real zero."""
    if all(p.taps for p in phase):
        return contiguous(weight[np.ix_(*map(range, weight.shape[:2]), *(p.taps for p in phase))])
    zero = i.weight_zero.reshape(-1, *[1] * (weight.ndim - 1)).astype(weight.dtype)
    return contiguous(np.broadcast_to(zero, (*weight.shape[:2], *[1] * len(phase))))


def _convolve(i: ConvTranspose, x: Array, w: Array, phase: Sequence[Phase], threads: int) -> Array:
    skipped = tuple(slice(max(-p.begin, 0), None) for p in phase)
    x = contiguous(x[(slice(None), slice(None), *skipped)])
    pads = tuple((max(p.begin, 0), 0) for p in phase)
    window = Window(w.shape[2:], (1,) * len(phase), pads, tuple(p.dilation for p in phase))
    out = tuple(p.count for p in phase)
    y = codes((x.shape[0], w.shape[0], *out), i.rescale.target)
    run(
        _native.conv,
        x.reshape(*x.shape[:2], *arguments.three(x.shape[2:], 1)),
        w.reshape(*w.shape[:2], *arguments.three(w.shape[2:], 1)),
        i.weight_zero.reshape(-1),
        contiguous(i.bias),
        y,
        arguments.native_window(x.shape[2:], out, window),
        i.group,
        i.x_zero,
        i.accumulator.bits,
        rescale_of(i.rescale),
        -1,
        threads,
    )
    return y
