"""How far one run of a tensor is from another, as sums that are added over samples, and measures of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from numpy.typing import NDArray

from halfeven.ops.statistics import difference

Array = NDArray[Any]


@dataclass(frozen=True)
class Difference:
    """Sums over the elements where ``f``, the float result, is finite; ``e`` is the other result minus ``f``.

    Attributes
    ----------
    count : of those elements.
    f_energy, e_energy, cross : ``sum f^2``, ``sum e^2``, ``sum f e``.
    f_size, e_size, e_max : ``sum |f|``, ``sum |e|``, ``max |e|``.
    """

    count: int = 0
    f_energy: float = 0.0
    e_energy: float = 0.0
    cross: float = 0.0
    f_size: float = 0.0
    e_size: float = 0.0
    e_max: float = 0.0

    @classmethod
    def between(cls, f: Array, other: Array) -> Difference:
        """Of two tensors of one shape."""
        return cls(*difference(f, other))

    def __add__(self, other: Difference) -> Difference:
        return Difference(
            self.count + other.count,
            self.f_energy + other.f_energy,
            self.e_energy + other.e_energy,
            self.cross + other.cross,
            self.f_size + other.f_size,
            self.e_size + other.e_size,
            max(self.e_max, other.e_max),
        )


class Measure(Enum):
    """A number that says how different: 0 for equal, the less the better. The values are names of quant_config.json."""

    SQNR = "sqnr"
    COSINE = "cosine-similarity"
    MSE = "mse"
    MRE = "mre"
    CHEBYSHEV = "chebyshev"

    @property
    def is_energy(self) -> bool:
        """Whether it grows as the error's energy does."""
        return self in (Measure.SQNR, Measure.COSINE, Measure.MSE)

    def of(self, d: Difference) -> float:
        """The number.

        sqnr: ``sum e^2 / sum f^2``, the inverse of the ratio that has the name; cosine-similarity: 1 minus it; mse:
        ``sum e^2 / count``; mre: ``sum |e| / sum |f|``; chebyshev: ``max |e|``.
        """
        match self:
            case Measure.SQNR:
                return _ratio(d.e_energy, d.f_energy)
            case Measure.COSINE:
                return _cosine_distance(d)
            case Measure.MSE:
                return d.e_energy / max(d.count, 1)
            case Measure.MRE:
                return _ratio(d.e_size, d.f_size)
            case Measure.CHEBYSHEV:
                return d.e_max


def _ratio(error: float, size: float) -> float:
    if error == 0:
        return 0.0
    return error / size if size > 0 else math.inf


def _cosine_distance(d: Difference) -> float:
    """Exact where the error is small; to ``2^-53 sum f^2 / sum q^2`` where the other result q is far smaller than f."""
    if d.e_energy == 0:
        return 0.0
    other = d.f_energy + 2 * d.cross + d.e_energy
    if not (d.f_energy > 0 and other > 0 and math.isfinite(other)):
        return 1.0
    return max(0.0, 1 - (d.f_energy + d.cross) / math.sqrt(d.f_energy * other))
