"""Transposed convolution in torch: one exact matrix product a tap, added where its outputs lie."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from halfeven.execute.reference_transposed import centered_weight
from halfeven.execute.torch_codes import INT32_BITS, centered, farthest, rescale
from halfeven.execute.torch_sums import exact_float
from halfeven.execute.transposed import output_sizes
from halfeven.ir.transposed import ConvTranspose
from halfeven.ops.torch_params import placed


def conv_transpose(i: ConvTranspose, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``clamp(round(M acc) + Z)``."""
    x, w = arrays[0], centered_weight(i)
    largest = max(farthest(x, i.x_zero), int(np.abs(w).max(initial=0)))
    kind = exact_float(int(i.accumulator.bound.max(initial=0)), largest)
    acc = _scatter(i, centered(x, i.x_zero).to(kind), placed(w, x.device).to(kind))
    acc = acc + placed(i.bias, x.device).reshape(-1, *[1] * (x.ndim - 2))
    return (rescale(acc, i.rescale, 1, narrow=i.accumulator.bits == INT32_BITS),)


def _scatter(i: ConvTranspose, x: Tensor, w: Tensor) -> Tensor:
    """``sum x[i] w[t]`` at ``p = i stride + t dilation - pad``, int64 (N, O, *out)."""
    window, spatial = i.window, tuple(x.shape[2:])
    out = output_sizes(spatial, window, i.extra)
    full = [n + sum(pads) for n, pads in zip(out, window.pads, strict=True)]
    flat = x.reshape(x.shape[0], i.group, x.shape[1] // i.group, prod(spatial))
    taps = w.reshape(i.group, w.shape[0] // i.group, *w.shape[1:])
    acc = torch.zeros((x.shape[0], i.bias.size, *full), dtype=torch.int64, device=x.device)
    for tap in np.ndindex(*window.kernel):
        part = torch.matmul(taps[(..., *tap)].transpose(1, 2), flat)
        reached = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, s, n in zip(tap, window.dilations, window.strides, spatial, strict=True)
        )
        acc[(slice(None), slice(None), *reached)] += part.reshape(x.shape[0], i.bias.size, *spatial).to(torch.int64)
    kept = tuple(slice(begin, begin + n) for n, (begin, _) in zip(out, window.pads, strict=True))
    return acc[(slice(None), slice(None), *kept)]
