"""How an integer sum becomes a code, as one frozen value that instructions carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import Requantize
from halfeven.numerics.qtype import QType


@dataclass(frozen=True, eq=False)
class Target:
    """Codes that an instruction writes: ``clamp(. + zero_point)`` to ``[qmin, qmax]``, stored as ``qtype``.

    ``[qmin, qmax]`` is the range of ``qtype``, or tighter where an activation is fused.
    """

    qtype: QType
    zero_point: int
    qmin: int
    qmax: int

    def __str__(self) -> str:
        return f"{self.qtype} Z={self.zero_point} [{self.qmin}, {self.qmax}]"


@dataclass(frozen=True, eq=False)
class Rescale:
    """``q = clamp(round(M acc) + Z)`` (docs/math/requantize.md eq. 9).

    Attributes
    ----------
    multiplier : one, or one an output channel.
    target : zero point and clamp.
    method : of rounding; the profile's.
    """

    multiplier: Multiplier
    target: Target
    method: Requantize

    def __str__(self) -> str:
        return f"{self.multiplier} -> {self.target}"


@dataclass(frozen=True, eq=False)
class MeanRescale:
    """``q = clamp(round(S1 / (S3 count) sum) + Z)``: the division by the count is part of M, so there is one rounding.

    The count depends on the window (and on dynamic sizes), so M is formed for each count by :meth:`multiplier`.

    Attributes
    ----------
    ratio : ``S1 / S3`` in float64, of the float32 scales.
    bits, half_away : of M0, as the profile says.
    scales : ``(S1, S3)`` where M is formed in float32 steps, ``f32(S1 / f32(S3 count))``; else None.
    """

    ratio: float
    bits: int
    half_away: bool
    target: Target
    method: Requantize
    scales: tuple[float, float] | None = None

    def multiplier(self, count: int | NDArray[np.int64]) -> Multiplier:
        """M for windows of ``count`` elements."""
        if self.scales is not None:
            s1, s3 = map(np.float32, self.scales)
            return Multiplier.from_real(s1 / (s3 * np.asarray(count, np.float32)), self.bits, half_away=self.half_away)
        return Multiplier.from_real(self.ratio / np.asarray(count, np.float64), self.bits, half_away=self.half_away)

    def __str__(self) -> str:
        return f"ratio={self.ratio:.9g} / count -> {self.target}"


@dataclass(frozen=True, eq=False)
class Accumulator:
    """What is proved of a sum: ``|acc| <= bound`` for each output channel, in any order of addition.

    Attributes
    ----------
    bound : int64, () or (C,).
    bits : 32 where the bound proves that int32 holds it, else 64.
    """

    bound: NDArray[np.int64]
    bits: int

    @classmethod
    def of(cls, bound: NDArray[np.int64]) -> Accumulator:
        """Int32 where the bound is below 2^31, else int64."""
        return cls(bound, 32 if int(np.max(bound, initial=0)) < 1 << 31 else 64)

    def __str__(self) -> str:
        return f"int{self.bits} |acc| <= {int(np.max(self.bound, initial=0))}"
