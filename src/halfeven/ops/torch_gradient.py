"""The straight-through estimator: forward another value, backward the output's gradient where a mask allows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _StraightThrough(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed by the type checker
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        ctx.dtype = x.dtype
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        # where, not a product: an infinite gradient times 0 would be NaN
        return torch.where(mask, gradient, 0.0).to(ctx.dtype), None, None


def wants_gradient(x: Tensor) -> bool:
    """Whether a gradient with respect to ``x`` may be asked for."""
    return bool(x.requires_grad and torch.is_grad_enabled())


def straight_through(x: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """``values``; the gradient of ``x`` is the output's where ``mask``, else 0. No mask: no gradient."""
    return values if mask is None else _StraightThrough.apply(x, values, mask)
