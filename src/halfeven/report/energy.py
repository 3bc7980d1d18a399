"""An estimate of energy from published figures: multiply-accumulates and memory, nothing else.

Source: M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, 45 nm, 0.9 V: 8-bit integer
multiply 0.2 pJ, 32-bit integer add 0.1 pJ, float32 multiply 3.7 pJ, float32 add 0.9 pJ; an 8 KiB cache reads 64 bits
for 10 pJ, so 32 bits for 5 pJ; DRAM reads 64 bits for 1.3 nJ and more, so 32 bits for about 640 pJ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SOURCE = (
    "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, 45 nm: int8 multiply 0.2 pJ, "
    "int32 add 0.1 pJ, float32 multiply 3.7 pJ, float32 add 0.9 pJ, 32 bits from an 8 KiB SRAM 5 pJ, from DRAM 640 pJ"
)
ASSUMPTIONS = (
    "An estimate, not a measurement: multiply-accumulates, weights read once from DRAM, activations in small SRAM. An "
    "integer multiplication of other widths is taken as proportional to their product. A real chip differs, mostly in "
    "how its memory is arranged; the ratio says more than the number."
)

INT8_MULTIPLY_PJ = 0.2
INT32_ADD_PJ = 0.1
FLOAT_MULTIPLY_PJ = 3.7
FLOAT_ADD_PJ = 0.9
SRAM_READ_PJ_A_BYTE = 5 / 4
DRAM_READ_PJ_A_BYTE = 640 / 4
INT8_BITS = 8
PJ_A_UJ = 1e6


@dataclass(frozen=True)
class Energy:
    """Of one inference, in microjoules."""

    arithmetic_uj: float
    weights_uj: float
    activations_uj: float

    @property
    def total_uj(self) -> float:
        """All three."""
        return self.arithmetic_uj + self.weights_uj + self.activations_uj


def multiply_accumulate_pj(weight_bits: int, activation_bits: int, *, is_float: bool) -> float:
    """One multiplication and one addition: 0.3 pJ for int8 by int8 into int32, 4.6 pJ for float32.

    The published 0.2 pJ for 8 x 8 bits and 3.1 pJ for 32 x 32 bits fit ``0.2 w a / 64``: that gives the widths between.
    """
    if is_float:
        return FLOAT_MULTIPLY_PJ + FLOAT_ADD_PJ
    return INT8_MULTIPLY_PJ * weight_bits * activation_bits / INT8_BITS**2 + INT32_ADD_PJ


def energy(arithmetic_pj: Iterable[float], weight_bytes: int, activation_bytes: int) -> Energy:
    """Of one inference: what each kind of operation takes together, and the bytes that are moved."""
    return Energy(
        sum(arithmetic_pj) / PJ_A_UJ,
        weight_bytes * DRAM_READ_PJ_A_BYTE / PJ_A_UJ,
        activation_bytes * SRAM_READ_PJ_A_BYTE / PJ_A_UJ,
    )
