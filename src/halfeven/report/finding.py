"""What a layer suffers from, in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class Severity(IntEnum):
    """How much it matters; higher is worse."""

    NOTE = 0
    WEAK = 1
    PROBLEM = 2


class Kind(Enum):
    """What is wrong. The value is its name for people."""

    PREPROCESSING = "preprocessing mismatch"
    PINNED = "output pinned at the range"
    TRUNCATION = "truncation"
    OUTLIERS = "outlier channels"
    WIDE = "range too wide"
    ASYMMETRY = "one-sided range"
    ROUNDING = "rounding"
    WEIGHTS = "weights"
    OPERANDS = "coarse inputs"
    CUT_OPERANDS = "truncated inputs"
    LOST = "lost channels"
    DEAD = "dead channels"
    BIAS = "constant error"
    SCALED = "scaled channels"
    MASKED = "masked"
    INHERITED = "inherited"
    FLOAT = "float32"


REMEDIES: dict[Kind, str] = {
    Kind.PREPROCESSING: "preprocess calibration and these samples alike: mean and scale, 0..255 or 0..1, RGB or BGR",
    Kind.PINNED: "raise the range of that output, calibrate with more data, or cut the model before it",
    Kind.TRUNCATION: "raise the range, or calibrate with more data",
    Kind.WIDE: "a tighter range (method percentile), or calibration data more like these",
    Kind.OUTLIERS: "equalize the channels, one scale a channel, or int16 activations",
    Kind.ASYMMETRY: "asymmetric activations (uint8)",
    Kind.ROUNDING: "int16 activations",
    Kind.WEIGHTS: "one scale a channel or a group, int8 instead of int4, or int16 weights",
    Kind.OPERANDS: "finer codes for what it reads: asymmetric where one-sided, a tighter range, or int16",
    Kind.CUT_OPERANDS: "raise the range of what it reads, or calibrate with more data",
    Kind.LOST: "one scale a channel, equalize the channels, or int16 activations",
    Kind.DEAD: "prune them: they cost time and say nothing",
    Kind.BIAS: "bias correction",
    Kind.SCALED: "none needed: the channels were equalized when the model was quantized",
    Kind.MASKED: "none needed where Softmax reads them: it makes 0 of them",
    Kind.INHERITED: "mend the layers before it",
    Kind.FLOAT: "codes at its result, where its operator has an integer form; else another operator",
}
"""What to do about it."""


@dataclass(frozen=True)
class Finding:
    """One thing found about one layer: what, and the numbers that show it."""

    kind: Kind
    severity: Severity
    text: str

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.kind]

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.text}"
