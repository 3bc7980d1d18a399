"""What is searched for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from halfeven.errors import ParameterError
from halfeven.ptq.difference import Measure


@dataclass(frozen=True)
class MixedPrecision:
    """The fewest bits that keep the outputs close enough, or the closest outputs that so many bits allow.

    With a floor (``min_sqnr_db`` or ``min_cosine``), the cheapest model that reaches it; without, the most accurate one
    within ``max_wide`` and ``max_bytes``, of which then one is needed. A floor and limits: both hold, and where the
    floor cannot be reached within the limits, the model nearest to it.

    Attributes
    ----------
    min_sqnr_db, min_cosine : at every output of the model, over the samples that are kept for it.
    max_wide : share of the operations that read int16, be it a weight, 0 to 1. A product has its
        multiply-accumulates, any other operator the elements that it reads.
    max_bytes : of the file, with the biases that a correction adds.
    wide_weights : whether weights may be int16.
    seconds : after which the best model so far is taken; None to search to the end.
    samples : of the calibration data, on which models are judged: a draw by SHA-256.
    """

    min_sqnr_db: float | None = None
    min_cosine: float | None = None
    max_wide: float | None = None
    max_bytes: int | None = None
    wide_weights: bool = True
    seconds: float | None = None
    samples: int = 16

    def __post_init__(self) -> None:
        if self.min_sqnr_db is not None and self.min_cosine is not None:
            raise ParameterError("min_sqnr_db and min_cosine are both floors: give one of them")
        if all(v is None for v in (self.min_sqnr_db, self.min_cosine, self.max_wide, self.max_bytes)):
            raise ParameterError("a search needs a floor (min_sqnr_db, min_cosine) or a limit (max_wide, max_bytes)")
        self._check("min_sqnr_db", self.min_sqnr_db, 0.0, math.inf, "a number of decibels, 0 or more")
        self._check("min_cosine", self.min_cosine, 0.0, 1.0, "a number from 0 to 1")
        self._check("max_wide", self.max_wide, 0.0, 1.0, "a share from 0 to 1")
        self._check("max_bytes", self.max_bytes, 1, math.inf, "a number of bytes")
        self._check("seconds", self.seconds, 0.0, math.inf, "a number of seconds, not negative")
        self._check("samples", self.samples, 1, math.inf, "at least 1")

    @staticmethod
    def _check(name: str, value: float | None, least: float, most: float, what: str) -> None:
        number = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
        if not number or (value is not None and not least <= value <= most):
            raise ParameterError(f"{name} must be {what}, not {value!r}")

    @property
    def measure(self) -> Measure:
        """By which models are judged."""
        return Measure.SQNR if self.min_cosine is None else Measure.COSINE

    @property
    def most_error(self) -> float | None:
        """The floor as the measure's error; None where there is no floor."""
        if self.min_cosine is not None:
            return 1 - self.min_cosine
        return None if self.min_sqnr_db is None else 10 ** (-self.min_sqnr_db / 10)
