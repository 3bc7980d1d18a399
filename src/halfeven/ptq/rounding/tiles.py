"""Matrices in square tiles, so that products have the same bits however many threads a BLAS uses.

A BLAS divides large products among threads, and may add the parts in another order then. Products of tiles are too
small to be divided: each is computed by one thread, and the order in which tiles are added is written here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
SIDE = 64  # OpenBLAS divides products of more than 64^3 multiplications


def side_of(size: int) -> int:
    """Tiles of a matrix of ``size`` columns: one for a small matrix."""
    return min(size, SIDE)


def tiled(a: Reals, rows: int, columns: int) -> Reals:
    """``(..., M, N)`` as tiles ``(..., ceil(M / rows), ceil(N / columns), rows, columns)``, filled up with zeros."""
    *lead, m, n = a.shape
    down, across = -(-m // rows), -(-n // columns)
    full = np.zeros((*lead, down * rows, across * columns))
    full[..., :m, :n] = a
    return np.ascontiguousarray(full.reshape(*lead, down, rows, across, columns).swapaxes(-3, -2))


def untiled(a: Reals, rows: int, columns: int) -> Reals:
    """Undo :func:`tiled` for a matrix of that size."""
    *lead, down, across, m, n = a.shape
    return np.ascontiguousarray(a.swapaxes(-3, -2).reshape(*lead, down * m, across * n)[..., :rows, :columns])


def product(a: Reals, b: Reals) -> Reals:
    """``a @ b`` of matrices ``(..., M, K)`` and ``(..., K, N)``, tile by tile, from the first of K to the last."""
    (*_, m, k), n = a.shape, b.shape[-1]
    sides = side_of(m), side_of(k), side_of(n)
    left, right = tiled(a, *sides[:2]), tiled(b, *sides[1:])
    found = left[..., :, 0, None, :, :] @ right[..., None, 0, :, :, :]
    for i in range(1, left.shape[-3]):
        found += left[..., :, i, None, :, :] @ right[..., None, i, :, :, :]
    return untiled(found, m, n)
