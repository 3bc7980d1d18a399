"""``H = U U^T``, U upper triangular, and solutions with it; batches of matrices at once.

Source: docs/math/weight-rounding.md eq. 5.
"""

from __future__ import annotations

import numpy as np

from halfeven.errors import ParameterError
from halfeven.ptq.rounding.tiles import Reals, side_of, tiled, untiled


def upper_factor(h: Reals) -> Reals:
    """U of ``(..., K, K)`` symmetric positive definite matrices.

    Columns from the last to the first, a tile at a time: what the later columns explain is taken from the earlier ones.

    Raises
    ------
    ParameterError
        If one is not positive definite.
    """
    size = h.shape[-1]
    side = side_of(size)
    tiles = tiled(h, side, side)
    count = tiles.shape[-3]
    padding = np.arange(size - (count - 1) * side, side)
    tiles[..., -1, -1, padding, padding] = 1.0
    for k in reversed(range(count)):
        corner = _tile_factor(tiles[..., k, k, :, :])
        tiles[..., k, k, :, :] = corner
        tiles[..., k, :k, :, :] = 0.0
        above = tiles[..., :k, k, :, :] @ _inverse(corner)[..., None, :, :].swapaxes(-1, -2)
        tiles[..., :k, k, :, :] = above
        tiles[..., :k, :k, :, :] -= above[..., :, None, :, :] @ above[..., None, :, :, :].swapaxes(-1, -2)
    return untiled(tiles, size, size)


def _tile_factor(h: Reals) -> Reals:
    rest, u = h.copy(), np.zeros_like(h)
    for k in reversed(range(h.shape[-1])):
        pivot = rest[..., k, k]
        if not (pivot > 0).all():
            raise ParameterError("a matrix of inputs is not positive definite: more damping was expected")
        u[..., : k + 1, k] = rest[..., : k + 1, k] / np.sqrt(pivot)[..., None]
        rest[..., :k, :k] -= u[..., :k, k, None] * u[..., None, :k, k]
    return u


def _inverse(u: Reals) -> Reals:
    """Of small upper triangular matrices, by columns from the first."""
    found = np.zeros_like(u)
    for k in range(u.shape[-1]):
        pivot = u[..., k, k]
        found[..., k, k] = 1.0 / pivot
        above = (found[..., :k, :k] * u[..., None, :k, k]).sum(axis=-1)
        found[..., :k, k] = -above / pivot[..., None]
    return found


def solve(rhs: Reals, u: Reals) -> Reals:
    """X of ``X U U^T = rhs``, rows ``(..., R, K)``."""
    (*_, rows, size) = rhs.shape
    side = side_of(size)
    tiles, x = tiled(u, side, side), tiled(rhs, side_of(rows), side)
    count = tiles.shape[-3]
    padding = np.arange(size - (count - 1) * side, side)
    tiles[..., -1, -1, padding, padding] = 1.0
    corners = [_inverse(tiles[..., k, k, :, :]) for k in range(count)]
    for k in reversed(range(count)):  # Y U^T = rhs
        for i in range(k + 1, count):
            x[..., :, k, :, :] -= x[..., :, i, :, :] @ tiles[..., k, i, None, :, :].swapaxes(-1, -2)
        x[..., :, k, :, :] = x[..., :, k, :, :] @ corners[k][..., None, :, :].swapaxes(-1, -2)
    for k in range(count):  # X U = Y
        for i in range(k):
            x[..., :, k, :, :] -= x[..., :, i, :, :] @ tiles[..., i, k, None, :, :]
        x[..., :, k, :, :] = x[..., :, k, :, :] @ corners[k][..., None, :, :]
    return untiled(x, rows, size)
