"""Random choices from one seed: types, codes, zero points, multipliers, windows. The extremes come often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.ir import instructions as ir
from halfeven.ir.rescale import MeanRescale, Rescale, Target
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import Requantize
from halfeven.numerics.qtype import QType, int4, int8, int16, int32, uint8, uint16

Array = NDArray[Any]
Case = tuple[ir.Instruction, list[Array]]

ACTIVATIONS = (int8, uint8, int8, uint8, int16, uint16)
WEIGHTS = (int8, int8, uint8, int4, int16)
TARGETS = (*ACTIVATIONS, int32)
EXACT = (Requantize.EXACT_HALF_EVEN, Requantize.EXACT_HALF_UP)


@dataclass
class Draw:
    """Random choices from one seed."""

    rng: np.random.Generator

    def one(self, values: Sequence[Any]) -> Any:
        """Any of the values."""
        return values[self.rng.integers(len(values))]

    def between(self, lo: int, hi: int) -> int:
        """An integer of ``[lo, hi]``."""
        return int(self.rng.integers(lo, hi + 1))

    def chance(self, p: float) -> bool:
        """True with probability ``p``."""
        return bool(self.rng.random() < p)

    def zero(self, qtype: QType) -> int:
        """A zero point: the usual ones, the extremes, or any."""
        return int(
            self.one([0 if qtype.signed else 2 ** (qtype.bits - 1), 0, qtype.qmin, qtype.qmax, self.code(qtype)])
        )

    def code(self, qtype: QType) -> int:
        """Any code."""
        return self.between(qtype.qmin, qtype.qmax)

    def codes(self, qtype: QType, shape: Sequence[int]) -> Array:
        """Codes of a shape: the extremes alone, all the same, or any."""
        if self.chance(0.3):  # the extremes alone
            return self.rng.choice([qtype.qmin, qtype.qmax], tuple(shape)).astype(qtype.storage)
        if self.chance(0.1):
            return np.full(tuple(shape), self.one([qtype.qmin, qtype.qmax]), qtype.storage)
        return self.rng.integers(qtype.qmin, qtype.qmax, tuple(shape), endpoint=True).astype(qtype.storage)

    def laid_out(self, a: Array) -> Array:
        """The same values, sometimes in another order of memory."""
        return np.asarray(a, order="F") if self.chance(0.2) else a

    def target(self, qtype: QType | None = None) -> Target:
        """Codes to write, sometimes clamped tighter."""
        qtype = qtype or self.one(TARGETS)
        lo, hi = sorted((self.code(qtype), self.code(qtype))) if self.chance(0.3) else (qtype.qmin, qtype.qmax)
        return Target(qtype, self.zero(qtype), lo, hi)

    def method(self, largest: int) -> Requantize:
        """A method that is defined for sums up to ``largest``."""
        return self.one(list(Requantize) if largest < 2**31 else [*EXACT, Requantize.FLOAT32])

    def ratio(self, target: Target, largest: int) -> float:
        """A multiplier that takes sums near ``largest`` to codes, or one far from that, or a power of two (ties)."""
        if self.chance(0.05):
            return float(2.0 ** self.between(-70, 20))
        size = min(target.qtype.levels, 2**16) / max(largest, 1) * 2.0 ** self.between(-2, 6)
        return float(2.0 ** np.round(np.log2(size))) if self.chance(0.3) else float(size * self.rng.uniform(0.5, 1))

    def rescale(self, largest: int, channels: int | None = None) -> Rescale:
        """One multiplier, or one a channel, for sums up to ``largest``."""
        target, method = self.target(), self.method(largest)
        if channels is None or self.chance(0.3):
            real = np.asarray(self.ratio(target, largest))
        else:
            real = np.array([self.ratio(target, largest) for _ in range(channels)])
        bits = 24 if method is Requantize.FLOAT32 else 31
        return Rescale(Multiplier.from_real(real, bits, half_away=self.chance(0.2)), target, method)

    def mean_rescale(self, largest: int, count: int) -> MeanRescale:
        """A mean of ``count`` elements, for sums up to ``largest``."""
        target, method = self.target(), self.method(largest)
        ratio = float(np.float64(np.float32(self.ratio(target, max(largest // count, 1)))))
        bits = 24 if method is Requantize.FLOAT32 else 31
        return MeanRescale(ratio, bits, self.chance(0.2), target, method)

    def window(self, rank: int, sizes: list[int], *, pool: bool = False) -> ir.Window:
        """A window that fits ``sizes``, which grow where it would not."""
        kernel = tuple(self.one([1, 1, 2, 3, 3, 4, 5]) for _ in range(rank))
        strides = tuple(self.one([1, 1, 2, 3]) for _ in range(rank))
        dilations = tuple(self.one([1, 1, 1, 2, 3]) for _ in range(rank))
        most = [k - 1 if pool else k + 1 for k in kernel]
        pads = tuple((self.between(0, m), self.between(0, m)) if self.chance(0.6) else (0, 0) for m in most)
        for axis in range(rank):
            span = dilations[axis] * (kernel[axis] - 1) + 1
            sizes[axis] = max(sizes[axis], span - sum(pads[axis]), 1)
        return ir.Window(kernel, strides, pads, dilations, pool and self.chance(0.4))


def farthest(qtype: QType, zero: int) -> int:
    """Largest ``|q - Z|`` over the values of the storage type."""
    info = np.iinfo(qtype.storage)
    return max(zero - int(info.min), int(info.max) - zero)


def weight_zero(d: Draw, qw: QType, channels: int) -> NDArray[np.int64]:
    """None, one, or one a channel."""
    if d.chance(0.5):
        return np.zeros((), np.int64)
    return np.asarray(d.zero(qw) if d.chance(0.3) else [d.zero(qw) for _ in range(channels)], np.int64)


def bias(d: Draw, channels: int) -> NDArray[np.int64]:
    """Biases from none to far beyond int32."""
    size = d.one([0, 1000, 2**20, 2**30, 2**31, 2**40])
    return d.rng.integers(-size, size, channels, endpoint=True)
