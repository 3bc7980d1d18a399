"""What was found, and how it is ranked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from halfeven.errors import ParameterError
from halfeven.ptq.difference import Difference, Measure

Outputs = Mapping[str, Difference]


class Trial(Enum):
    """What is quantized while the rest is not."""

    LAYER = "layer"
    """Its instruction alone, in integers, as the program has it: the codes it reads, its weight, its result's codes."""
    ACTIVATION = "activation"
    """The codes of its result alone; what computes it is float."""
    WEIGHT = "weight"
    """The codes of its weight alone."""
    WITHOUT = "without"
    """Everything but its weight and the codes of its result: the integer program of the rest."""


def trials_named(asked: Collection[Trial | str]) -> tuple[Trial, ...]:
    """The trials of these names, in the order of their definition.

    Raises
    ------
    ParameterError
        If there is no such trial, or none is asked for.
    """
    names = [asked] if isinstance(asked, str) else list(asked)
    known = {trial.value: trial for trial in Trial}
    wrong = next((name for name in names if not isinstance(name, Trial) and name not in known), None)
    if wrong is not None or not names:
        raise ParameterError(f"a trial is one of {', '.join(known)}, not {'none' if wrong is None else repr(wrong)}")
    found = {name if isinstance(name, Trial) else known[name] for name in names}
    return tuple(trial for trial in Trial if trial in found)


FORWARD = (Trial.LAYER, Trial.ACTIVATION, Trial.WEIGHT)


@dataclass(frozen=True)
class LayerSensitivity:
    """One layer: by trial, the difference at each output of the model, from the float model's.

    A trial that has no meaning for the layer (a weight that it does not have, codes that an earlier layer chose) is
    missing.
    """

    index: int
    name: str
    node: str
    operator: str
    trials: Mapping[Trial, Outputs]

    def error(self, trial: Trial, measure: Measure = Measure.SQNR) -> float | None:
        """By the measure, at the output that suffers most; None where the trial was not made."""
        outputs = self.trials.get(trial)
        return None if outputs is None else worst(outputs, measure)

    def sqnr_db(self, trial: Trial) -> float | None:
        """SQNR at the output that suffers most."""
        error = self.error(trial)
        return None if error is None else decibels(error)


@dataclass(frozen=True)
class Sensitivity:
    """Of every layer that has codes of its own, in the order of the program.

    Attributes
    ----------
    whole : of the quantized model, everything in integers. samples : over how many samples.
    planned : how many layers there are to look at; more than ``layers`` where it was interrupted.
    interrupted : whether it was.
    """

    layers: tuple[LayerSensitivity, ...]
    whole: Outputs
    samples: int
    planned: int
    interrupted: bool = False

    def ranked(self, trial: Trial = Trial.LAYER, measure: Measure = Measure.SQNR) -> tuple[LayerSensitivity, ...]:
        """The layers of which the trial was made: most to gain first, of equals the first of the program.

        That is the largest error of a layer quantized alone, and the least of the model in which it is not.
        """
        known = [(error, layer) for layer in self.layers if (error := layer.error(trial, measure)) is not None]
        sign = 1 if trial is Trial.WITHOUT else -1
        return tuple(layer for error, layer in sorted(known, key=lambda pair: (sign * pair[0], pair[1].index)))

    def __str__(self) -> str:
        from halfeven.report.sensitivity.text import sensitivity_text  # noqa: PLC0415  it reads this type

        return sensitivity_text(self)

    def by_index(self) -> Mapping[int, LayerSensitivity]:
        """By the layer's number in the program."""
        return {layer.index: layer for layer in self.layers}


def worst(outputs: Outputs, measure: Measure) -> float:
    """The measure at the output where it is largest."""
    return max((measure.of(d) for d in outputs.values()), default=0.0)


def decibels(error: float) -> float:
    """``-10 log10(e)`` of an error's energy over the signal's."""
    if error <= 0:
        return math.inf
    return -10 * math.log10(error) if math.isfinite(error) else -math.inf


def value(error: float, measure: Measure) -> float:
    """The number that people know by the measure's name: SQNR in dB, the cosine itself."""
    if measure is Measure.SQNR:
        return decibels(error)
    return 1 - error if measure is Measure.COSINE else error
