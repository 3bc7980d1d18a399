"""Exact sums of products that go on without becoming codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.rescale import Target


@dataclass(frozen=True, eq=False)
class AddSums:
    """``q = clamp(rhe((a A_c + (b - Zb) B_c) / 2^k_c) + Z)``, a int32 sums, b codes or sums (docs/math/add.md eq. 29).

    b broadcasts against a. One rounding: the product that made a was never rounded to a code.

    Attributes
    ----------
    axis : of a's channels, from the front (1) or the end (-1).
    a_multiplier, b_multiplier, shift : int64, () or (channels,).
    """

    name: str
    a: str
    b: str
    y: str
    b_zero: int
    axis: int
    a_multiplier: NDArray[np.int64]
    b_multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]
    target: Target
