"""Normalization by mean and variance in plain NumPy integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute.exact import write
from halfeven.execute.normalize import TOP, WORD, Rows, rows_of
from halfeven.ir.normalize import Normalize
from halfeven.numerics.rounding import divide_half_even, shift_half_even

Array = NDArray[Any]
AXES = (2, 3)  # of a row


def normalize(i: Normalize, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """``clamp(rhe((T G_c + B_c) / 2^shift) + Z)`` (docs/math/normalize.md eq. 20-24)."""
    rows = rows_of(i, arrays[0].shape)
    q = arrays[0].astype(np.int64).reshape(rows.shape)
    channels = (1, *rows.shape[1:3], 1)
    acc = _normalized(i, q, rows) * i.gain.reshape(channels) + i.offset.reshape(channels)
    return (write(_shifted(acc, np.asarray(i.shift)), i.target).reshape(arrays[0].shape),)


def _normalized(i: Normalize, q: Array, rows: Rows) -> Array:
    """T, with ``i.fraction`` fractional bits."""
    n, f = rows.length, rows.half_fraction
    total = q.sum(axis=AXES, keepdims=True)
    v = n * (q * q).sum(axis=AXES, keepdims=True) - total * total
    w = np.maximum((v << 2 * f) + rows.epsilon, 1)
    g = (TOP - bit_length(w)) >> 1
    reciprocal = divide_half_even(np.asarray(1 << 61), square_root(w << 2 * g))
    return _shifted((n * q - total) * reciprocal, np.maximum(2 * WORD - 1 - f - g - i.fraction, 0))


def _shifted(value: Array, shift: Array) -> Array:
    return np.where(shift > 0, shift_half_even(value, np.maximum(shift, 1)), value)


def bit_length(a: Array) -> Array:
    """Bits of each number, ``a >= 0``."""
    left, bits = a.copy(), np.zeros_like(a)
    for step in (32, 16, 8, 4, 2, 1):
        more = left >> step > 0
        bits += step * more
        left = np.where(more, left >> step, left)
    return bits + left


def square_root(a: Array) -> Array:
    """``floor(sqrt(a))``, ``0 <= a < 2^62``: float64 is off by one at most."""
    root = np.sqrt(a.astype(np.float64)).astype(np.int64)
    root -= root * root > a
    return np.asarray(root + ((root + 1) * (root + 1) <= a))
