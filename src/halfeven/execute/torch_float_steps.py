"""Instructions made of float32 operations, in torch: additions in the stated order, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from halfeven.execute import float_steps
from halfeven.execute.torch_sums import taps_of
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.rescale import Target
from halfeven.ops.torch_params import placed, storage


def average_pool(i: FloatAveragePool, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Sum each window tap after tap, divide twice, add, round once to an integer."""
    x = arrays[0]
    real = placed(i.reals, x.device)[x.to(torch.int64) - i.first]
    total = torch.zeros((), dtype=torch.float32, device=x.device)
    for tap in taps_of(real, i.window, 0):
        total = total + tap
    mean = total / placed(float_steps.counts(i, tuple(x.shape[2:])), x.device)
    scale = torch.tensor(i.y_scale, dtype=torch.float32, device=x.device)
    inside = torch.round(mean / scale + i.added).to(torch.float64)
    return (_clamped(inside - i.added + i.target.zero_point, i.target),)


def _clamped(whole: Tensor, target: Target) -> Tensor:
    return whole.clamp(target.qmin, target.qmax).to(storage(target.qtype))
