"""Codes times constants, and codes divided by codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.rescale import Target
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import Requantize


@dataclass(frozen=True, eq=False)
class Factors:
    """Real factors as integers: ``sign M0 2^-shift``.

    Attributes
    ----------
    multiplier : of the magnitudes, () or (channels,). sign : int64 of the same shape, 1 or -1.
    """

    multiplier: Multiplier
    sign: NDArray[np.int64]

    def __str__(self) -> str:
        return f"{'-' if (self.sign < 0).all() else '+-' if (self.sign < 0).any() else ''}{self.multiplier}"


@dataclass(frozen=True, eq=False)
class Slopes:
    """``q = clamp(round(F (x - Zx)) + Z)``: F is ``above`` where ``x >= Zx``, ``below`` elsewhere (PRelu, Mul, Div).

    Attributes
    ----------
    shape : sizes of the consecutive axes of x along which the factors lie, () for one factor. Their product is the
        number of channels.
    inner : how many axes of x follow those.
    """

    name: str
    x: str
    y: str
    x_zero: int
    shape: tuple[int, ...]
    inner: int
    above: Factors
    below: Factors
    target: Target
    method: Requantize


@dataclass(frozen=True, eq=False)
class Divide:
    """``q = clamp(rhe(M (a - Za) / (b - Zb)) + Z)``, broadcasting, one rounded integer division (docs/math/divide.md).

    Where ``b = Zb`` the result is ``qmin``, ``qmax`` or (where also ``a = Za``) ``Z``.
    """

    name: str
    a: str
    b: str
    y: str
    a_zero: int
    b_zero: int
    multiplier: Multiplier
    target: Target
