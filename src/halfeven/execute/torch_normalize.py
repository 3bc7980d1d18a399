"""Normalization by mean and variance in torch integers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from halfeven.execute.normalize import TOP, WORD, Rows, rows_of
from halfeven.execute.torch_codes import divide_half_even, write
from halfeven.ir.normalize import Normalize
from halfeven.ops.torch_params import placed

AXES = (2, 3)  # of a row


def normalize(i: Normalize, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``clamp(rhe((T G_c + B_c) / 2^shift) + Z)`` (docs/math/normalize.md eq. 20-24)."""
    x = arrays[0]
    rows = rows_of(i, tuple(x.shape))
    q = x.to(torch.int64).reshape(rows.shape)
    channels = (1, *rows.shape[1:3], 1)
    gain, offset = (placed(a, x.device).reshape(channels) for a in (i.gain, i.offset))
    acc = _normalized(i, q, rows) * gain + offset
    return (write(shift_half_even(acc, torch.full_like(acc, i.shift)), i.target).reshape(x.shape),)


def _normalized(i: Normalize, q: Tensor, rows: Rows) -> Tensor:
    """T, with ``i.fraction`` fractional bits."""
    n, f = rows.length, rows.half_fraction
    total = q.sum(dim=AXES, keepdim=True)
    v = n * (q * q).sum(dim=AXES, keepdim=True) - total * total
    w = ((v << 2 * f) + rows.epsilon).clamp(min=1)
    g = (TOP - bit_length(w)) >> 1
    reciprocal = divide_half_even(torch.full_like(w, 1 << 61), square_root(w << 2 * g))
    return shift_half_even((n * q - total) * reciprocal, (2 * WORD - 1 - f - g - i.fraction).clamp(min=0))


def shift_half_even(value: Tensor, shift: Tensor) -> Tensor:
    """``rhe(value / 2^shift)``, ``0 <= shift <= 62``."""
    right = shift.clamp(min=1)
    floor = value >> right
    above = value - (floor << right) - (torch.ones_like(right) << (right - 1))
    return torch.where(shift > 0, floor + ((above > 0) | ((above == 0) & ((floor & 1) == 1))), value)


def bit_length(a: Tensor) -> Tensor:
    """Bits of each number, ``a >= 0``."""
    left, bits = a, torch.zeros_like(a)
    for step in (32, 16, 8, 4, 2, 1):
        more = (left >> step) > 0
        bits = bits + step * more
        left = torch.where(more, left >> step, left)
    return bits + left


def square_root(a: Tensor) -> Tensor:
    """``floor(sqrt(a))``, ``0 <= a < 2^62``: float64 is off by one at most."""
    root = a.to(torch.float64).sqrt().to(torch.int64)
    root = root - (root * root > a).to(torch.int64)
    return root + ((root + 1) * (root + 1) <= a).to(torch.int64)
