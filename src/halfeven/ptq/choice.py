"""How ranges are chosen: by one method, or by the best of some, for each scale or for the whole model."""

from __future__ import annotations

from dataclasses import dataclass

from halfeven.errors import ParameterError
from halfeven.ptq.difference import Measure
from halfeven.ranges import KL, MAX, MSE, PERCENTILE, Histogram, Method, Percentile
from halfeven.ranges.choose import NAMED


@dataclass(frozen=True)
class Candidate:
    """A method, and whether the codes are symmetric (None: as they are asked for).

    ``most_bits``: codes of more bits have no such candidate.
    """

    method: Method
    symmetric: bool | None = None
    most_bits: int = 16

    def __str__(self) -> str:
        suffix = {None: "", True: " (symmetric)", False: " (asymmetric)"}[self.symmetric]
        return f"{self.method}{suffix}"


@dataclass(frozen=True)
class BestOf:
    """For each scale the candidate with the least error at the results of the operators that read it.

    Source: docs/math/ranges.md eq. 10.

    Attributes
    ----------
    candidates : of equals the first is taken.
    measure : of the error.
    samples : on how many it is measured.
    """

    candidates: tuple[Candidate, ...]
    measure: Measure = Measure.SQNR
    samples: int = 8

    @property
    def statistics(self) -> type[Histogram]:
        """What it needs."""
        return Histogram

    def __str__(self) -> str:
        if len(self.candidates) == 1:
            return str(self.candidates[0])
        return f"for each scale the best of {_listed(self.candidates)}, by {self.measure.value} at the readers' results"


def _listed(candidates: tuple[Candidate, ...]) -> str:
    return "; ".join(map(str, candidates))


PRESET: tuple[Method, ...] = (MAX, PERCENTILE, Percentile(99.999), KL, MSE)
ONE_SIDED: tuple[Method, ...] = (MAX, Percentile(99.999), MSE)


@dataclass(frozen=True)
class BestModel:
    """The candidate whose model, run in integers, is nearest to the float model at its outputs.

    Attributes
    ----------
    candidates : each is taken for every scale of a model; of equals the first is taken.
    measure : of the difference, summed over the outputs. samples : on how many it is measured.
    """

    candidates: tuple[Candidate, ...]
    measure: Measure = Measure.COSINE
    samples: int = 8

    @property
    def statistics(self) -> type[Histogram]:
        """What it needs."""
        return Histogram

    def __str__(self) -> str:
        return f"for all the best of {_listed(self.candidates)}, by {self.measure.value} at the model's outputs"


SYMMETRIC = BestOf(tuple(Candidate(method) for method in PRESET))
DEFAULT = BestOf((*SYMMETRIC.candidates, *(Candidate(method, symmetric=False, most_bits=8) for method in ONE_SIDED)))
RangeChoice = Method | BestOf | BestModel
NAMES = ("default", "symmetric", *(m.name for m in NAMED))


def get_choice(choice: RangeChoice | str) -> RangeChoice:
    """The choice of that name; one that is none is returned as it is."""
    if not isinstance(choice, str):
        return choice
    named: dict[str, RangeChoice] = {"default": DEFAULT, "symmetric": SYMMETRIC, **{m.name: m for m in NAMED}}
    if choice not in named:
        raise ParameterError(f"no range method is named {choice!r}: one of {', '.join(named)} was expected")
    return named[choice]
