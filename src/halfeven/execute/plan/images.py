"""The way in: real images to codes, with the border of a first convolution, each of whose rows is then one tap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute import windows
from halfeven.execute.plan.folded import doubles, folded_bias, rescaled_in_kernel, stored, stored_rescale
from halfeven.execute.plan.layout import CHANNEL_STEP, Held, Shape, image_axis, usual_axis
from halfeven.execute.plan.products import centered_weights
from halfeven.execute.plan.stage import Stage
from halfeven.ir.instructions import AveragePool, Conv, MaxPool, Quantize
from halfeven.ir.transposed import ConvTranspose

IMAGE_AXES = 4
CODE_TYPES = {np.dtype(t): k for k, t in enumerate((np.int8, np.uint8, np.int16, np.uint16))}


def emit_quantize(stage: Stage, i: Quantize, border: list[int] | None = None, y: Held | None = None) -> Held:
    """Emit float32 -> codes, in one pass; into the middle of ``y`` where there is a border."""
    a, p = stage.arrays[i.x], i.params
    item = np.dtype(np.float32).itemsize
    windows_behind = isinstance(stage.readers.get(i.y), (Conv, ConvTranspose, MaxPool, AveragePool))
    axis = image_axis(a.shape) if windows_behind else usual_axis(a.shape)
    held = Held(0, a.shape, axis, np.dtype(p.qtype.storage))
    y = y or stage.tensor(a.shape, held.axis, p.qtype.storage)
    source = stage.input(i.x, a.size * item, np.float32)
    rule = int(i.profile.scaling), int(i.profile.zero_point) == 0, int(i.profile.rounding)
    bounds = int(p.zero_point), p.qtype.qmin, p.qtype.qmax
    kind = CODE_TYPES[y.dtype]
    counter = stage.plan.quantize(source, y.id, held.planes, border or [], float(p.scale), *bounds, *rule, kind)
    stage.quantized[counter] = i.x
    stage.steps.append(f"Quantize {i.name}")
    return y


def takes_bordered(i: Conv, x: Shape, stage: Stage) -> bool:
    """Whether rows of the kernel are worth being one tap: few channels, and more than one pixel wide."""
    if len(x) != IMAGE_AXES or x[1] > CHANNEL_STEP or i.group != 1 or i.weight.shape[1] != x[1] or i.y in stage.held:
        return False
    return i.window.kernel[1] > 1 and i.window.dilations[1] == 1 and centered_weights(i, 0) is not None


def _bordered_size(i: Conv, x: Shape, out: Shape) -> Shape:
    """Height and width that hold the image behind its padding, and every window."""
    w = i.window
    reach = [(out[k] - 1) * w.strides[k] + w.dilations[k] * (w.kernel[k] - 1) + 1 for k in range(2)]
    return tuple(max(reach[k], x[2 + k] + w.pads[k][0]) for k in range(2))


def _row_table(i: Conv, images: int, size: Shape, out: Shape) -> NDArray[np.int32]:
    """Offsets [rows of the kernel][windows] of the first pixel under each row of the kernel."""
    w, pitch = i.window, size[1] * CHANNEL_STEP
    taps = np.arange(w.kernel[0])[:, None, None, None] * w.dilations[0] * pitch
    starts = np.arange(images)[:, None, None] * (size[0] * pitch)
    lines = np.arange(out[0])[:, None] * w.strides[0] * pitch
    pixels = np.arange(out[1]) * w.strides[1] * CHANNEL_STEP
    return np.ascontiguousarray((taps + starts + lines + pixels).reshape(-1), np.int32)


def _weights(i: Conv, dtype: np.dtype[np.generic], pages: _native.Pages) -> _native.ProductWeights:
    """[columns][rows of the kernel][its pixels and their channels]."""
    w = centered_weights(i, 0)
    if w is None:
        raise AssertionError(i.name)  # takes_bordered said otherwise
    padded = np.pad(w.transpose(0, 2, 3, 1), [(0, 0)] * 3 + [(0, CHANNEL_STEP - w.shape[1])])
    sums = w.sum(axis=(1, 2, 3), dtype=np.int64)
    bias = folded_bias(i.bias, sums, stored(i.x_zero, dtype))
    depth = w.shape[3] * CHANNEL_STEP
    m = doubles(i.rescale.multiplier, len(w))
    return _native.ProductWeights(padded.reshape(-1), w.shape[2], depth, bias, m, pages)


def emit_bordered(stage: Stage, i: Conv, quantize: Quantize, x: Shape) -> Held:
    """Emit the quantization of an image and its first convolution."""
    out = windows.output_sizes(x[2:], i.window)
    size, dtype = _bordered_size(i, x, out), quantize.params.qtype.storage
    pitch = size[1] * CHANNEL_STEP
    image = stage.tensor((x[0], x[1], *size), 1, dtype)
    pads = i.window.pads
    zero = stored(i.x_zero, dtype)
    offset = pads[0][0] * pitch + pads[1][0] * CHANNEL_STEP
    emit_quantize(stage, quantize, [x[2], pitch, size[0] * pitch, offset, zero], image)
    y = stage.tensor((x[0], len(i.weight), *out), 1, i.rescale.target.qtype.storage)
    key = i, "rows", dtype
    if key not in stage.weights:
        stage.weights[key] = _weights(i, dtype, stage.weights.pages)
    how = stored_rescale(i.rescale.multiplier, i.rescale.target, i.rescale.method)
    place = [image.id, image.nbytes, 0, y.id, y.stride, 0, y.rows]
    in_kernel = rescaled_in_kernel(i.rescale, i.accumulator)
    padding = stage.padding(zero, pitch)
    table = _row_table(i, x[0], size, out)
    stage.plan.product(stage.weights[key], place, table, CHANNEL_STEP, padding, how, in_kernel, None)
    stage.steps.append(f"Conv {i.name}")
    return y
