"""Products with constants, quotients, comparisons and choices in torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from halfeven.execute.slopes import layout
from halfeven.execute.sums import rows_of
from halfeven.execute.torch_codes import centered, divide_half_even, write
from halfeven.execute.torch_normalize import shift_half_even
from halfeven.ir.slopes import Divide, Factors, Slopes
from halfeven.ir.sums import AddSums
from halfeven.ops.torch_params import placed
from halfeven.ops.torch_requantize import LIMIT, scale_accumulator


def slopes(i: Slopes, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``clamp(round(F (x - Zx)) + Z)``."""
    x = centered(arrays[0], i.x_zero)
    rows = x.reshape(layout(i, x.shape))
    scaled = torch.where(rows >= 0, _times(i, i.above, rows), _times(i, i.below, rows))
    return (write(scaled, i.target).reshape(x.shape),)


def _times(i: Slopes, factors: Factors, rows: Tensor) -> Tensor:
    signed = rows * placed(factors.sign, rows.device).reshape(-1, 1)
    axis = 1 if factors.multiplier.m0.ndim else None
    return scale_accumulator(signed, factors.multiplier, i.method, axis, narrow=True)


def divide(i: Divide, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``clamp(rhe(M (a - Za) / (b - Zb)) + Z)``."""
    a, b = torch.broadcast_tensors(centered(arrays[0], i.a_zero), centered(arrays[1], i.b_zero))
    m0, shift = int(i.multiplier.m0), int(i.multiplier.shift)
    numerator = (torch.where(b < 0, -a, a) * m0) << max(-shift, 0)
    denominator = b.abs().clamp(min=1) << max(shift, 0)
    scaled = torch.where(b == 0, a.sign() * LIMIT, divide_half_even(numerator, denominator))
    return (write(scaled, i.target),)


def add_sums(i: AddSums, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``clamp(rhe((a A_c + (b - Zb) B_c) / 2^k_c) + Z)``."""
    a = arrays[0].to(torch.int64)
    b = centered(arrays[1], i.b_zero).broadcast_to(a.shape)
    outer = rows_of(a.shape, i.axis)
    rule = (placed(m.reshape(-1, 1), a.device) for m in (i.a_multiplier, i.b_multiplier, i.shift))
    left, right, shift = rule
    total = a.reshape(outer) * left + b.reshape(outer) * right
    return (write(shift_half_even(total, shift.expand_as(total)), i.target).reshape(a.shape),)
