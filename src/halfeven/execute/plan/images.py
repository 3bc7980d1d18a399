"""The way in: real images to codes, as a first convolution reads them.

They get its border, so that each row of its kernel is one tap. Tiles read whole cache lines: for them, each window's
part of an image line is written where the tile reads it, once a line instead of once a row of the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute import windows
from halfeven.execute.plan.folded import doubles, folded_bias, rescaled_in_kernel, stored, stored_rescale
from halfeven.execute.plan.layout import CHANNEL_STEP, Held, Shape, image_axis, usual_axis
from halfeven.execute.plan.products import centered_weights
from halfeven.execute.plan.stage import NO_TABLE, Stage
from halfeven.ir.instructions import AveragePool, Conv, MaxPool, Quantize
from halfeven.ir.transposed import ConvTranspose

IMAGE_AXES = 4
WINDOW_BYTES = 64
SLOTS = 16, 32, 64  # bytes of a window's line
MOST_SPREAD = 1 << 20  # bytes: what a second cache holds beside the result
CODE_TYPES = {np.dtype(t): k for k, t in enumerate((np.int8, np.uint8, np.int16, np.uint16))}


@dataclass(frozen=True)
class Border:
    """An image behind padding: height and width that hold it and every window, and the code around it, as stored."""

    size: Shape
    top: int
    left: int
    zero: int

    @property
    def pitch(self) -> int:
        """Bytes of a line."""
        return self.size[1] * CHANNEL_STEP


@dataclass(frozen=True)
class Spread:
    """How windows are written out: groups of ``lines`` lines, each window's part of a line in ``slot`` bytes."""

    lines: int
    slot: int
    groups: int

    @property
    def line_bytes(self) -> int:
        """Of all slots of a window."""
        return self.lines * self.slot


def emit_quantize(stage: Stage, i: Quantize, border: list[int] | None = None, y: Held | None = None) -> Held:
    """Emit float32 -> codes, in one pass; into the middle of ``y`` where there is a border, or as its windows."""
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


def _border(i: Conv, x: Shape, out: Shape, dtype: np.dtype[np.generic]) -> Border:
    w = i.window
    reach = [(out[k] - 1) * w.strides[k] + w.dilations[k] * (w.kernel[k] - 1) + 1 for k in range(2)]
    size = tuple(max(reach[k], x[2 + k] + w.pads[k][0]) for k in range(2))
    return Border(size, w.pads[0][0], w.pads[1][0], stored(i.x_zero, dtype))


def _spread(i: Conv, images: int, out: Shape) -> Spread | None:
    """How tiles are best given the windows; None where they are better gathered, or nothing reads tiles."""
    (height, width), stride = i.window.kernel, i.window.strides[0]
    slot = next((n for n in SLOTS if n >= width * CHANNEL_STEP), None)
    if slot is None or i.window.dilations[0] > 1 or not _native.ProductWeights.tiles():
        return None
    lines = min(height, WINDOW_BYTES // slot)
    if lines < height:
        lines -= lines % stride  # the next lines of a window are then another group
    if not lines:
        return None
    groups = out[0] + (-(-height // lines) - 1) * lines // stride
    return Spread(lines, slot, groups) if images * groups * out[1] * WINDOW_BYTES <= MOST_SPREAD else None


def _row_table(i: Conv, images: int, border: Border, out: Shape) -> NDArray[np.int32]:
    """Offsets [rows of the kernel][windows] of the first pixel under each row of the kernel."""
    w, pitch = i.window, border.pitch
    taps = np.arange(w.kernel[0])[:, None, None, None] * w.dilations[0] * pitch
    starts = np.arange(images)[:, None, None] * (border.size[0] * pitch)
    lines = np.arange(out[0])[:, None] * w.strides[0] * pitch
    pixels = np.arange(out[1]) * w.strides[1] * CHANNEL_STEP
    return np.ascontiguousarray((taps + starts + lines + pixels).reshape(-1), np.int32)


def _group_table(i: Conv, images: int, spread: Spread, out: Shape) -> NDArray[np.int32]:
    """Offsets [groups under a window][windows] of each window's lines in a group."""
    step = out[1] * WINDOW_BYTES
    taps = np.arange(-(-i.window.kernel[0] // spread.lines)) * (spread.lines // i.window.strides[0])
    if len(taps) == 1:
        return NO_TABLE
    starts = np.arange(images)[:, None, None] * (spread.groups * step)
    lines = np.arange(out[0])[:, None] * step
    pixels = np.arange(out[1]) * WINDOW_BYTES
    table = taps[:, None, None, None] * step + starts + lines + pixels
    return np.ascontiguousarray(table.reshape(-1), np.int32)


def _weights(
    i: Conv, dtype: np.dtype[np.generic], spread: Spread | None, pages: _native.Pages
) -> _native.ProductWeights:
    """[columns][rows of the kernel][its pixels and their channels], or [columns][groups][slots]."""
    w = centered_weights(i, 0)
    if w is None:
        raise AssertionError(i.name)  # takes_bordered said otherwise
    codes = np.pad(w.transpose(0, 2, 3, 1), [(0, 0)] * 3 + [(0, CHANNEL_STEP - w.shape[1])])
    codes = codes.reshape(*codes.shape[:2], -1)
    if spread is not None:
        groups = -(-codes.shape[1] // spread.lines)
        codes = np.pad(codes, [(0, 0), (0, groups * spread.lines - codes.shape[1]), (0, spread.slot - codes.shape[2])])
        codes = codes.reshape(len(w), groups, spread.line_bytes)
        codes = np.pad(codes, [(0, 0), (0, 0), (0, WINDOW_BYTES - spread.line_bytes)])
    sums = w.sum(axis=(1, 2, 3), dtype=np.int64)
    bias = folded_bias(i.bias, sums, stored(i.x_zero, dtype))
    m = doubles(i.rescale.multiplier, len(w))
    _, taps, depth = codes.shape
    return _native.ProductWeights(np.ascontiguousarray(codes).reshape(-1), taps, depth, bias, m, pages)


def emit_bordered(stage: Stage, i: Conv, quantize: Quantize, x: Shape) -> Held:
    """Emit the quantization of an image and its first convolution."""
    out = windows.output_sizes(x[2:], i.window)
    dtype = np.dtype(quantize.params.qtype.storage)
    border, spread = _border(i, x, out, dtype), _spread(i, x[0], out)
    edges = [x[2], border.size[0], border.pitch, border.top, border.left * CHANNEL_STEP, border.zero]
    if spread is None:
        image, table = stage.tensor((x[0], x[1], *border.size), 1, dtype), _row_table(i, x[0], border, out)
        stride = CHANNEL_STEP
    else:
        image = stage.tensor((x[0], WINDOW_BYTES, spread.groups, out[1]), 1, dtype)
        table, stride = _group_table(i, x[0], spread, out), WINDOW_BYTES
        step = i.window.strides[1] * CHANNEL_STEP
        edges += [spread.groups, i.window.strides[0], spread.lines, spread.slot, out[1], step]
    emit_quantize(stage, quantize, edges, image)
    y = stage.tensor((x[0], len(i.weight), *out), 1, i.rescale.target.qtype.storage)
    key = i, "rows", dtype, spread and (spread.lines, spread.slot)
    if key not in stage.weights:
        stage.weights[key] = _weights(i, dtype, spread, stage.weights.pages)
    how = stored_rescale(i.rescale.multiplier, i.rescale.target, i.rescale.method)
    place = [image.id, image.nbytes, 0, y.id, y.stride, 0, y.rows]
    in_kernel = rescaled_in_kernel(i.rescale, i.accumulator)
    padding = stage.padding(border.zero, border.pitch)
    stage.plan.product(stage.weights[key], place, table, stride, padding, how, in_kernel, None)
    stage.steps.append(f"Conv {i.name}")
    return y
