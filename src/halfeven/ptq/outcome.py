"""How far a quantized model's outputs are from the float model's, and a word of warning where that is far."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from halfeven.errors import HalfevenError
from halfeven.ptq.algorithms.report import AlgorithmReport, decibels
from halfeven.ptq.best_model import differences_by_output, output_errors
from halfeven.ptq.code_types import CodeTypes
from halfeven.ptq.difference import Measure
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Sample

FAR = 0.1  # of the signal's energy is error, at each output: 10 dB, below which a model is rarely of use
WIDE = 16  # bits: no codes have more
COMPARE = "'halfeven compare FLOAT.onnx QUANT.onnx --data PATH' names them"


@dataclass(frozen=True)
class Outcome:
    """The integer program against the float model.

    Attributes
    ----------
    error : ``sum e^2 / sum f^2``, summed over the outputs. outputs : how many.
    samples : on how many it is measured. held_back : whether no algorithm has seen them.
    worst : the output that is farthest off, where that is far and there are others.
    narrow : what has fewer than 16 bits: "activations", "weights", or neither.
    """

    error: float
    outputs: int
    samples: int
    held_back: bool
    worst: str | None = None
    narrow: tuple[str, ...] = ("activations", "weights")

    def __str__(self) -> str:
        several = "s" if self.samples != 1 else ""
        kind = "held back" if self.held_back else "of the calibration"
        return f"SQNR at the outputs {decibels(self.error)} on {self.samples} sample{several} {kind}"

    @property
    def far(self) -> bool:
        """Whether the outputs are too far off to be of use."""
        return math.isfinite(self.error) and self.error > FAR * self.outputs

    @property
    def remarks(self) -> Iterator[str]:
        """One line where the outputs are far off: likely causes, and the command that finds them."""
        if self.far:
            worst = "" if self.worst is None else f", farthest at '{self.worst}'"
            yield (
                f"{self}, far from the float model{worst}: are these the data that it was trained on (mean and scale, "
                f"0..255 or 0..1, RGB or BGR)? If so, {self._remedy()}"
            )

    def _remedy(self) -> str:
        if not self.narrow:
            return (
                f"16 bits, which all codes have, are too few for some layers: {COMPARE}; clip wide ranges in the "
                'model, or keep these nodes in float32 (node_config: "qtype": "float32")'
            )
        kind = "" if "activations" in self.narrow else " weights"
        return f"some layers need int16{kind}: {COMPARE}, --min-sqnr finds them"


def outcome_of(draft: Draft, reports: Sequence[AlgorithmReport], samples: Sequence[Sample], few: int) -> Outcome | None:
    """What the last algorithm's judges say, the last of ``samples``; where there were none, the first ``few`` do.

    None where the program cannot run on them: accuracy is told, not needed.
    """
    last = next((r for r in reversed(reports) if r.judged), None)
    judges = samples[:few] if last is None else samples[-last.judged :]
    try:
        error = None if last is None else last.before if last.undone else last.after
        if error is None:
            (error,) = output_errors(draft.model, [draft.write()], judges, draft.profile, Measure.SQNR)
        found = Outcome(error, len(draft.model.graph.outputs), len(judges), held_back=last is not None)
        worst = _worst(draft, judges) if found.far and found.outputs > 1 else None
    except HalfevenError:
        return None
    return replace(found, worst=worst, narrow=tuple(_narrow(draft.types)))


def _worst(draft: Draft, samples: Sequence[Sample]) -> str | None:
    """The output with the largest error; None where none has a signal."""
    (found,) = differences_by_output(draft.model, [draft.write()], samples, draft.profile)
    errors = {name: Measure.SQNR.of(d) for name, d in found.items()}
    return max((name for name in errors if math.isfinite(errors[name])), key=errors.__getitem__, default=None)


def _narrow(types: CodeTypes) -> Iterator[str]:
    if any(scale.codes.qtype.bits < WIDE for scale in types.scales):
        yield "activations"
    if any(qtype.bits < WIDE for qtype in (*types.weights.values(), *types.constants.values())):
        yield "weights"
