"""QLinearConv (ONNX QLinearConv-10, and onnxruntime's with channels last)."""

from __future__ import annotations

import numpy as np

from halfeven.interop.qoperator.build import Place, attributes_of, constant_array, rank_of
from halfeven.interop.qoperator.layout import channels_first, channels_last, is_channels_last
from halfeven.interop.values import given

SCALES = (1, 4)
BIAS, OUTPUT_SCALE = 8, 6


def conv(place: Place) -> None:
    """``QLinearConv(x, .., w, .., b)`` -> ``Q(Conv(DQ(x), DQ(w), DQ(b)))``; the bias is int32 at ``Sx Sw``."""
    node = place.node
    x, w = place.dequantized(0, axis=1), place.dequantized(3, axis=0)
    rank, last = rank_of(given(node, 3)), is_channels_last(node)
    operands = [channels_first(place, x, rank) if last else x, w]
    bias = given(node, BIAS)
    if bias is not None:
        s_x, s_w = (constant_array(given(node, k), "scale") for k in SCALES)
        scale = place.constant((s_x.reshape(()) * s_w).astype(np.float32), "bias_scale")
        operands.append(place.reals(bias, scale, None, axis=0, role="dequantize_bias"))
    y = place.add("Conv", operands, "", attributes_of(node, "channels_last"), None if last else node.outputs[0].shape)
    place.finish(channels_last(place, y, rank) if last else y, OUTPUT_SCALE)
