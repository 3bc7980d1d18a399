"""Comparing, choosing, summing and interpolating codes in torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from halfeven.execute.linear import taps_of, total_of
from halfeven.execute.reference_select import check_some
from halfeven.execute.torch_codes import centered, mean, rescale
from halfeven.ir.select import Extreme, Mask, ReduceExtreme, ReduceSum, ResizeLinear, Where
from halfeven.ops.torch_params import placed


def extreme(i: Extreme, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The larger or smaller code of each pair."""
    a, b = (x.to(torch.int64) for x in arrays)
    return ((torch.maximum if i.largest else torch.minimum)(a, b).to(arrays[0].dtype),)


def reduce_extreme(i: ReduceExtreme, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The largest or smallest code."""
    x = arrays[0]
    check_some(i.axes, tuple(x.shape))
    if not i.axes:  # torch takes no axes for all of them
        return (x,)
    wide = x.to(torch.int64)
    found = wide.amax(i.axes, i.keepdims) if i.largest else wide.amin(i.axes, i.keepdims)
    return (found.to(x.dtype),)


def reduce_sum(i: ReduceSum, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``clamp(round(M sum (x - Zx)) + Z)``."""
    x = centered(arrays[0], i.x_zero)
    return (rescale(x.sum(dim=i.axes, keepdim=i.keepdims) if i.axes else x, i.rescale),)


def where(i: Where, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Codes of the second operand where the first holds, else of the third."""
    del i
    condition, a, b = arrays
    return (torch.where(condition, a.to(torch.int64), b.to(torch.int64)).to(a.dtype),)


def mask(i: Mask, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``fill`` where the condition is ``when``."""
    condition, x = arrays
    return (torch.where(condition == i.when, i.fill, x.to(torch.int64)).to(x.dtype),)


def resize_linear(i: ResizeLinear, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``clamp(round(M sum w (x - Zx)) + Z)``."""
    taps = taps_of(i, tuple(arrays[0].shape))
    x = centered(arrays[0], i.x_zero)
    for axis, t in enumerate(taps):
        if t is not None:
            sides = [-1 if k == axis else 1 for k in range(x.ndim)]
            low, high = (placed(w, x.device).reshape(sides) for w in (t.low_weight, t.high_weight))
            below, above = (x.index_select(axis, placed(k, x.device)) for k in (t.low, t.high))
            x = below * low + above * high
    return (mean(x, i.rescale, total_of(taps)),)
