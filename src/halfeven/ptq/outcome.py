"""How far a quantized model's outputs are from the float model's, and a word of warning where that is far."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from halfeven.errors import HalfevenError
from halfeven.ptq.algorithms.report import AlgorithmReport, decibels
from halfeven.ptq.best_model import output_errors
from halfeven.ptq.difference import Measure
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Sample

FAR = 0.1  # of the signal's energy is error, at each output: 10 dB, below which a model is rarely of use


@dataclass(frozen=True)
class Outcome:
    """The integer program against the float model.

    Attributes
    ----------
    error : ``sum e^2 / sum f^2``, summed over the outputs. outputs : how many.
    samples : on how many it is measured. held_back : whether no algorithm has seen them.
    """

    error: float
    outputs: int
    samples: int
    held_back: bool

    def __str__(self) -> str:
        several = "s" if self.samples != 1 else ""
        kind = "held back" if self.held_back else "of the calibration"
        return f"SQNR at the outputs {decibels(self.error)} on {self.samples} sample{several} {kind}"

    @property
    def remarks(self) -> Iterator[str]:
        """One line where the outputs are far off: likely causes, and the command that finds them."""
        if math.isfinite(self.error) and self.error > FAR * self.outputs:
            yield (
                f"{self}, far from the float model: are these the data that it was trained on (mean and scale, 0..255 "
                "or 0..1, RGB or BGR)? If so, some layers need int16: "
                "'halfeven compare FLOAT.onnx QUANT.onnx --data PATH' names them, --min-sqnr finds them"
            )


def outcome_of(draft: Draft, reports: Sequence[AlgorithmReport], samples: Sequence[Sample]) -> Outcome | None:
    """What the last algorithm's judges say; where there were none, measured on ``samples``.

    None where the program cannot run on them: accuracy is told, not needed.
    """
    outputs, last = len(draft.model.graph.outputs), next((r for r in reversed(reports) if r.judged), None)
    if last is not None and last.before is not None and last.after is not None:
        return Outcome(last.before if last.undone else last.after, outputs, last.judged, held_back=True)
    try:
        (error,) = output_errors(draft.model, [draft.write()], samples, draft.profile, Measure.SQNR)
    except HalfevenError:
        return None
    return Outcome(error, outputs, len(samples), held_back=False)
