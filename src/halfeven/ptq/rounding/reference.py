"""What the native kernels of ``halfeven.ops.columns`` compute, to the last bit. For tests: these loops take their time.

Every product and every sum is rounded to float64, in the order of the columns that is written here.
Source: docs/math/weight-rounding.md eq. 5 to 7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


def factor(h: Reals) -> Reals | None:
    """W, lower triangular, of ``H = W^T W``, symmetric (groups, K, K); None where one is not positive definite."""
    rest, w = h.copy(), np.zeros_like(h)
    for k in reversed(range(h.shape[-1])):
        pivot = rest[:, k, k].copy()
        if not (pivot > 0).all():
            return None
        w[:, k, :k] = rest[:, k, :k] / np.sqrt(pivot)[:, None]
        w[:, k, k] = np.sqrt(pivot)
        rest[:, :k, :k] -= w[:, k, :k, None] * w[:, k, None, :k]
    return w


def solve(rhs: Reals, w: Reals) -> Reals:
    """X of ``X W^T W = rhs``, rows (groups, R, K): ``Y W = rhs`` from the last column, ``X W^T = Y`` from the first."""
    x = rhs.copy()
    for k in reversed(range(w.shape[-1])):
        x[..., k] /= w[:, k, k, None]
        x[..., :k] -= x[..., k, None] * w[:, None, k, :k]
    for k in range(w.shape[-1]):
        x[..., k] /= w[:, k, k, None]
        x[..., k + 1 :] -= x[..., k, None] * w[:, None, k + 1 :, k]
    return x


def round_columns(v: Reals, feedback: Reals, scale: Reals, qmin: int, qmax: int) -> Reals:
    """Codes for (groups, R, K): ``q_k = nearest((v_k + sum_{i<k} e_i feedback_ki) / S)``, ``e_i = v_i - S q_i``."""
    wanted, codes = v.copy(), np.zeros_like(v)
    scale = np.broadcast_to(scale, v.shape)
    for k in range(v.shape[-1]):
        codes[..., k] = np.clip(np.rint(wanted[..., k] / scale[..., k]), qmin, qmax)
        e = v[..., k] - scale[..., k] * codes[..., k]
        wanted[..., k + 1 :] += e[..., None] * feedback[:, None, k + 1 :, k]
    return codes


def improve_columns(
    codes: Reals, v: Reals, h: Reals, pull: Reals, scale: Reals, limits: tuple[int, int], sweeps: int
) -> Reals:
    """Each code in turn the best one: ``q_k = nearest((v_k + pull_k / H_kk - e_k) / S)``, ``pull = (v - S q) H``."""
    codes, pull = codes.copy(), pull.copy()
    scale = np.broadcast_to(scale, v.shape)
    for _ in range(sweeps):
        for k in range(v.shape[-1]):
            step, old = scale[..., k], codes[..., k].copy()
            wanted = v[..., k] + pull[..., k] / h[:, None, k, k] - (v[..., k] - step * old)
            codes[..., k] = np.clip(np.rint(wanted / step), *limits)
            pull -= (step * (codes[..., k] - old))[..., None] * h[:, None, k, :]
    return codes
