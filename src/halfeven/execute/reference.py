"""Every instruction in plain NumPy, exact: the answer that each backend must give, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import AccumulatorError, ParameterError
from halfeven.execute import float_steps, tables, windows
from halfeven.execute.exact import centered, rescale, write
from halfeven.execute.moves import moved
from halfeven.execute.reference_normalize import normalize
from halfeven.execute.reference_pointwise import add_sums, divide, slopes
from halfeven.execute.reference_select import extreme, mask, reduce_extreme, reduce_sum, resize_linear, where
from halfeven.execute.reference_transposed import conv_transpose
from halfeven.ir import instructions as ir
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.moves import MOVES, Move
from halfeven.ir.normalize import Normalize
from halfeven.ir.select import Extreme, Mask, ReduceExtreme, ReduceSum, ResizeLinear, Where
from halfeven.ir.slopes import Divide, Slopes
from halfeven.ir.sums import AddSums
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.ir.transposed import ConvTranspose
from halfeven.numerics import affine
from halfeven.numerics.product import convolve
from halfeven.numerics.requantize import scale_accumulator
from halfeven.numerics.rounding import divide_half_even, shift_half_even

Array = NDArray[Any]


def from_numpy(a: Array) -> Array:
    """Return the backend's array: here NumPy's own."""
    return a


def to_numpy(a: Array) -> Array:
    """Return NumPy's array: here the same."""
    return a


@singledispatch
def step(instruction: Any, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """Results of one instruction on its operands, in order."""
    raise ParameterError(f"the reference has no rule for {type(instruction).__name__}, given {len(arrays)} operands")


@step.register
def _quantize(i: ir.Quantize, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (affine.quantize(arrays[0], i.params, i.profile),)


@step.register
def _dequantize(i: ir.Dequantize, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (affine.dequantize(arrays[0], i.params),)


@step.register
def _requantize(i: ir.Requantize, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (rescale(centered(arrays[0], i.x_zero), i.rescale),)


@step.register
def _conv(i: ir.Conv, arrays: Sequence[Array]) -> tuple[Array, ...]:
    x = centered(arrays[0], i.x_zero)
    zero = i.weight_zero.reshape(-1, *[1] * (i.weight.ndim - 1)) if i.weight_zero.ndim else i.weight_zero
    w = i.weight.astype(np.int64) - zero
    acc = convolve(x, w, i.window.strides, i.window.pads, i.window.dilations, i.group)
    acc = acc + i.bias.reshape(1, -1, *[1] * (acc.ndim - 2))
    return (rescale(acc, i.rescale, axis=1),)


@step.register
def _linear(i: ir.Linear, arrays: Sequence[Array]) -> tuple[Array, ...]:
    acc = np.matmul(centered(arrays[0], i.x_zero), i.weight.astype(np.int64) - i.weight_zero) + i.bias
    return (rescale(acc, i.rescale, axis=-1),)


@step.register
def _matmul(i: ir.MatMul, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (rescale(np.matmul(centered(arrays[0], i.a_zero), centered(arrays[1], i.b_zero)), i.rescale),)


@step.register
def _add(i: ir.Add, arrays: Sequence[Array]) -> tuple[Array, ...]:
    acc = centered(arrays[0], i.a_zero) * i.a_multiplier + centered(arrays[1], i.b_zero) * i.b_multiplier
    scaled = acc if i.shift == 0 else shift_half_even(acc, np.asarray(i.shift))
    return (write(scaled, i.target),)


@step.register
def _mul(i: ir.Mul, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (rescale(centered(arrays[0], i.a_zero) * centered(arrays[1], i.b_zero), i.rescale),)


@step.register
def _table(i: ir.Table, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return (i.table[arrays[0].astype(np.int64) - i.first],)


@step.register
def _max_pool(i: ir.MaxPool, arrays: Sequence[Array]) -> tuple[Array, ...]:
    x = arrays[0]
    out = windows.output_sizes(x.shape[2:], i.window)
    lowest = np.iinfo(x.dtype).min
    padded = np.pad(x, [(0, 0), (0, 0), *windows.reach(x.shape[2:], i.window)], constant_values=lowest)
    best = np.full((*x.shape[:2], *out), lowest, x.dtype)
    for tap in windows.taps(i.window, out):
        best = np.maximum(best, padded[(slice(None), slice(None), *tap)])
    return (best,)


@step.register
def _average_pool(i: ir.AveragePool, arrays: Sequence[Array]) -> tuple[Array, ...]:
    x = centered(arrays[0], i.x_zero)
    spatial = x.shape[2:]
    out = windows.output_sizes(spatial, i.window)
    padded = np.pad(x, [(0, 0), (0, 0), *windows.reach(spatial, i.window)])
    total = np.zeros((*x.shape[:2], *out), np.int64)
    for tap in windows.taps(i.window, out):
        total += padded[(slice(None), slice(None), *tap)]
    m = i.rescale.multiplier(windows.counts(spatial, i.window, include_pad=i.count_include_pad))
    return (write(scale_accumulator(total, m, i.rescale.method), i.rescale.target),)


def mean_count(i: ir.ReduceMean, shape: Sequence[int]) -> int:
    """Elements that each mean divides by; none raises ParameterError."""
    count = math.prod(shape[k] for k in i.axes)
    if count == 0:
        raise ParameterError(f"the mean over axes {i.axes} of shape {tuple(shape)} has nothing to average")
    return count


@step.register
def _reduce_mean(i: ir.ReduceMean, arrays: Sequence[Array]) -> tuple[Array, ...]:
    x = centered(arrays[0], i.x_zero)
    count = mean_count(i, x.shape)
    total = x.sum(axis=i.axes, keepdims=i.keepdims)
    return (write(scale_accumulator(total, i.rescale.multiplier(count), i.rescale.method), i.rescale.target),)


def check_softmax(i: ir.Softmax, length: int) -> None:
    """Raise AccumulatorError where the numerator or the denominator could reach 2^62."""
    shift, m0 = int(i.multiplier.shift), int(i.multiplier.m0)
    if (length << 30 + max(shift, 0)) >= 1 << 62 or (m0 << 30 + max(-shift, 0)) >= 1 << 62:
        raise AccumulatorError(
            f"a softmax over {length} values at scale {1 / float(i.multiplier.value):.3g} is too long or too fine"
        )


@step.register
def _softmax(i: ir.Softmax, arrays: Sequence[Array]) -> tuple[Array, ...]:
    q = arrays[0].astype(np.int64)
    check_softmax(i, q.shape[i.axis])
    if q.size == 0:
        return (q.astype(i.target.qtype.storage),)
    e = i.exponentials[q.max(axis=i.axis, keepdims=True) - q].astype(np.int64)
    shift = int(i.multiplier.shift)
    numerator = e * int(i.multiplier.m0) << max(-shift, 0)
    denominator = e.sum(axis=i.axis, keepdims=True) << max(shift, 0)
    return (write(divide_half_even(numerator, denominator), i.target),)


def _move(instruction: Move, arrays: Sequence[Array]) -> tuple[Array, ...]:
    return moved(instruction, arrays)


step.register(ConvTranspose)(conv_transpose)
step.register(Normalize)(normalize)
step.register(Extreme)(extreme)
step.register(ReduceExtreme)(reduce_extreme)
step.register(Where)(where)
step.register(Mask)(mask)
step.register(ReduceSum)(reduce_sum)
step.register(ResizeLinear)(resize_linear)
step.register(Slopes)(slopes)
step.register(Divide)(divide)
step.register(AddSums)(add_sums)
step.register(PairTable)(tables.pair_table)
step.register(ChannelTable)(tables.channel_table)
step.register(FloatAveragePool)(float_steps.average_pool)

for _kind in MOVES:
    step.register(_kind)(_move)
