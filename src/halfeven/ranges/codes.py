"""The codes that a range is chosen for."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from halfeven.errors import ParameterError
from halfeven.numerics.params import AffineParams, choose_params
from halfeven.numerics.qtype import QType, int8


@dataclass(frozen=True)
class Codes:
    """Their type, and whether zero's code is 0.

    Raises
    ------
    ParameterError
        If unsigned codes are to be symmetric.
    """

    qtype: QType = int8
    symmetric: bool = True

    def __post_init__(self) -> None:
        if self.symmetric and not self.qtype.signed:
            raise ParameterError(f"symmetric codes are signed, and {self.qtype} is not")

    @classmethod
    def of(cls, qtype: QType) -> Codes:
        """Symmetric where the type is signed, else asymmetric."""
        return cls(qtype, qtype.signed)

    def params(self, lo: ArrayLike, hi: ArrayLike, axis: int | None = None) -> AffineParams:
        """Scale and zero point for a range, or for one a channel.

        Where nothing but zeros was seen, Z is the middle of the codes, from where values of either sign have codes.
        """
        if axis is None and lo == hi == 0:
            return AffineParams(1.0, (self.qtype.qmin + self.qtype.qmax + 1) // 2, self.qtype)
        return choose_params(lo, hi, self.qtype, symmetric=self.symmetric, axis=axis)

    def __str__(self) -> str:
        return f"{self.qtype} {'symmetric' if self.symmetric else 'asymmetric'}"
