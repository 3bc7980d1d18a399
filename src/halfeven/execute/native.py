"""Every instruction in the compiled kernels, bit for bit the reference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.errors import ParameterError
from halfeven.execute import native_arguments as arguments
from halfeven.execute import reference, windows
from halfeven.execute.moves import move
from halfeven.execute.native_arguments import codes, contiguous, native_rescale, planes, rescale_of, run
from halfeven.execute.native_pointwise import add_sums, divide, slopes
from halfeven.execute.native_rows import normalize, reduce_sum, resize_linear
from halfeven.execute.native_select import extreme, mask, reduce_extreme, where
from halfeven.execute.native_tables import channel_table, float_average_pool, pair_table
from halfeven.execute.native_transposed import conv_transpose
from halfeven.ir import instructions as ir
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.moves import MOVES, Move
from halfeven.ir.normalize import Normalize
from halfeven.ir.rescale import Rescale
from halfeven.ir.select import Extreme, Mask, ReduceExtreme, ReduceSum, ResizeLinear, Where
from halfeven.ir.slopes import Divide, Slopes
from halfeven.ir.sums import AddSums
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.ir.transposed import ConvTranspose
from halfeven.ops import numpy_native

Array = NDArray[Any]
NO_BIAS = np.zeros(0, np.int64)


def from_numpy(a: Array) -> Array:
    """Return the backend's array: NumPy's own."""
    return a


def to_numpy(a: Array) -> Array:
    """Return NumPy's array: the same."""
    return a


@singledispatch
def step(instruction: Any, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """Results of one instruction on its operands, in order.

    Parameters
    ----------
    threads : 0 for every core that the work pays for; 1 never makes a thread. The results are the same.
    """
    raise ParameterError(
        f"native has no rule for {type(instruction).__name__}, given {len(arrays)} operands and {threads} threads"
    )


@step.register
def _quantize(i: ir.Quantize, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    return (numpy_native.quantize(arrays[0], i.params, i.profile, threads),)


@step.register
def _dequantize(i: ir.Dequantize, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    return (numpy_native.dequantize(arrays[0], i.params, threads),)


@step.register
def _requantize(i: ir.Requantize, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    x = contiguous(arrays[0])
    y = codes(x.shape, i.rescale.target)
    run(_native.rescale_codes, x, y, i.x_zero, rescale_of(i.rescale), -1, threads)
    return (y,)


@step.register
def _conv(i: ir.Conv, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    x, w = contiguous(arrays[0]), contiguous(i.weight)
    out = arguments.output_sizes(x, i.window)
    y = codes((x.shape[0], w.shape[0], *out), i.rescale.target)
    run(
        _native.conv,
        x.reshape(*x.shape[:2], *arguments.three(x.shape[2:], 1)),
        w.reshape(*w.shape[:2], *arguments.three(w.shape[2:], 1)),
        i.weight_zero.reshape(-1),
        contiguous(i.bias),
        y,
        arguments.native_window(x.shape[2:], out, i.window),
        i.group,
        i.x_zero,
        i.accumulator.bits,
        rescale_of(i.rescale),
        -1,
        threads,
    )
    return (y,)


@step.register
def _linear(i: ir.Linear, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    product = arguments.stacks(arrays[0].reshape(-1, arrays[0].shape[-1]), i.weight)
    y = codes((*arrays[0].shape[:-1], i.weight.shape[1]), i.rescale.target)
    zero, bias = i.weight_zero.reshape(-1), contiguous(i.bias)
    _gemm(product, y, i.x_zero, zero, bias, i.accumulator.bits, i.rescale, threads)
    return (y,)


@step.register
def _matmul(i: ir.MatMul, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    product = arguments.stacks(arrays[0], arrays[1])
    bits = arguments.product_bits(arrays[0], i.a_zero, arrays[1], i.b_zero, product.a.shape[2])
    y = codes(product.result, i.rescale.target)
    _gemm(product, y, i.a_zero, np.array([i.b_zero], np.int64), NO_BIAS, bits, i.rescale, threads)
    return (y,)


def _gemm(
    product: arguments.Stacks,
    y: Array,
    a_zero: int,
    b_zero: Array,
    bias: Array,
    bits: int,
    how: Rescale,
    threads: int,
) -> None:
    pair = product.a_index, product.b_index
    run(_native.gemm, product.a, product.b, y, *pair, a_zero, b_zero, bias, bits, rescale_of(how), -1, threads)


@step.register
def _add(i: ir.Add, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    a, b = contiguous(arrays[0]), contiguous(arrays[1])
    both, to = arguments.broadcast(a, b), i.target
    y = codes(both.result, to)
    if y.size:
        walk = both.shape, both.a_strides, both.b_strides
        rule = i.a_zero, i.b_zero, i.a_multiplier, i.b_multiplier, i.shift
        run(_native.add, a, b, y, *walk, *rule, to.zero_point, to.qmin, to.qmax, threads)
    return (y,)


@step.register
def _mul(i: ir.Mul, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    a, b = contiguous(arrays[0]), contiguous(arrays[1])
    both = arguments.broadcast(a, b)
    y = codes(both.result, i.rescale.target)
    if y.size:
        walk = both.shape, both.a_strides, both.b_strides
        run(_native.multiply, a, b, y, *walk, i.a_zero, i.b_zero, rescale_of(i.rescale), -1, threads)
    return (y,)


@step.register
def _table(i: ir.Table, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    x, entries = contiguous(arrays[0]), contiguous(i.table)
    y = np.empty(x.shape, entries.dtype)
    run(_native.look_up, x, y, i.first, entries, threads)
    return (y,)


@step.register
def _max_pool(i: ir.MaxPool, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    x = contiguous(arrays[0])
    out = arguments.output_sizes(x, i.window)
    y = np.empty((*x.shape[:2], *out), x.dtype)
    run(_native.max_pool, planes(x), y, arguments.native_window(x.shape[2:], out, i.window), threads)
    return (y,)


@step.register
def _average_pool(i: ir.AveragePool, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    x, how = contiguous(arrays[0]), i.rescale
    spatial = x.shape[2:]
    out = arguments.output_sizes(x, i.window)
    counts = windows.counts(spatial, i.window, include_pad=i.count_include_pad)
    same = bool((counts == counts.flat[0]).all())
    m = how.multiplier(int(counts.flat[0]) if same else counts)
    y = codes((*x.shape[:2], *out), how.target)
    rescale = native_rescale(m, how.target, how.method)
    window = arguments.native_window(spatial, out, i.window)
    run(_native.average_pool, planes(x), y, window, i.x_zero, rescale, -1, threads)
    return (y,)


@step.register
def _reduce_mean(i: ir.ReduceMean, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    x, how = arrays[0], i.rescale
    rows = arguments.rows_over(x, i.axes)
    m = how.multiplier(reference.mean_count(i, x.shape))
    kept = [1 if k in i.axes else n for k, n in enumerate(x.shape) if i.keepdims or k not in i.axes]
    y = codes(kept, how.target)
    run(_native.reduce_mean, rows, y, i.x_zero, native_rescale(m, how.target, how.method), -1, threads)
    return (y,)


@step.register
def _softmax(i: ir.Softmax, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    x, to, m = arrays[0], i.target, i.multiplier
    reference.check_softmax(i, x.shape[i.axis])
    y = codes(x.shape, to)
    rows, e = arguments.rows_over(x, [i.axis % x.ndim]), contiguous(i.exponentials)
    run(_native.softmax, rows, y, e, int(m.m0), int(m.shift), to.zero_point, to.qmin, to.qmax, threads)
    return (y,)


def _move(i: Move, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    del threads  # codes that only change their place: copies and views, no arithmetic
    return move(i, arrays)


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
step.register(PairTable)(pair_table)
step.register(ChannelTable)(channel_table)
step.register(FloatAveragePool)(float_average_pool)

for _kind in MOVES:
    step.register(_kind)(_move)
