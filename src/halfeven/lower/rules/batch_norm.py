"""BatchNormalization (ONNX BatchNormalization-15) that was not folded: a depthwise convolution of one tap.

``y = s x + b`` of each channel, ``s = scale / sqrt(variance + epsilon)``, with weights of +-32767 at scale
``|s| / 32767``: the bias then has a step far below that of the result. 8-bit codes have a table a channel instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.instructions import Conv, Instruction
from halfeven.ir.window import Window
from halfeven.lower.scaling import rescale
from halfeven.lower.site import NotLowered, Operand, Site
from halfeven.lower.weights import accumulator
from halfeven.numerics.product import quantize_bias

LARGEST = 32767
BYTE = 8


def lower(site: Site) -> list[Instruction]:
    """``Q(act(BatchNormalization(DQ(x))))``."""
    x = site.activation(0)
    if x.params.qtype.bits <= BYTE:
        raise NotLowered("8-bit codes have a table")
    if x.rank is None or x.rank < 3:  # noqa: PLR2004  a convolution has spatial axes
        raise NotLowered("it has no spatial axes")
    factor, bias = _affine(site)
    weight, scale = _weight(site, x, factor)
    sums = quantize_bias(bias, x.params.scale.astype(np.float64) * scale.astype(np.float64))
    spatial = x.rank - 2
    window = Window((1,) * spatial, (1,) * spatial, ((0, 0),) * spatial, (1,) * spatial)
    how, bound = rescale(site, x.params.scale, scale), accumulator(x.params, weight[:, None], sums)
    codes = weight.reshape(-1, 1, *[1] * spatial)
    zero = np.zeros((), np.int64)
    return [Conv(site.name, x.name, site.y, codes, zero, sums, x.zero, window, weight.size, bound, how)]


def _affine(site: Site) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    scale, shift, mean, variance = (site.real_constant(k) for k in range(1, 5))
    if scale is None or shift is None or mean is None or variance is None:
        raise NotLowered("its parameters are missing")
    factor = scale / np.sqrt(variance + site.real("epsilon", 1e-5))
    return factor, shift - mean * factor


def _weight(site: Site, x: Operand, factor: NDArray[np.float64]) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Codes and scales; a channel multiplied by 0 keeps a scale for its bias."""
    step = float(site.params.scale) / float(x.params.scale)
    size = np.where(factor == 0, step, np.abs(factor))
    return (np.sign(factor) * LARGEST).astype(np.int16), (size / LARGEST).astype(np.float32)
