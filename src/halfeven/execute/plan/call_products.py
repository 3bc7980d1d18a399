"""Products that no packed kernel takes: weights that 16 bits do not hold once centered, two roundings of long sums."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as combinations
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.execute import transposed, windows
from halfeven.execute.plan.arguments import check_product, native_window, three
from halfeven.execute.plan.call_codes import RAW_TYPES
from halfeven.execute.plan.calls import array, holds, known, plain, plainly, room
from halfeven.execute.plan.folded import stored_rescale
from halfeven.execute.plan.layout import Held, Shape
from halfeven.execute.plan.stage import Stage
from halfeven.execute.transposed import Phase
from halfeven.ir import instructions as ir
from halfeven.ir.transposed import ConvTranspose
from halfeven.ir.window import Window

Convolution = ir.Conv | ConvTranspose


def call_linear(i: ir.Linear, stage: Stage) -> bool:
    """With weights as they are."""
    if not known(stage, i.x):
        return False
    x = plain(stage, i.x)
    check_product(x.shape, i.weight.shape)
    depth, columns = i.weight.shape
    y = room(stage, (*x.shape[:-1], columns), i.rescale.target.qtype.storage)
    how = stored_rescale(i.rescale.multiplier, i.rescale.target, i.rescale.method)
    ends = array(x, i.x_zero), _as_they_are(stage, i.weight), array(y)
    sizes = [1, 1, prod(x.shape[:-1]), depth, columns]
    zeros = i.weight_zero.reshape(-1).tolist()
    stage.plan.call_gemm(*ends, sizes, [0], [0], zeros, i.bias.tolist(), i.accumulator.bits, how)
    return holds(stage, i, y)


def _as_they_are(stage: Stage, codes: NDArray[Any]) -> list[int]:
    """Constant codes, not as the engine stores them."""
    raw = np.ascontiguousarray(codes)
    return [stage.plan.constant(raw.reshape(-1).view(np.uint8)), 0, RAW_TYPES[raw.dtype], 0]


def call_conv(i: ir.Conv, stage: Stage) -> bool:
    """With weights as they are."""
    shape = stage.known_shape(i.x)
    if not known(stage, i.x):
        return False
    _check_channels(i, shape, i.weight.shape[1] * i.group)
    x = plain(stage, i.x)
    out = windows.output_sizes(shape[2:], i.window)
    y = room(stage, (shape[0], len(i.weight), *out), i.rescale.target.qtype.storage)
    _convolve(stage, i, x, i.weight, i.window, y)
    return holds(stage, i, y)


def _check_channels(i: Convolution, shape: Shape, channels: int) -> None:
    if len(shape) != i.weight.ndim or shape[1] != channels:
        text = f"x {shape}, weights {i.weight.shape} and {i.group} group(s) do not fit together"
        raise ParameterError(text)


def _convolve(stage: Stage, i: Convolution, x: Held, w: NDArray[Any], window: Window, y: Held) -> None:
    """Emit one convolution with codes ``w`` (O, C / group, *kernel)."""
    sizes = [x.shape[0], i.group, w.shape[1], len(w) // i.group]
    how = stored_rescale(i.rescale.multiplier, i.rescale.target, i.rescale.method)
    over, zeros = native_window(x.shape[2:], y.shape[2:], window), i.weight_zero.reshape(-1).tolist()
    three(w.shape[2:], 1)
    ends = array(x, i.x_zero), _as_they_are(stage, w), array(y)
    stage.plan.call_conv(*ends, sizes, over, zeros, i.bias.tolist(), i.accumulator.bits, how)


def call_conv_transpose(i: ConvTranspose, stage: Stage) -> bool:
    """Every phase is a convolution of stride 1 with the taps that it meets; its outputs lie a stride apart."""
    shape = stage.known_shape(i.x)
    if not known(stage, i.x):
        return False
    _check_channels(i, shape, len(i.weight))
    out = transposed.output_sizes(shape[2:], i.window, i.extra)
    y = room(stage, (shape[0], i.bias.size, *out), i.rescale.target.qtype.storage)
    weight = _by_output(i)
    for phase in combinations(*(transposed.phases(i.window, axis, size) for axis, size in enumerate(out))):
        part = _emit_phase(stage, i, _taps(i, weight, phase), phase)
        spread = [step * stride for step, stride in zip(y.strides[2:], i.window.strides, strict=True)]
        place = sum(p.first * step for p, step in zip(phase, y.strides[2:], strict=True))
        ends = (True, part.id), (True, y.id)
        stage.copy(*ends, part, part.strides, [*y.strides[:2], *spread], offsets=(0, place))
    stage.held[i.y] = y
    return True


def _by_output(i: ConvTranspose) -> NDArray[Any]:
    """The weight as a convolution takes it, (O, C / group, *kernel)."""
    inputs, outputs, *kernel = i.weight.shape
    grouped = i.weight.reshape(i.group, inputs // i.group, outputs, *kernel)
    return grouped.swapaxes(1, 2).reshape(i.group * outputs, inputs // i.group, *kernel)


def _taps(i: ConvTranspose, weight: NDArray[Any], phase: Sequence[Phase]) -> NDArray[Any]:
    """The phase's taps; where it meets none, one of real zero."""
    if all(p.taps for p in phase):
        return weight[np.ix_(*map(range, weight.shape[:2]), *(p.taps for p in phase))]
    zero = i.weight_zero.reshape(-1, *[1] * (weight.ndim - 1)).astype(weight.dtype)
    return np.broadcast_to(zero, (*weight.shape[:2], *[1] * len(phase)))


def _emit_phase(stage: Stage, i: ConvTranspose, w: NDArray[Any], phase: Sequence[Phase]) -> Held:
    x = stage.view(i.x)
    skipped = [max(-p.begin, 0) for p in phase]  # inputs that no output meets
    sizes: Shape = tuple(n - k for n, k in zip(x.shape[2:], skipped, strict=True))
    begin = sum(k * step for k, step in zip(skipped, x.strides[2:], strict=True))
    x = plainly(stage, x.seen_as((*x.shape[:2], *sizes), x.strides, begin))
    pads = tuple((max(p.begin, 0), 0) for p in phase)
    window = Window(w.shape[2:], (1,) * len(phase), pads, tuple(p.dilation for p in phase))
    y = room(stage, (x.shape[0], len(w), *(p.count for p in phase)), i.rescale.target.qtype.storage)
    _convolve(stage, i, x, w, window, y)
    stage.steps.append(f"ConvTranspose {i.name}")
    return y
