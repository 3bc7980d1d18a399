"""How far the outputs agree, and on which samples they agree least."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np

from halfeven.numerics.params import AffineParams
from halfeven.ops import numpy_native
from halfeven.report.error_sums import ErrorSums, decibels
from halfeven.report.layer_sums import Seen

KEPT_SAMPLES = 8
TABLE_RANK = 2  # (samples, classes)


@dataclass(frozen=True)
class OutputAgreement:
    """One output over all samples.

    Attributes
    ----------
    same_largest, decisions : for an output of one row of scores a sample: how often the largest score is the same one.
    """

    name: str
    sqnr_db: float
    same_largest: int
    decisions: int


@dataclass(frozen=True, order=True)
class WorstSample:
    """A sample on which the outputs differ much. ``sqnr_db``: of all outputs, on it alone."""

    sqnr_db: float
    sample: int


class Agreements:
    """Adds up outputs, sample by sample; what it keeps has a fixed size."""

    def __init__(self) -> None:
        self._energy: dict[str, tuple[float, float]] = {}
        self._same: dict[str, tuple[int, int]] = {}
        self._sample = 0
        self._this = 0.0, 0.0
        self._worst: list[tuple[float, int]] = []

    def add(self, name: str, seen: Seen, params: AffineParams | None, errors: ErrorSums) -> None:
        """One output of the sample at hand."""
        signal, noise = float(errors.f_energy.sum()), float(errors.e_energy.sum())
        before = self._energy.get(name, (0.0, 0.0))
        self._energy[name] = before[0] + signal, before[1] + noise
        self._this = self._this[0] + signal, self._this[1] + noise
        if seen.real.ndim == TABLE_RANK and seen.real.shape[1] > 1:
            run = seen.run if params is None else numpy_native.dequantize(seen.run, params)
            equal = run.argmax(axis=1) == seen.real.argmax(axis=1)
            same, decisions = self._same.get(name, (0, 0))
            self._same[name] = same + int(np.count_nonzero(equal)), decisions + equal.size

    def end_sample(self) -> None:
        """The sample at hand is done."""
        sqnr = decibels(*self._this)
        if sqnr < math.inf:
            entry = (-sqnr, -self._sample)  # the heap gives up its least: the best sample, the latest of equals
            push = heapq.heappush if len(self._worst) < KEPT_SAMPLES else heapq.heappushpop
            push(self._worst, entry)
        self._sample, self._this = self._sample + 1, (0.0, 0.0)

    def result(self) -> tuple[OutputAgreement, ...]:
        """Of each output."""
        return tuple(
            OutputAgreement(name, decibels(*energy), *self._same.get(name, (0, 0)))
            for name, energy in self._energy.items()
        )

    def worst(self) -> tuple[WorstSample, ...]:
        """The samples with the least SQNR at the outputs, worst first."""
        return tuple(sorted(WorstSample(-sqnr, -sample) for sqnr, sample in self._worst))
