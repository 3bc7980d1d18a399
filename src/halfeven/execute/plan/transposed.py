"""Transposed convolutions: one convolution of stride 1 for each residue of the output position, then put in between."""

from __future__ import annotations

from itertools import product as combinations

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute import transposed
from halfeven.execute.plan import tables
from halfeven.execute.plan.folded import doubles, folded_bias, rescaled_in_kernel, stored, stored_rescale
from halfeven.execute.plan.layout import Held
from halfeven.execute.plan.stage import BYTES, Stage
from halfeven.execute.plan.wide import emit_product, takes_words, words
from halfeven.execute.reference_transposed import centered_weight
from halfeven.execute.transposed import Phase
from halfeven.ir.transposed import ConvTranspose
from halfeven.ir.window import Window


def _columns(i: ConvTranspose) -> NDArray[np.int8] | None:
    """``w - Zw`` as (O, C, *kernel) where 8 bits hold it, and the sums fit int32, and results are bytes; else None."""
    if i.group != 1 or i.accumulator.bits != 32 or i.rescale.target.qtype.storage not in BYTES:  # noqa: PLR2004
        return None
    w = np.swapaxes(centered_weight(i), 0, 1)
    return w.astype(np.int8) if w.size and w.min() >= -128 and w.max() <= 127 else None  # noqa: PLR2004


def take_conv_transpose(i: ConvTranspose, stage: Stage) -> bool:
    """Emit a transposed convolution: of bytes; of words where there are groups, wide codes, outputs without a tap."""
    shape, w = stage.any_shape(i.x), _columns(i)
    if shape is None or shape[1] != len(i.weight):
        return False
    out = transposed.output_sizes(shape[2:], i.window, i.extra)
    axes = [transposed.phases(i.window, k, n) for k, n in enumerate(out)]
    every = all(phase.taps for phases in axes for phase in phases)
    narrow = w is not None and every and stage.shape_of(i.x) is not None
    grouped = None if narrow else _groups(i)
    if not narrow and (grouped is None or not takes_words(i, stage)):
        return False
    x = stage.get(i.x, 1) if narrow else words(stage, i.x, 1)
    y = stage.tensor((shape[0], i.bias.size, *out), 1, i.rescale.target.qtype.storage)
    for phases in combinations(*axes):
        if w is not None and narrow:
            part = _emit_phase(stage, i, x, w, phases)
        elif grouped is not None:
            part = _emit_wide_phase(stage, i, x, grouped, phases)
        spread = [step * stride for step, stride in zip(y.strides[2:], i.window.strides, strict=True)]
        place = sum(phase.first * step for phase, step in zip(phases, y.strides[2:], strict=True))
        ends = (True, part.id), (True, y.id)
        stage.copy(*ends, part, part.strides, [*y.strides[:2], *spread], offsets=(0, place))
    stage.held[i.y] = y
    return True


def _groups(i: ConvTranspose) -> NDArray[np.int16] | None:
    """``w - Zw`` as (groups, O / group, C / group, *kernel) where 16 bits hold it; else None."""
    w = centered_weight(i)
    if not w.size or int(np.abs(w).max()) >= 2**15:
        return None
    grouped = w.reshape(i.group, len(w) // i.group, *w.shape[1:])
    return np.swapaxes(grouped, 1, 2).astype(np.int16)


def _emit_wide_phase(stage: Stage, i: ConvTranspose, x: Held, w: NDArray[np.int16], phases: tuple[Phase, ...]) -> Held:
    """Emit the outputs of one residue; those that no tap reaches as products with a weight of zero."""
    taps = tuple(phase.taps for phase in phases)
    if all(taps):
        codes = w[np.ix_(*map(range, w.shape[:3]), *taps)]
        window = _window(phases)
    else:
        codes = np.zeros((*w.shape[:3], *[1] * len(phases)), np.int16)
        window = Window((1,) * len(phases), (1,) * len(phases), ((0, 0),) * len(phases), (1,) * len(phases))
    counts = tuple(phase.count for phase in phases)
    y = stage.tensor((x.shape[0], i.bias.size, *counts), 1, i.rescale.target.qtype.storage)
    table, columns = tables.window_table(x, window, counts), w.shape[1]
    for g, of_group in enumerate(codes):
        flat = of_group.reshape(*of_group.shape[:2], -1).transpose(0, 2, 1)
        part = slice(g * columns, (g + 1) * columns)
        emit_product(stage, i, (x, y), flat, part, table, depthwise=False, of=("phase", taps))
    return y


def _window(phases: tuple[Phase, ...]) -> Window:
    """The convolution of stride 1 that makes the outputs of one residue."""
    return Window(
        tuple(len(phase.taps) for phase in phases),
        (1,) * len(phases),
        tuple((phase.begin, 0) for phase in phases),
        tuple(phase.dilation for phase in phases),
    )


def _emit_phase(stage: Stage, i: ConvTranspose, x: Held, w: NDArray[np.int8], phases: tuple[Phase, ...]) -> Held:
    """Emit the outputs of one residue, as a tensor of their own."""
    window = _window(phases)
    counts = tuple(phase.count for phase in phases)
    y = stage.tensor((x.shape[0], len(w), *counts), 1, i.rescale.target.qtype.storage)
    zero = stored(i.x_zero, x.dtype)
    key = i, tuple(phase.taps for phase in phases), x.dtype
    if key not in stage.weights:
        stage.weights[key] = _weights(
            i, w[np.ix_(range(len(w)), range(w.shape[1]), *key[1])], zero, stage.weights.pages
        )
    how = stored_rescale(i.rescale.multiplier, i.rescale.target, i.rescale.method)
    place = [x.id, x.nbytes, 0, y.id, y.stride, 0, y.rows]
    in_kernel = rescaled_in_kernel(i.rescale, i.accumulator)
    table = tables.window_table(x, window, counts)
    stage.plan.product(stage.weights[key], place, table, x.stride, stage.padding(zero, x.stride), how, in_kernel, None)
    stage.steps.append(f"ConvTranspose {i.name}")
    return y


def _weights(i: ConvTranspose, w: NDArray[np.int8], zero: int, pages: _native.Pages) -> _native.ProductWeights:
    codes = w.reshape(*w.shape[:2], -1).transpose(0, 2, 1)
    bias = folded_bias(i.bias, codes.sum(axis=(1, 2), dtype=np.int64), zero)
    m = doubles(i.rescale.multiplier, len(w))
    return _native.ProductWeights(codes.reshape(-1), codes.shape[1], codes.shape[2], bias, m, pages)
