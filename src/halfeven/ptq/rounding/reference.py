"""What the native kernels of ``halfeven.ops.columns`` compute, to the last bit. For tests: these loops take their time.

Every sum is taken in the order of the columns that is written here, each step one FMA.
Source: docs/math/weight-rounding.md eq. 5 to 7.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
SPLIT = 2.0**27 + 1


def fma(a: Reals, b: Reals, c: Reals) -> Reals:
    """``a b + c`` rounded once, where neither it nor a b overflows or is subnormal.

    Source: S. Boldo, G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to
    odd", 2008.
    """
    high, low = _product(a, b)
    top, rest = _sum(c, low)
    whole, left = _sum(high, top)
    return np.asarray(whole + _sum_to_odd(left, rest))


def _sum(a: Reals, b: Reals) -> tuple[Reals, Reals]:
    """The rounded sum and what rounding left. Source: D. Knuth, The Art of Computer Programming 2, 4.2.2."""
    s = np.asarray(a + b)
    t = s - a
    return s, np.asarray((a - (s - t)) + (b - t))


def _product(a: Reals, b: Reals) -> tuple[Reals, Reals]:
    """The rounded product and what rounding left. Source: T. J. Dekker, 1971."""
    p = np.asarray(a * b)
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return p, np.asarray(((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2)


def _halves(a: Reals) -> tuple[Reals, Reals]:
    t = SPLIT * a
    high = t - (t - a)
    return high, a - high


def _sum_to_odd(a: Reals, b: Reals) -> Reals:
    """Of the two doubles next to an inexact sum the one whose last bit is 1."""
    s, left = _sum(a, b)
    bits = s.view(np.int64)
    away = np.where((left > 0) == (s > 0), 1, -1)
    return np.where((left != 0) & (bits % 2 == 0), bits + away, bits).view(np.float64)


def moments(a: NDArray[np.float32], b: NDArray[np.float32], start: Reals) -> Reals:
    """``start_ij + sum a_i b_j`` over rows; a, b (groups, columns, rows)."""
    out = start.copy()
    for n in range(a.shape[-1]):
        out = fma(a[:, :, None, n].astype(np.float64), b[:, None, :, n].astype(np.float64), out)
    return out


def product(a: Reals, b: Reals) -> Reals:
    """``a b`` of (groups, M, K) and (groups, K, N)."""
    out = np.zeros((*a.shape[:-1], b.shape[-1]))
    for k in range(a.shape[-1]):
        out = fma(a[..., k, None], b[:, None, k], out)
    return out


def factor(h: Reals) -> Reals | None:
    """W, lower triangular, of ``H = W^T W``, symmetric (groups, K, K); None where one is not positive definite."""
    rest, w = h.copy(), np.zeros_like(h)
    for k in reversed(range(h.shape[-1])):
        pivot = rest[:, k, k].copy()
        if not (pivot > 0).all():
            return None
        w[:, k, :k] = rest[:, k, :k] / np.sqrt(pivot)[:, None]
        w[:, k, k] = np.sqrt(pivot)
        rest[:, :k, :k] = fma(-w[:, k, :k, None], w[:, k, None, :k], rest[:, :k, :k])
    return w


def solve(rhs: Reals, w: Reals) -> Reals:
    """X of ``X W^T W = rhs``, rows (groups, R, K): ``Y W = rhs`` from the last column, ``X W^T = Y`` from the first."""
    x = rhs.copy()
    for k in reversed(range(w.shape[-1])):
        x[..., k] /= w[:, k, k, None]
        x[..., :k] = fma(-x[..., k, None], w[:, None, k, :k], x[..., :k])
    for k in range(w.shape[-1]):
        x[..., k] /= w[:, k, k, None]
        x[..., k + 1 :] = fma(-x[..., k, None], w[:, None, k + 1 :, k], x[..., k + 1 :])
    return x


def round_columns(v: Reals, w: Reals, scale: Reals, qmin: int, qmax: int) -> tuple[Reals, Reals]:
    """Codes for (groups, R, K), ``q_k = nearest((v_k + sum_{i<k} e_i W_ki / W_kk) / S)``, ``e_i = v_i - S q_i``.

    And ``sum_k (W_kk d_k)^2`` of each row, d_k what the rounding of column k leaves.
    """
    made_up, codes, lost = np.zeros_like(v), np.zeros_like(v), np.zeros(v.shape[:-1])
    scale = np.broadcast_to(scale, v.shape)
    for k in range(v.shape[-1]):
        pivot = w[:, k, k, None]
        wanted = v[..., k] + made_up[..., k] / pivot
        codes[..., k] = np.clip(np.rint(wanted / scale[..., k]), qmin, qmax)
        real = scale[..., k] * codes[..., k]
        left = pivot * (wanted - real)
        lost = fma(left, left, lost)
        made_up[..., k + 1 :] = fma((v[..., k] - real)[..., None], w[:, None, k + 1 :, k], made_up[..., k + 1 :])
    return codes, lost


def improve_columns(
    codes: Reals, v: Reals, h: Reals, pull: Reals, scale: Reals, limits: tuple[int, int], sweeps: int
) -> tuple[Reals, Reals]:
    """Each code in turn the best one: ``q_k = nearest((v_k + pull_k / H_kk - e_k) / S)``, ``pull = (v - S q) H``."""
    codes, pull = codes.copy(), pull.copy()
    scale = np.broadcast_to(scale, v.shape)
    for _ in range(sweeps):
        for k in range(v.shape[-1]):
            step, old = scale[..., k], codes[..., k].copy()
            wanted = v[..., k] + pull[..., k] / h[:, None, k, k] - (v[..., k] - step * old)
            codes[..., k] = np.clip(np.rint(wanted / step), *limits)
            pull = fma(-(step * (codes[..., k] - old))[..., None], h[:, None, k, :], pull)
    return codes, pull


def panels(h: Any) -> Reals:
    """Symmetric (groups, K, K) as (groups, panels, K, 16), filled up as the identity would be."""
    groups, size, _ = h.shape
    full = -(-size // 16) * 16
    wide = np.broadcast_to(np.eye(full), (groups, full, full)).copy()
    wide[:, :size, :size] = h
    return np.ascontiguousarray(np.moveaxis(wide.reshape(groups, full, full // 16, 16), 2, 1))
