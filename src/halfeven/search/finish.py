"""The model that a search takes: with its accuracy algorithms, and judged with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from halfeven.interop import to_bytes
from halfeven.ptq.algorithms.stages import BiasCorrecting, WeightRounding
from halfeven.ptq.calibrate import Progress
from halfeven.ptq.quantize import Calibrated, PtqResult
from halfeven.search.found import Judged
from halfeven.search.judge import Judge
from halfeven.search.knobs import Knobs


@dataclass(frozen=True, eq=False)
class Finished:
    """A model as it is handed out.

    Attributes
    ----------
    judged : the error and the size that it has so. remark : what became of its algorithms, where that is not usual.
    interrupted : whether somebody stopped them.
    """

    result: PtqResult
    judged: Judged
    remark: str = ""
    interrupted: bool = False


class Finish:
    """Finishes candidates; ``reaches`` says whether a judged model is what was asked for."""

    def __init__(
        self,
        calibrated: Calibrated,
        knobs: Knobs,
        judge: Judge,
        reaches: Callable[[Judged], bool],
        progress: Progress | None,
    ) -> None:
        self._calibrated, self._knobs, self._judge, self._reaches = calibrated, knobs, judge, reaches
        self._progress = progress
        plan = calibrated.plan
        acting = [a for a in plan.algorithms if isinstance(a, (WeightRounding, BiasCorrecting))]
        self._total, self._done = len(acting) * len(plan.placement.products), 0

    @property
    def changes_models(self) -> bool:
        """Whether algorithms act behind the search."""
        return self._total > 0

    def __call__(self, candidate: Judged) -> Finished:
        """The candidate with its algorithms; without, where somebody stops them or they lose what was asked for."""
        self._done = 0
        try:
            made = self._made(candidate, refining=True)
        except KeyboardInterrupt:
            without = self._made(candidate, refining=False)
            return replace(without, remark="its accuracy algorithms were interrupted: it has none", interrupted=True)
        if self._reaches(candidate) and not self._reaches(made.judged):
            return replace(
                self._made(candidate, refining=False),
                remark="it has no accuracy algorithms, with them it would miss the floor",
            )
        return made

    def _made(self, candidate: Judged, *, refining: bool) -> Finished:
        plan = self._calibrated.plan_with(self._knobs.config_of(candidate.wide))
        if not refining:
            plan = replace(plan, algorithms=())
        result = self._calibrated.quantize(plan, self._tick)
        error = self._judge.error_of(result.draft.write())
        return Finished(result, replace(candidate, error=error, size_bytes=len(to_bytes(result.model))))

    def _tick(self, *_done: object) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
