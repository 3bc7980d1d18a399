"""Every instruction in PyTorch, on the CPU or a GPU, bit for bit the reference.

Sums that torch cannot make fast in integers are made in floats that hold every partial sum (see ``torch_product``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import singledispatch
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from halfeven.errors import ParameterError, UnavailableError
from halfeven.execute import reference, torch_float_steps, torch_tables, windows
from halfeven.execute.moves import move
from halfeven.execute.torch_codes import INT32_BITS, centered, divide_half_even, farthest, mean, rescale, write
from halfeven.execute.torch_normalize import normalize
from halfeven.execute.torch_pointwise import add_sums, divide, slopes
from halfeven.execute.torch_select import extreme, mask, reduce_extreme, reduce_sum, resize_linear, where
from halfeven.execute.torch_sums import convolve, matrix_product, sum_of_taps, taps_of
from halfeven.execute.torch_transposed import conv_transpose
from halfeven.ir import instructions as ir
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.moves import MOVES, Concat, Move, Pad
from halfeven.ir.normalize import Normalize
from halfeven.ir.select import Extreme, Mask, ReduceExtreme, ReduceSum, ResizeLinear, Where
from halfeven.ir.slopes import Divide, Slopes
from halfeven.ir.sums import AddSums
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.ir.transposed import ConvTranspose
from halfeven.ops import torch_ops
from halfeven.ops.torch_params import placed, storage
from halfeven.ops.torch_shift import scale_half

Array = NDArray[Any]
OUTSIDE = -1


def from_numpy(a: Array, device: str = "cpu") -> Tensor:
    """Return a copy as a tensor on ``device``.

    Raises
    ------
    UnavailableError
        If there is no such device.
    """
    try:
        return torch.tensor(np.ascontiguousarray(a).reshape(a.shape)).to(device)  # torch takes no negative strides
    except (RuntimeError, AssertionError) as error:  # torch asserts that it is built for the device
        reason = str(error).strip().splitlines()[0]
        raise UnavailableError(f"PyTorch cannot use device '{device}': {reason}", name=device) from error


def to_numpy(a: Tensor) -> Array:
    """Return the values as a NumPy array."""
    return np.asarray(a.cpu().numpy())


@contextmanager
def on_threads(threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@singledispatch
def step(instruction: Any, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Results of one instruction on its operands, in order."""
    raise ParameterError(f"torch has no rule for {type(instruction).__name__}, given {len(arrays)} operands")


@step.register
def _quantize(i: ir.Quantize, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (torch_ops.quantize(arrays[0], i.params, i.profile),)


@step.register
def _dequantize(i: ir.Dequantize, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (torch_ops.dequantize(arrays[0], i.params),)


@step.register
def _requantize(i: ir.Requantize, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (rescale(centered(arrays[0], i.x_zero), i.rescale),)


def _weight(i: ir.Conv | ir.Linear, zero: Array) -> tuple[Array, int]:
    """Centered int64 weights, and the largest magnitude among them."""
    w = i.weight.astype(np.int64) - zero
    return w, int(np.abs(w).max(initial=0))


@step.register
def _conv(i: ir.Conv, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    x = arrays[0]
    channels = (-1, *[1] * (i.weight.ndim - 2))
    w, w_largest = _weight(i, i.weight_zero.reshape(-1, 1, *channels[1:]))
    bound, largest = int(i.accumulator.bound.max(initial=0)), max(farthest(x, i.x_zero), w_largest)
    weight, bias = placed(w, x.device), placed(i.bias, x.device)
    acc = convolve(centered(x, i.x_zero), weight, i.window, i.group, bound, largest) + bias.reshape(channels)
    return (rescale(acc, i.rescale, 1, narrow=i.accumulator.bits == INT32_BITS),)


@step.register
def _linear(i: ir.Linear, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    x = arrays[0]
    w, w_largest = _weight(i, i.weight_zero)
    bound, largest = int(i.accumulator.bound.max(initial=0)), max(farthest(x, i.x_zero), w_largest)
    weight, bias = placed(w, x.device), placed(i.bias, x.device)
    acc = matrix_product(centered(x, i.x_zero), weight, bound, largest) + bias
    return (rescale(acc, i.rescale, -1, narrow=i.accumulator.bits == INT32_BITS),)


@step.register
def _matmul(i: ir.MatMul, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    a, b = arrays
    a_largest, b_largest = farthest(a, i.a_zero), farthest(b, i.b_zero)
    bound = a.shape[-1] * a_largest * b_largest
    acc = matrix_product(centered(a, i.a_zero), centered(b, i.b_zero), bound, max(a_largest, b_largest))
    return (rescale(acc, i.rescale),)


@step.register
def _add(i: ir.Add, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    acc = centered(arrays[0], i.a_zero) * i.a_multiplier + centered(arrays[1], i.b_zero) * i.b_multiplier
    one, shift = torch.ones_like(acc), torch.full_like(acc, i.shift)
    return (write(acc if i.shift == 0 else scale_half(acc, one, shift, half_up=False), i.target),)


@step.register
def _mul(i: ir.Mul, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (rescale(centered(arrays[0], i.a_zero) * centered(arrays[1], i.b_zero), i.rescale),)


@step.register
def _table(i: ir.Table, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    entries = placed(i.table.astype(np.int64), arrays[0].device)
    return (entries[centered(arrays[0], i.first)].to(getattr(torch, i.table.dtype.name)),)


@step.register
def _max_pool(i: ir.MaxPool, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    lowest = torch.iinfo(arrays[0].dtype).min
    best, *others = taps_of(arrays[0].to(torch.int64), i.window, lowest)
    for tap in others:
        best = torch.maximum(best, tap)
    return (best.to(arrays[0].dtype),)


@step.register
def _average_pool(i: ir.AveragePool, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    total = sum_of_taps(centered(arrays[0], i.x_zero), i.window)
    counts = windows.counts(tuple(arrays[0].shape[2:]), i.window, include_pad=i.count_include_pad)
    flat = mean(total.reshape(*total.shape[:2], prod(total.shape[2:])), i.rescale, counts.reshape(-1))
    return (flat.reshape(total.shape),)


@step.register
def _reduce_mean(i: ir.ReduceMean, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    x = centered(arrays[0], i.x_zero)
    count = reference.mean_count(i, x.shape)
    total = x.sum(dim=i.axes, keepdim=i.keepdims) if i.axes else x  # torch takes no axes for all of them
    return (mean(total, i.rescale, count),)


@step.register
def _softmax(i: ir.Softmax, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    q = arrays[0].to(torch.int64)
    reference.check_softmax(i, q.shape[i.axis])
    if q.numel() == 0:
        return (q.to(storage(i.target.qtype)),)
    e = placed(i.exponentials.astype(np.int64), q.device)[q.amax(dim=i.axis, keepdim=True) - q]
    shift = int(i.multiplier.shift)
    numerator = e * int(i.multiplier.m0) << max(-shift, 0)
    denominator = e.sum(dim=i.axis, keepdim=True) << max(shift, 0)
    return (write(divide_half_even(numerator, denominator), i.target),)


@step.register
def _concat(i: Concat, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (torch.cat(list(arrays), dim=i.axis),)


def _move(i: Move, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Move the positions in NumPy, once for each shape, then take the elements."""
    x = arrays[0]
    places = move(_filled_outside(i), [np.arange(x.numel(), dtype=np.int64).reshape(x.shape)])
    return tuple(_take(x, place, i.fill if isinstance(i, Pad) else 0) for place in places)


def _filled_outside(i: Move) -> Move:
    return replace(i, fill=OUTSIDE) if isinstance(i, Pad) else i


def _take(x: Tensor, place: Array, fill: int) -> Tensor:
    index = torch.tensor(place.copy()).to(x.device)
    wide = x.reshape(-1).to(torch.int64)
    taken = wide[index.clamp(min=0)] if x.numel() else wide.new_zeros(place.shape)
    return torch.where(index == OUTSIDE, fill, taken).to(x.dtype)


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
step.register(PairTable)(torch_tables.pair_table)
step.register(ChannelTable)(torch_tables.channel_table)
step.register(FloatAveragePool)(torch_float_steps.average_pool)

for _kind in MOVES:
    if _kind is not Concat:
        step.register(_kind)(_move)
