"""What is checked: quantizers and requantizers, each under a profile, and the paths that run each in full."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, profiles
from halfeven.numerics.qtype import QTYPES

SMALLEST, LARGEST = 2.0**-126, float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class QuantizeCase:
    """A quantizer: every float32 has one code under it."""

    profile: Profile
    params: AffineParams

    @property
    def name(self) -> str:
        """As the table shows it."""
        p = self.params
        return f"quantize {self.profile.name} {p.qtype} S={float(p.scale):.6g} Z={int(p.zero_point)}"


@dataclass(frozen=True)
class RequantizeCase:
    """A requantizer: every int32 sum has one code under it."""

    profile: Profile
    params: AffineParams
    multiplier: Multiplier

    @property
    def name(self) -> str:
        """As the table shows it."""
        m, p = self.multiplier, self.params
        return f"requantize {self.profile.name} {p.qtype} M0={int(m.m0)} shift={int(m.shift)} Z={int(p.zero_point)}"


Case = QuantizeCase | RequantizeCase


def quantizer(profile: str, scale: float, zero_point: int, qtype: str) -> QuantizeCase:
    """By names."""
    return QuantizeCase(profiles[profile], AffineParams(np.float32(scale), zero_point, qtype))


def requantizer(profile: str, value: float, zero_point: int, qtype: str, shift: int | None = None) -> RequantizeCase:
    """``value`` as the profile writes multipliers, or with the shift given instead of its own."""
    p = profiles[profile]
    real = float(np.float32(value)) if p.multiplier_float32 else value
    m = Multiplier.from_real(real, p.multiplier_bits, half_away=p.multiplier_half_away)
    if shift is not None:
        m = Multiplier(m.m0, np.int64(shift), m.bits)
    return RequantizeCase(p, AffineParams(1.0, zero_point, qtype), m)


# In full on most paths: each rule of quantize and each method of requantize once.
THOROUGH: tuple[Case, ...] = (
    quantizer("journey6", 0.1, 3, "int8"),
    quantizer("journey6-legacy", 0.0123, -7, "int8"),
    quantizer("onnxruntime", 2.0**-7, 129, "uint8"),
    quantizer("pytorch", 1 / 15, 1, "int8"),
    quantizer("tflite", 0.37, -128, "int8"),
    requantizer("journey6", 2.0**-24, 3, "int8"),  # one bit of M0: ties occur
    requantizer("tflite", 2.0**-15, 0, "int16"),
    requantizer("tflite-double", 3 * 2.0**-12, 3, "int8"),
    requantizer("onnxruntime", 0.0123, 128, "uint8"),
)

# In full on the slowest paths: one quantizer.
ONCE = THOROUGH[:1]

# In full on the fast paths, besides: 16-bit and 4-bit codes, extreme scales, M0 of all bits, M >= 1, a shift beyond 62.
FULL: tuple[Case, ...] = (
    *THOROUGH,
    quantizer("journey6", 3.1e-5, 32769, "uint16"),
    quantizer("onnxruntime", 2.0**-15, 12345, "int16"),
    quantizer("journey6", SMALLEST, 0, "int8"),
    quantizer("xnnpack", 1e37, 7, "uint4"),
    requantizer("journey6", 0.00037, -5, "int16"),
    requantizer("journey6", 5.5, 0, "uint8"),
    requantizer("journey6", 1.0, 1, "int8", shift=63),
    requantizer("tflite-double", 1.7, 0, "int16"),
    requantizer("xnnpack", 2.0**-24, -3, "int8"),
)

# By sample: every profile with every type.
ZERO_POINTS = {"int4": 1, "uint4": 7, "int8": -3, "uint8": 128, "int16": 12345, "uint16": 32769, "int32": 2**24 + 1}
SAMPLED_QUANTIZE: tuple[Case, ...] = tuple(
    quantizer(profile, scale, zero_point if odd else QTYPES[qtype].qmin // 2, qtype)
    for profile in profiles
    for qtype, zero_point in ZERO_POINTS.items()
    for scale, odd in ((0.0123, True), (2.0**-9, False), (SMALLEST, True), (LARGEST, True))
)
SAMPLED_REQUANTIZE: tuple[Case, ...] = tuple(
    requantizer(profile, value, 5, qtype)
    for profile, p in profiles.items()
    if p.requantize is not None
    for qtype in ("int8", "uint8", "int16", "int32")
    for value in (0.5, 2.0**-8, 0.0123, 2.4e-10, 1.0, 5.5, 2.0**10)
)


def many_scales(count: int) -> tuple[Case, ...]:
    """16-bit quantizers whose scales have all kinds of significands: a division must round correctly for each."""
    awkward = [0, 1, 2, 3, 0x2AAAAA, 0x3FFFFF, 0x400000, 0x400001, 0x555555, 0x7FFFFD, 0x7FFFFE, 0x7FFFFF]
    scattered = [(k * 2654435761 >> 4) & 0x7FFFFF for k in range(1, count)]
    exponents = [-60, 60, -126, 100, -61, 59, *((k * 37) % 119 - 59 for k in range(count))]
    scales = [(1 + s * 2.0**-23) * 2.0**e for s, e in zip(awkward + scattered, exponents, strict=False)][:count]
    rules = ("onnxruntime", "journey6", "tflite")
    return tuple(quantizer(rules[k % 3], scale, (k * 7919) % 65536, "uint16") for k, scale in enumerate(scales))


SAMPLED = (*SAMPLED_QUANTIZE, *SAMPLED_REQUANTIZE, *many_scales(40))
MORE = many_scales(400)[40:]  # not with --quick
