"""Inputs of the bulk cases: the same on every machine and with every NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import QType


class Scatter:
    """splitmix64 in counter mode: arrays of any length, each draw from a fresh stretch of the sequence."""

    def __init__(self, seed: int) -> None:
        self._next = seed << 40

    def bits(self, count: int) -> NDArray[np.uint64]:
        """``count`` words of 64 bits."""
        with np.errstate(over="ignore"):
            z = (np.arange(count, dtype=np.uint64) + np.uint64(self._next)) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        self._next += count
        return np.asarray(z ^ (z >> np.uint64(31)))

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Integers in ``[low, high]``, int64."""
        span = np.uint64(high - low + 1)
        drawn = (self.bits(int(np.prod(shape))) >> np.uint64(1)) % span
        return (drawn.astype(np.int64) + low).reshape(shape)

    def codes(self, qtype: QType, shape: tuple[int, ...]) -> NDArray[Any]:
        """Codes of the type; each eighth is an end of it."""
        drawn = self.integers(qtype.qmin, qtype.qmax, shape)
        ends = self.integers(0, 15, shape)
        return np.where(ends == 0, qtype.qmin, np.where(ends == 1, qtype.qmax, drawn)).astype(qtype.storage)


def reals(p: AffineParams, scatter: Scatter, count: int = 2048) -> NDArray[np.float32]:
    """Floats for quantize: near ties and codes of ``p`` (one scale), every exponent of float32, any pattern; no NaN."""
    half = count // 2
    wide = p.qtype.qmax - p.qtype.qmin
    steps = np.concatenate([np.arange(-600, 600, 5), scatter.integers(-2 * wide, 2 * wide, (half - 240,))])
    with np.errstate(over="ignore", under="ignore"):
        near = (steps * 0.5 * float(p.scale)).astype(np.float32)
    near = (near.view(np.int32) + scatter.integers(-1, 1, near.shape).astype(np.int32)).view(np.float32)
    exponents = np.arange(255, dtype=np.uint32) << np.uint32(23)
    edges = np.concatenate([exponents, exponents | np.uint32(1), [np.uint32(0x7F800000)]])
    edges = np.concatenate([edges, edges | np.uint32(0x80000000)]).view(np.float32)[::3]
    anything = (scatter.bits(count) >> np.uint64(32)).astype(np.uint32).view(np.float32)
    drawn = np.concatenate([near, edges, anything])
    return drawn[~np.isnan(drawn)][:count]


def sums(m: Multiplier, qtype: QType, scatter: Scatter, count: int = 512) -> NDArray[np.int32]:
    """int32 sums for requantize: at and beside the ties of ``m`` (one multiplier), the ends, and any."""
    real = float(m.value)
    halves = scatter.integers(qtype.qmin - 2, qtype.qmax + 2, (count // 2,)) + 0.5
    near = np.rint(np.clip(halves / real, -(2.0**31), 2.0**31 - 1)).astype(np.int64)
    near += scatter.integers(-1, 1, near.shape)
    special = np.array([0, 1, -1, 5, 2**24 + 1, -(2**24) - 1, 2**31 - 1, -(2**31)])
    anything = scatter.integers(-(2**31), 2**31 - 1, (count,))
    drawn = np.concatenate([special, near, anything])[:count]
    return np.clip(drawn, -(2**31), 2**31 - 1).astype(np.int32)
