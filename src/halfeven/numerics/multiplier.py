"""Real multipliers as integers, ``M = M0 * 2^-shift``. Source: docs/math/requantize.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halfeven.errors import ParameterError
from halfeven.numerics.host import integer_array, real_array, shown, whole
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Profile, get_profile

MAX_BITS = 31


@dataclass(frozen=True, eq=False)
class Multiplier:
    """``M = M0 * 2^-shift`` with ``M0`` in ``[2^(bits-1), 2^bits)`` (docs/math/requantize.md eq. 8).

    Attributes
    ----------
    m0 : int64, one or one a channel; 0 stands for M = 0.
    shift : int64 of the same shape: the total right shift, ``bits + n`` of eq. 8; negative shifts left.
    bits : width of M0.
    """

    m0: NDArray[np.int64]
    shift: NDArray[np.int64]
    bits: int = MAX_BITS

    def __post_init__(self) -> None:
        m0, shift, bits = integer_array(self.m0, "m0"), integer_array(self.shift, "shift"), _checked_bits(self.bits)
        if m0.shape != shift.shape and m0.ndim and shift.ndim:
            raise ParameterError(f"m0 has shape {m0.shape} where shift has {shift.shape}")
        m0, shift = np.broadcast_arrays(m0, shift)
        if ((m0 != 0) & ((m0 < 1 << (bits - 1)) | (m0 >= 1 << bits))).any():
            raise ParameterError(f"M0 must lie in [2^{bits - 1}, 2^{bits}), or be 0: {shown(m0)}")
        for name, a in (("m0", m0), ("shift", shift)):
            a = a.copy()  # noqa: PLW2901  frozen below
            a.setflags(write=False)
            object.__setattr__(self, name, a)

    @classmethod
    def from_real(cls, value: ArrayLike, bits: int = MAX_BITS, *, half_away: bool = False) -> Multiplier:
        """``M0 = rhe(M * 2^(bits+n))``; when that is ``2^bits``, half of it and one less shift (eq. 8).

        Parameters
        ----------
        value : M > 0 (or 0), float64: a number or one a channel.
        bits : width of M0.
        half_away : round M0 half away from zero instead of half to even (TensorFlow Lite).

        Raises
        ------
        ParameterError
            If a value is negative or not finite.
        """
        m, bits = real_array(value, "a multiplier"), _checked_bits(bits)
        if not (np.isfinite(m) & (m >= 0)).all():
            raise ParameterError(f"a multiplier must be finite and not negative, and {shown(value)} is not")
        mantissa, exponent = np.frexp(m)  # mantissa in [0.5, 1), or 0
        scaled = np.ldexp(mantissa, bits)
        m0 = np.floor(scaled + 0.5) if half_away else np.rint(scaled)  # exact: < 2^53 and 53 bits
        full = m0 >= 2.0**bits
        m0 = np.where(full, m0 / 2, m0).astype(np.int64)
        shift = np.where(m0 == 0, 0, bits - exponent.astype(np.int64) - full)
        return cls(m0, shift, bits)

    @classmethod
    def from_scales(
        cls, numerator: tuple[ArrayLike, ...], denominator: ArrayLike, profile: str | Profile = JOURNEY6
    ) -> Multiplier:
        """``M = S1 * S2 / S3`` of float32 scales, formed in float64 and rounded as the profile says (eq. 7, 8).

        Profiles that form M in float32 steps get that float32, which has 24 bits and so is exact here.
        """
        profile = get_profile(profile)
        kind = np.float32 if profile.multiplier_float32 else np.float64
        m: NDArray[Any] = np.asarray(1, kind)
        with np.errstate(over="ignore", under="ignore"):
            for s in numerator:
                m = m * np.asarray(s, np.float32).astype(kind)
            m = m / np.asarray(denominator, np.float32).astype(kind)
        return cls.from_real(m, profile.multiplier_bits, half_away=profile.multiplier_half_away)

    @property
    def value(self) -> NDArray[np.float64]:
        """``M0 * 2^-shift`` as float64, exact."""
        return np.asarray(np.ldexp(self.m0.astype(np.float64), -self.shift.astype(np.int32)))

    @property
    def n(self) -> NDArray[np.int64]:
        """``n`` of eq. 8: ``M = 2^-n * M0 * 2^-bits``."""
        return np.asarray(self.shift - self.bits)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Multiplier):
            return NotImplemented
        return self.bits == other.bits and np.array_equal(self.m0, other.m0) and np.array_equal(self.shift, other.shift)

    def __hash__(self) -> int:
        return hash((self.m0.tobytes(), self.shift.tobytes(), self.bits))

    def __repr__(self) -> str:
        if self.m0.ndim == 0:
            return f"Multiplier(m0={int(self.m0)}, shift={int(self.shift)}, bits={self.bits})"
        lo, hi = self.value.min(initial=np.inf), self.value.max(initial=0)
        return f"Multiplier({self.m0.shape} in [{lo:.6g} .. {hi:.6g}], bits={self.bits})"


def _checked_bits(bits: Any) -> int:
    width = whole(bits, "the width of a multiplier")
    if not 1 <= width <= MAX_BITS:
        raise ParameterError(f"a multiplier has 1 to {MAX_BITS} bits, not {width}")
    return width


def combined_scale(a: AffineParams, b: AffineParams) -> NDArray[np.float64]:
    """``S1 * S2`` in float64: the scale of an accumulator."""
    return np.asarray(a.scale.astype(np.float64) * b.scale.astype(np.float64))
