"""Conv (ONNX Conv-11): integer convolution, bias and clamp in one instruction. Source: docs/math/conv.md."""

from __future__ import annotations

import numpy as np

from halfeven.ir.instructions import Conv, Instruction
from halfeven.ir.window import Window
from halfeven.lower.rules.window import read_window
from halfeven.lower.scaling import rescale
from halfeven.lower.site import NotLowered, Site
from halfeven.lower.weights import accumulator, bias_codes, bias_value, weight_of


def lower(site: Site) -> list[Instruction]:
    """``Q(act(Conv(DQ(x), DQ(w), b)))``."""
    x = site.activation(0)
    w, codes = weight_of(site, 1, axis=0)
    group, channels = site.integer("group", 1), codes.shape[0]
    window = _window(site, codes.shape[2:])
    bias = bias_codes(site, bias_value(site), x.params, w.params.scale, channels)
    zero = w.params.zero_point.astype(np.int64)
    centered = codes.astype(np.int64).reshape(channels, -1) - zero.reshape(-1, 1)
    bound = accumulator(x.params, centered, bias)
    how = rescale(site, x.params.scale, w.params.scale)
    return [Conv(site.name, x.name, site.y, codes, zero, bias, x.zero, window, group, bound, how)]


def _window(site: Site, kernel: tuple[int, ...]) -> Window:
    window = read_window(site, kernel)
    if tuple(site.integers("kernel_shape", list(kernel))) != kernel:
        raise NotLowered(f"its kernel_shape is not the weight's {kernel}")
    return window
