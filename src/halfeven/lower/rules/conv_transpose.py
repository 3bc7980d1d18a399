"""ConvTranspose (ONNX ConvTranspose-11): integer sums, bias and clamp in one instruction. Source: docs/math/conv.md."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.instructions import Instruction
from halfeven.ir.transposed import ConvTranspose
from halfeven.ir.window import Window
from halfeven.lower.rules.window import spatial_sizes
from halfeven.lower.scaling import rescale
from halfeven.lower.site import NotLowered, Site
from halfeven.lower.weights import bias_codes, bias_value, bounded, weight_of

Sizes = tuple[int, ...]


def lower(site: Site) -> list[Instruction]:
    """``Q(act(ConvTranspose(DQ(x), DQ(w), b)))``."""
    x = site.activation(0)
    w, codes = weight_of(site, 1, axis=1)
    group, kernel = site.integer("group", 1), codes.shape[2:]
    if tuple(site.integers("kernel_shape", list(kernel))) != kernel:
        raise NotLowered(f"its kernel_shape is not the weight's {kernel}")
    scale = _by_output(w.params.scale, group)
    zero = _by_output(w.params.zero_point.astype(np.int64), group)
    window, extra = _window(site, kernel)
    bias = bias_codes(site, bias_value(site), x.params, scale, codes.shape[1] * group)
    centered = codes.astype(np.int64) - w.params.zero_point.reshape(-1, *[1] * len(kernel))
    bound = bounded(x.params, _largest_sums(centered, window, group), bias)
    how = rescale(site, x.params.scale, scale)
    return [ConvTranspose(site.name, x.name, site.y, codes, zero, bias, x.zero, window, extra, group, bound, how)]


def _by_output(values: NDArray[Any], group: int) -> NDArray[Any]:
    """One value an output channel, from those of one group, which every group repeats."""
    return np.tile(values, group) if values.ndim else values


def _largest_sums(weight: NDArray[np.int64], window: Window, group: int) -> NDArray[np.int64]:
    """``sum |w|`` for each output channel, over the taps that meet in one output: those of one residue."""
    inputs, outputs, *kernel = weight.shape
    sums = np.abs(weight).reshape(group, inputs // group, outputs, *kernel).sum(axis=1)
    for axis, (k, s, d) in enumerate(zip(kernel, window.strides, window.dilations, strict=True), start=2):
        residue = np.arange(k) * d % s
        together = [sums.compress(residue == r, axis=axis).sum(axis=axis) for r in np.unique(residue)]
        sums = np.stack(together, axis=axis)
    return np.asarray(sums.reshape(group * outputs, -1).max(axis=1))


def _window(site: Site, kernel: Sizes) -> tuple[Window, Sizes]:
    rank = len(kernel)
    strides = tuple(site.integers("strides", [1] * rank))
    dilations = tuple(site.integers("dilations", [1] * rank))
    extra = tuple(site.integers("output_padding", [0] * rank))
    pads = _pads(site, kernel, strides, dilations, extra)
    if min(map(min, pads)) < 0:
        raise NotLowered(f"its pads {pads} are negative")
    return Window(kernel, strides, pads, dilations), extra


def _pads(site: Site, kernel: Sizes, strides: Sizes, dilations: Sizes, extra: Sizes) -> tuple[tuple[int, int], ...]:
    """As given; or, from the size wanted, what is too much, the odd element at the end under SAME_UPPER."""
    rank, auto = len(kernel), site.text("auto_pad", "NOTSET")
    wanted = site.integers("output_shape", [])
    if not wanted and auto in ("NOTSET", "VALID"):
        given = site.integers("pads", []) if auto == "NOTSET" else []
        pads = given or [0] * 2 * rank
        return tuple(zip(pads[:rank], pads[rank:], strict=True))
    sizes = spatial_sizes(site)
    targets = wanted or [n * s for n, s in zip(sizes, strides, strict=True)]
    full = [
        (n - 1) * s + d * (k - 1) + 1 + e
        for n, s, d, k, e in zip(sizes, strides, dilations, kernel, extra, strict=True)
    ]
    total = [f - t for f, t in zip(full, targets, strict=True)]
    small = [n // 2 for n in total]
    large = [n - s for n, s in zip(total, small, strict=True)]
    upper = auto == "SAME_UPPER"
    return tuple(zip(small if upper else large, large if upper else small, strict=True))
