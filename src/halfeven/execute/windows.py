"""Sliding windows: how many, where they start, and how many elements of each are inside. Shared by every backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.ir.window import Window


def output_size(size: int, window: Window, axis: int) -> int:
    """Windows along one spatial axis (ONNX MaxPool-12, AveragePool-19): floor, or ceil under ``ceil_mode``.

    With ``ceil_mode`` a last window that would start in the end padding is left out.
    """
    begin, end = window.pads[axis]
    stride = window.strides[axis]
    span = window.dilations[axis] * (window.kernel[axis] - 1) + 1
    room = size + begin + end - span
    count = (-(-room // stride) if window.ceil_mode else room // stride) + 1
    if window.ceil_mode and (count - 1) * stride >= size + begin:
        count -= 1
    if room < 0 or count < 1:
        raise ParameterError(f"a window of extent {span} does not fit an axis of {size} padded by {begin} and {end}")
    return count


def output_sizes(spatial: Sequence[int], window: Window) -> tuple[int, ...]:
    """:func:`output_size` for every spatial axis."""
    return tuple(output_size(n, window, k) for k, n in enumerate(spatial))


def reach(spatial: Sequence[int], window: Window) -> list[tuple[int, int]]:
    """Padding (begin, end) of each axis that holds every window, also the last one of ceil mode."""
    padding = []
    for k, n in enumerate(spatial):
        begin, end = window.pads[k]
        span = window.dilations[k] * (window.kernel[k] - 1) + 1
        last = (output_size(n, window, k) - 1) * window.strides[k] + span
        padding.append((begin, max(end, last - begin - n)))
    return padding


def taps(window: Window, out: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """For each tap of the kernel, the slices that pick its element of every window from a padded input."""
    for tap in np.ndindex(*window.kernel):
        yield tuple(
            slice(t * d, t * d + s * (m - 1) + 1, s)
            for t, d, s, m in zip(tap, window.dilations, window.strides, out, strict=True)
        )


def counts(spatial: Sequence[int], window: Window, *, include_pad: bool) -> NDArray[np.int64]:
    """Elements of each window that an average divides by, shape ``output_sizes``.

    Real elements alone, or with ``include_pad`` also those of ``pads`` (not what ceil mode adds beyond them).
    """
    total = np.ones((), np.int64)
    for k, n in enumerate(spatial):
        begin, end = window.pads[k] if include_pad else (0, 0)
        first = np.arange(output_size(n, window, k)) * window.strides[k] - window.pads[k][0]
        position = first[:, None] + np.arange(window.kernel[k]) * window.dilations[k]
        inside = ((position >= -begin) & (position < n + end)).sum(axis=1)
        total = total[..., None] * inside
    return total
