"""Exact integer sums in torch: products of centered codes in floats that hold every partial sum.

torch multiplies floats fast and integers slowly or not at all. While a bound says that no partial sum of integers,
in any order, leaves [-2^24, 2^24] (float32) or [-2^53, 2^53] (float64), each addition is exact, fused or not. Two
things could break that, and neither is used: an algorithm that transforms its operands (Winograd, FFT), which is why a
convolution is a matrix product of windows and never torch's own; and a mode that multiplies float32 in fewer bits
(TF32, bfloat16), which is why float32 takes only operands that bfloat16 holds too, up to 2^8. float64 has no such mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import prod

import torch
from torch import Tensor

from halfeven.errors import AccumulatorError
from halfeven.execute import windows
from halfeven.ir.window import Window

FLOAT32_SUMS = 2**24
FLOAT64_SUMS = 2**53
BFLOAT16_INTEGERS = 2**8
COLUMN_BYTES = 2**28  # of the windows that are laid out at once


def exact_float(bound: int, largest: int) -> torch.dtype:
    """The float type whose sums up to ``bound`` of products of operands up to ``largest`` are exact.

    Raises
    ------
    AccumulatorError
        If none is.
    """
    if bound <= FLOAT32_SUMS and largest <= BFLOAT16_INTEGERS:
        return torch.float32
    if bound <= FLOAT64_SUMS:
        return torch.float64
    raise AccumulatorError(f"sums of up to {bound} are beyond 2^53, which PyTorch's float64 holds: run another backend")


def matrix_product(a: Tensor, b: Tensor, bound: int, largest: int) -> Tensor:
    """``a @ b`` of centered int64 codes, as int64; ``bound`` and ``largest`` as for :func:`exact_float`."""
    kind = exact_float(bound, largest)
    return torch.matmul(a.to(kind), b.to(kind)).to(torch.int64)


def pad(x: Tensor, padding: Sequence[tuple[int, int]], value: int) -> Tensor:
    """``x (N, C, *spatial)`` with (begin, end) more elements along each spatial axis."""
    if not any(chain(*padding)):
        return x
    sizes = [n + begin + end for n, (begin, end) in zip(x.shape[2:], padding, strict=True)]
    padded = x.new_full((*x.shape[:2], *sizes), value)
    inside = tuple(slice(begin, begin + n) for n, (begin, _) in zip(x.shape[2:], padding, strict=True))
    padded[(slice(None), slice(None), *inside)] = x
    return padded


def taps_of(x: Tensor, window: Window, value: int) -> list[Tensor]:
    """For each tap of the kernel, its element of every window, (N, C, *out); ``value`` stands outside ``x``."""
    spatial = tuple(x.shape[2:])
    out = windows.output_sizes(spatial, window)
    padded = pad(x, windows.reach(spatial, window), value)
    return [padded[(slice(None), slice(None), *tap)] for tap in windows.taps(window, out)]


def sum_of_taps(x: Tensor, window: Window) -> Tensor:
    """Sum of each window of centered int64 codes, int64."""
    total, *others = taps_of(x, window, 0)
    total = total.clone()
    for tap in others:
        total += tap
    return total


def convolve(x: Tensor, w: Tensor, window: Window, group: int, bound: int, largest: int) -> Tensor:
    """``sum x w`` over each window and group of centered int64 codes, int64 (N, O, *out).

    Parameters
    ----------
    x : (N, C, *spatial). w : (O, C / group, *kernel).
    bound, largest : as for :func:`exact_float`.
    """
    kind = exact_float(bound, largest)
    out = windows.output_sizes(tuple(x.shape[2:]), window)
    rows = w.reshape(group, w.shape[0] // group, prod(w.shape[1:])).to(kind)
    sample_bytes = kind.itemsize * group * rows.shape[2] * prod(out)
    parts = torch.split(x, max(1, COLUMN_BYTES // sample_bytes)) if x.shape[0] else [x]
    sums = [torch.matmul(rows, columns(part.to(kind), window, group)).to(torch.int64) for part in parts]
    return torch.cat(sums).reshape(x.shape[0], w.shape[0], *out)


def columns(x: Tensor, window: Window, group: int) -> Tensor:
    """The windows of each sample and group as columns: (N, group, C / group * taps, windows)."""
    taps = torch.stack(taps_of(x, window, 0), dim=2)
    return taps.reshape(x.shape[0], group, x.shape[1] // group * taps.shape[2], prod(taps.shape[3:]))
