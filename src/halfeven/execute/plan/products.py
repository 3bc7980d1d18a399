"""Convolutions and products with constant weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute.plan import tables, winograd
from halfeven.execute.plan.folded import doubles, folded_bias, rescaled_in_kernel, stored, stored_rescale, sum_rule
from halfeven.execute.plan.layout import Held, Shape, last_axis
from halfeven.execute.plan.stage import BYTES, NO_TABLE, Stage
from halfeven.ir.instructions import Add, Conv, Linear
from halfeven.numerics.multiplier import Multiplier

ToPack = tuple[NDArray[np.int8], int, int, NDArray[np.int32], NDArray[np.float64]]
IMAGE_AXES = 4
TILE_DEPTH = 64
LEAST_TILE, MOST_TILE = 12, 16  # rows: smaller ones multiply too slowly
MOST_TAPS = 64  # of those that the depthwise kernels take runs of pixels under
Sum = tuple[int, int, tuple[float, float, float, int, int, int]]


def centered_weights(i: Conv | Linear, axis: int) -> NDArray[np.int8] | None:
    """``w - Zw`` where 8 bits hold it, and the sums fit int32, and results are bytes; else None."""
    if i.accumulator.bits != 32 or i.rescale.target.qtype.storage not in BYTES:  # noqa: PLR2004
        return None
    zero = i.weight_zero
    if i.weight.dtype == np.int8 and not zero.any():
        return i.weight
    shape = [1] * i.weight.ndim
    shape[axis] = -1
    w = i.weight.astype(np.int64) - (zero.reshape(shape) if zero.ndim else zero)
    return w.astype(np.int8) if w.size and w.min() >= -128 and w.max() <= 127 else None  # noqa: PLR2004


def _flat(a: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(a).reshape(-1)


def _to_pack(i: Conv | Linear, w: NDArray[np.int8], x: Held, part: slice) -> ToPack:
    """Columns ``part`` of weights [columns][taps][channels], as the engine packs them."""
    zero = stored(i.x_zero, x.dtype)
    bias = folded_bias(i.bias, w.sum(axis=(1, 2), dtype=np.int64), zero)
    m = doubles(i.rescale.multiplier, len(w))
    return _flat(w[part]), w.shape[1], w.shape[2], bias[part], np.ascontiguousarray(m[part])


def _group_multiplier(m: Multiplier, part: slice) -> Multiplier:
    return Multiplier(m.m0.reshape(-1)[part], m.shift.reshape(-1)[part], m.bits) if m.m0.size > 1 else m


def conv_shape(i: Conv, stage: Stage) -> Shape | None:
    """Shape of the result where the engine takes the convolution; else None."""
    shape = stage.shape_of(i.x)
    if shape is None or shape[1] != i.weight.shape[1] * i.group or centered_weights(i, 0) is None:
        return None
    return tables.output_shape(shape, len(i.weight), i.window)


def emit_conv(stage: Stage, i: Conv, x: Held, other: tuple[Held, Add, bool] | None) -> Held:
    """Emit the steps of a convolution, of its sum with another tensor too where ``other`` says so."""
    shape = tables.output_shape(x.shape, len(i.weight), i.window)
    target = i.rescale.target if other is None else other[1].target
    y = stage.tensor(shape, 1, target.qtype.storage)
    w = centered_weights(i, 0)
    if w is None:
        raise AssertionError(i.name)  # conv_shape said otherwise
    codes = w.reshape(len(w), w.shape[1], -1)
    pointwise = tables.is_pointwise(i.window)
    padding = stage.padding(stored(i.x_zero, x.dtype), x.stride)
    depthwise = other is None and i.group == len(w) and w.shape[1] == 1 and codes.shape[2] <= MOST_TAPS
    table = tables.window_table(x, i.window, shape[2:]) if not pointwise or depthwise else NO_TABLE
    if depthwise:
        return _emit_depthwise(stage, i, (x, y), codes[:, 0], table)
    tiles = winograd.tiles_of(i, x, y.shape, codes)
    if tiles is not None:
        return _emit_winograd(stage, i, (x, y), codes, tiles, _sum_of(i, other))
    in_kernel = rescaled_in_kernel(i.rescale, i.accumulator)
    image = _padded_image(i, x, y.shape) if in_kernel else []
    if image:
        table = _tap_offsets(i, image)
    columns = len(w) // i.group
    for g in range(i.group):
        part = slice(g * columns, (g + 1) * columns)
        key = i, g, x.dtype
        if key not in stage.weights:
            packed = _to_pack(i, codes.transpose(0, 2, 1), x, part)
            stage.weights[key] = _native.ProductWeights(*packed, stage.weights.pages)
        how = stored_rescale(_group_multiplier(i.rescale.multiplier, part), i.rescale.target, i.rescale.method)
        place = [x.id, x.nbytes, g * w.shape[1], y.id, y.stride, g * columns, y.rows]
        how_summed = _sum_of(i, other)
        stage.plan.product(stage.weights[key], place, table, x.stride, padding, how, in_kernel, how_summed, image)
        stage.steps.append(f"Conv{'+Add' if other else ''} {i.name}")
    return y


def _padded_image(i: Conv, x: Held, out: Shape) -> list[int]:
    """What the engine needs to know to copy an image with its padding for tiles, which then need no gathering.

    Nothing where lines of results are no whole number of tiles, or a pixel is not one tile deep: deeper ones are
    multiplied faster, too, but then the processor slows down, and all layers behind with it (decision 0016).
    """
    tile = max((n for n in range(LEAST_TILE, MOST_TILE + 1) if out[-1] % n == 0), default=0)
    images = len(out) == IMAGE_AXES and out[0] == 1
    deep = i.weight.shape[1] == TILE_DEPTH and i.weight[0, 0].size > 1
    if not (images and tile and deep and _native.ProductWeights.tiles()):
        return []
    w = i.window
    reach = [w.dilations[k] * (w.kernel[k] - 1) + 1 for k in range(2)]
    top, left, width = w.pads[0][0], w.pads[1][0], (out[3] - 1) * w.strides[1] + reach[1]
    return [*x.shape[2:], x.stride, top, left, width, out[3], w.strides[0], reach[0], w.strides[1], tile]


def _tap_offsets(i: Conv, image: list[int]) -> NDArray[np.int32]:
    """Bytes from a window's first pixel to that under each tap, in the padded image."""
    width, (height, across), (down, right) = image[5], i.window.kernel, i.window.dilations
    pixels = np.arange(height)[:, None] * (down * width) + np.arange(across) * right
    return np.ascontiguousarray(pixels.reshape(-1) * i.weight.shape[1], np.int32)


def _emit_winograd(
    stage: Stage, i: Conv, ends: tuple[Held, Held], codes: NDArray[np.int8], table: NDArray[np.int32], other: Sum | None
) -> Held:
    x, y = ends
    key = i, "winograd", x.dtype
    if key not in stage.weights:
        stage.weights[key] = _native.WinogradWeights(*_to_pack(i, codes.transpose(0, 2, 1), x, slice(None)))
    how = stored_rescale(i.rescale.multiplier, i.rescale.target, i.rescale.method)
    place = [x.id, x.nbytes, 0, y.id, y.stride, 0, y.rows]
    padding = stage.padding(stored(i.x_zero, x.dtype), x.stride)
    stage.plan.winograd(stage.weights[key], place, table, list(y.shape[2:]), padding, how, other)
    stage.steps.append(f"ConvByTiles{'+Add' if other else ''} {i.name}")
    return y


def _sum_of(i: Conv, other: tuple[Held, Add, bool] | None) -> Sum | None:
    if other is None:
        return None
    y, add, first = other
    own = i.rescale.target.qtype.storage
    rule = sum_rule(add, own, y.dtype) if first else sum_rule(add, y.dtype, own)
    if rule is None:
        raise AssertionError(add.name)  # the caller has asked already
    a, b, *rest = rule
    return y.id, y.stride, (*((a, b) if first else (b, a)), *rest)  # type: ignore[return-value]


def _lines(i: Conv, x: Held, y: Held) -> list[int]:
    """(windows in a line, first, one behind the last) of those that follow each other in memory under every tap."""
    line, first, last = y.shape[-1], 0, 0
    if i.window.strides[-1] == 1 and x.stride == x.channels and len(i.weight[0, 0].reshape(-1)) <= MOST_TAPS:
        span = i.window.dilations[-1] * (i.window.kernel[-1] - 1)
        first = min(i.window.pads[-1][0], line)
        last = max(first, min(line, x.shape[-1] - span + i.window.pads[-1][0]))
    return [line, first, last]


def _emit_depthwise(
    stage: Stage, i: Conv, ends: tuple[Held, Held], codes: NDArray[np.int8], table: NDArray[np.int32]
) -> Held:
    x, y = ends
    padding = stage.padding(stored(i.x_zero, x.dtype), x.stride * x.shape[-1])
    key = i, -1, x.dtype
    if key not in stage.weights:
        bias = folded_bias(i.bias, codes.sum(axis=1, dtype=np.int64), stored(i.x_zero, x.dtype))
        m = doubles(i.rescale.multiplier, len(codes))
        stage.weights[key] = _native.DepthwiseWeights(_flat(codes), codes.shape[1], bias, m)
    how = stored_rescale(i.rescale.multiplier, i.rescale.target, i.rescale.method)
    place = [x.id, x.nbytes, 0, y.id, y.stride, 0, y.rows]
    in_kernel = rescaled_in_kernel(i.rescale, i.accumulator)
    stage.plan.depthwise(stage.weights[key], place, table, padding, _lines(i, x, y), how, in_kernel)
    stage.steps.append(f"Depthwise {i.name}")
    return y


def take_linear(i: Linear, stage: Stage) -> bool:
    """Emit a product with a constant matrix, where the engine takes it."""
    shape = stage.shape_of(i.x)
    w = centered_weights(i, 1)
    if not shape or w is None or shape[-1] != len(w):
        return False
    x = stage.get(i.x, last_axis(shape))
    y = stage.tensor((*shape[:-1], w.shape[1]), last_axis(shape), i.rescale.target.qtype.storage)
    key = i, 0, x.dtype
    if key not in stage.weights:
        packed = _to_pack(i, np.ascontiguousarray(w.T)[:, None, :], x, slice(None))
        stage.weights[key] = _native.ProductWeights(*packed, stage.weights.pages)
    how = stored_rescale(i.rescale.multiplier, i.rescale.target, i.rescale.method)
    place = [x.id, x.nbytes, 0, y.id, y.stride, 0, y.rows]
    in_kernel = rescaled_in_kernel(i.rescale, i.accumulator)
    padding = stage.padding(stored(i.x_zero, x.dtype), x.stride)
    stage.plan.product(stage.weights[key], place, NO_TABLE, x.stride, padding, how, in_kernel, None)
    stage.steps.append(f"Linear {i.name}")
    stage.held[i.y] = y
    return True
