"""Profiles: every choice on which toolchains differ, as one frozen value each. Source: docs/math/profiles.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from halfeven.errors import ParameterError
from halfeven.numerics.rounding import Rounding


class Scaling(IntEnum):
    """How ``r / S`` is formed."""

    DIVIDE = 0
    RECIPROCAL = 1


class ZeroPoint(IntEnum):
    """On which side of the rounding of Quantize the zero point is added."""

    INSIDE = 0
    OUTSIDE = 1


class Requantize(IntEnum):
    """How ``M * acc`` becomes an integer."""

    EXACT_HALF_EVEN = 0
    EXACT_HALF_UP = 1
    DOUBLE_ROUNDING = 2
    FLOAT32 = 3


class Steps(IntEnum):
    """What operators other than products compute in between codes."""

    INTEGER = 0
    FLOAT32 = 1


@dataclass(frozen=True)
class Profile:
    """One toolchain's arithmetic.

    Attributes
    ----------
    scaling : float32 division, or multiplication by ``f32(1 / S)``.
    zero_point : added inside the rounding, ``round(f32(r / S + Z))``, or outside it, ``round(r / S) + Z``.
    rounding : of Quantize.
    requantize : of integer sums; None where the toolchain defines none.
    multiplier_bits : width of M0.
    multiplier_half_away : whether M0 itself is rounded half away from zero (else half to even).
    multiplier_float32 : whether ``M`` is formed in float32 steps, ``f32(f32(S1 * S2) / S3)`` (else in float64).
    steps : of Add, Mul, means, Softmax and one-input functions: integers, or the float32 operations of ONNX Runtime's
        kernels for 8-bit codes, in their order (docs/guide/onnxruntime.md).
    """

    name: str
    summary: str
    scaling: Scaling = Scaling.DIVIDE
    zero_point: ZeroPoint = ZeroPoint.OUTSIDE
    rounding: Rounding = Rounding.HALF_EVEN
    requantize: Requantize | None = Requantize.EXACT_HALF_EVEN
    multiplier_bits: int = 31
    multiplier_half_away: bool = False
    multiplier_float32: bool = False
    steps: Steps = Steps.INTEGER

    def row(self) -> tuple[str, str, str, str, str]:
        """Cells of the table of profiles: name, r / S, zero point, ties, requantize."""
        scaling = "f32 divide" if self.scaling is Scaling.DIVIDE else "r * f32(1/S)"
        ties = {
            Rounding.HALF_EVEN: "half to even",
            Rounding.HALF_UP_FLOAT32: "floor(f32(t + 0.5))",
            Rounding.HALF_AWAY: "half away from zero",
        }[self.rounding]
        return self.name, scaling, self.zero_point.name.lower(), ties, self._requantize_cell()

    def _requantize_cell(self) -> str:
        if self.requantize is None:
            return "-"
        rule = {
            Requantize.EXACT_HALF_EVEN: "one rounding, half to even",
            Requantize.EXACT_HALF_UP: "one rounding, half up",
            Requantize.DOUBLE_ROUNDING: "two roundings (doubling high multiply, then shift)",
            Requantize.FLOAT32: "float32 product, half to even",
        }[self.requantize]
        return f"M0 {self.multiplier_bits} bits, {rule}"

    def __str__(self) -> str:
        return " | ".join(self.row())


JOURNEY6 = Profile("journey6", "Journey 6 toolchain, OE 3.0.31 and later", zero_point=ZeroPoint.INSIDE)
JOURNEY6_LEGACY = Profile(
    "journey6-legacy",
    "Journey 6 toolchain before OE 3.0.31",
    zero_point=ZeroPoint.INSIDE,
    rounding=Rounding.HALF_UP_FLOAT32,
    requantize=Requantize.EXACT_HALF_UP,
)
ONNXRUNTIME = Profile(
    "onnxruntime",
    "ONNX Runtime, CPU",
    requantize=Requantize.FLOAT32,
    multiplier_bits=24,
    multiplier_float32=True,
    steps=Steps.FLOAT32,
)
PYTORCH = Profile("pytorch", "PyTorch fake_quantize", scaling=Scaling.RECIPROCAL, requantize=None)
TFLITE = Profile(
    "tflite",
    "TensorFlow Lite, single rounding",
    rounding=Rounding.HALF_AWAY,
    requantize=Requantize.EXACT_HALF_UP,
    multiplier_half_away=True,
)
TFLITE_DOUBLE = Profile(
    "tflite-double",
    "TensorFlow Lite Micro, gemmlowp",
    rounding=Rounding.HALF_AWAY,
    requantize=Requantize.DOUBLE_ROUNDING,
    multiplier_half_away=True,
)
XNNPACK = Profile(
    "xnnpack",
    "XNNPACK, fp32 requantization",
    scaling=Scaling.RECIPROCAL,
    requantize=Requantize.FLOAT32,
    multiplier_bits=24,
    multiplier_float32=True,
)


class Profiles(Mapping[str, Profile]):
    """The named profiles; printing it shows the table."""

    def __init__(self, *members: Profile) -> None:
        self._members = {p.name: p for p in members}

    def __getitem__(self, name: str) -> Profile:
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __str__(self) -> str:
        header = ("profile", "r / S", "Z", "ties", "requantize")
        rows = [header, *(p.row() for p in self.values())]
        widths = [max(len(row[k]) for row in rows) for k in range(len(header))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    __repr__ = __str__


profiles = Profiles(JOURNEY6, JOURNEY6_LEGACY, ONNXRUNTIME, PYTORCH, TFLITE, TFLITE_DOUBLE, XNNPACK)


def get_profile(profile: str | Profile) -> Profile:
    """The profile of that name; a Profile is returned as it is."""
    if isinstance(profile, Profile):
        return profile
    if isinstance(profile, str) and profile in profiles:
        return profiles[profile]
    raise ParameterError(f"no profile is named {profile!r}: one of {', '.join(profiles)} was expected")
