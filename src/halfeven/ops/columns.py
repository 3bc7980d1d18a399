"""Moments, products, factors, triangular systems and codes, column after column, by the native kernels.

Tested equal, bit for bit, to the definitions in ``halfeven.ptq.rounding.reference``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven import _native

Reals = NDArray[np.float64]
Rows = NDArray[np.float32]
SIDE = _native.tile_side


@dataclass(frozen=True, eq=False)
class Panels:
    """Symmetric or lower triangular matrices (groups, K, K) as the kernels read them.

    Attributes
    ----------
    numbers : (groups, panels, K, 16), K filled up to a multiple of 16 as the identity would be; element (n, k) is
        ``[k // 16, n, k % 16]``. A triangular one holds its transpose too, but for the tiles on the diagonal.
    size : K.
    """

    numbers: Reals
    size: int

    @classmethod
    def of(cls, h: Reals) -> Panels:
        """Symmetric matrices."""
        groups, size, _ = h.shape
        order = np.broadcast_to(np.arange(size), (groups, size))
        return covariance(h, 1, np.zeros((groups, size)), order, np.zeros(groups))

    def dense(self) -> Reals:
        """(groups, K, K)."""
        across = np.moveaxis(self.numbers, 1, 2)
        return np.ascontiguousarray(across.reshape(len(across), across.shape[1], -1)[:, : self.size, : self.size])

    def copy(self) -> Panels:
        """Others with the same numbers."""
        return Panels(self.numbers.copy(), self.size)


def add_moments(a: Rows, b: Rows, out: Reals) -> None:
    """``out_ij += sum a_i b_j`` over rows, from the first; a, b (groups, columns, rows), perhaps the same array."""
    same, left = a is b, _floats(a)
    _native.add_moments(left, left if same else _floats(b), out, same)


def product(a: Reals, b: Reals | Panels) -> Reals:
    """``a b`` of matrices (groups, M, K) and (groups, K, N), or symmetric ones; from the first of K to the last."""
    if isinstance(b, Panels):
        out = np.empty(a.shape)
        _native.multiply_panels(_dense(a), b.numbers, out)
        return out
    out = np.empty((*a.shape[:-1], b.shape[-1]))
    _native.multiply(_dense(a), _dense(b), out)
    return out


def covariance(sums: Reals, count: int, mean: Reals, order: NDArray[np.int64], added: Reals) -> Panels:
    """``H_nk = sums_ij / count - mean_i mean_j``, ``i = order_n``, ``j = order_k``; ``added`` on the diagonal.

    ``order`` and ``mean`` are (groups, K), ``added`` (groups,).
    """
    groups, size, _ = sums.shape
    full = -(-size // SIDE) * SIDE
    numbers = np.empty((groups, full // SIDE, full, SIDE))
    order = np.ascontiguousarray(order, np.int64)
    _native.to_panels(_dense(sums), float(count), _dense(mean), order, _dense(added[:, None]), numbers)
    return Panels(numbers, size)


def factor(h: Panels) -> bool:
    """W, lower triangular, of ``H = W^T W`` in the place of H; False where one is not positive definite."""
    return _native.factor(h.numbers)


def solve(rhs: Reals, w: Panels) -> Reals:
    """X of ``X W^T W = rhs``, rows (groups, R, K)."""
    x = np.array(rhs, order="C")
    _native.solve(w.numbers, x)
    return x


def round_columns(v: Reals, w: Panels, scale: Reals, qmin: int, qmax: int) -> tuple[Reals, Reals]:
    """Codes for reals (groups, R, K), and of each row ``sum_k (W_kk d_k)^2``, d_k what the rounding of column k leaves.

    ``q_k = nearest((v_k + sum_{i<k} e_i W_ki / W_kk) / S)``, ``e_i = v_i - S q_i``; one scale a row or one an element.
    """
    codes, lost = np.empty(v.shape), np.empty(v.shape[:-1])
    _native.round_columns(_dense(v), w.numbers, _scales(scale, v), qmin, qmax, codes, lost)
    return codes, lost


def improve_columns(
    codes: Reals, v: Reals, h: Panels, pull: Reals, scale: Reals, limits: tuple[int, int], sweeps: int
) -> tuple[Reals, Reals]:
    """Each code in turn the best one, the others held, and ``pull = (v - S q) H`` of them; it is given of ``codes``."""
    found, left = np.array(codes, order="C"), np.array(pull, order="C")
    _native.improve_columns(_dense(v), h.numbers, _scales(scale, v), *limits, found, left, sweeps)
    return found, left


def _dense(a: Reals) -> Reals:
    return np.ascontiguousarray(a, np.float64)


def _floats(a: Rows) -> Rows:
    return np.ascontiguousarray(a, np.float32)


def _scales(scale: Reals, v: Reals) -> Reals:
    count = 1 if scale.shape[-1] == 1 else v.shape[-1]
    return _dense(np.broadcast_to(scale, (*v.shape[:-1], count)))
