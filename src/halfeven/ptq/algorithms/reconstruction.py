"""Block reconstruction: weights of a residual block rounded up or down together, by gradients of its result's error.

Needs PyTorch. Source: docs/math/block-reconstruction.md. Nagel et al. 2020 (AdaRound), Li et al. 2021 (BRECQ).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from importlib.util import find_spec
from typing import ClassVar

from halfeven.errors import ParameterError, UnavailableError
from halfeven.ptq.algorithms.report import Change
from halfeven.ptq.algorithms.sections import Section, SectionWalk
from halfeven.ptq.algorithms.stages import Refined, Tick
from halfeven.ptq.algorithms.walk import Values
from halfeven.ptq.difference import Difference, Measure
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Sample
from halfeven.ptq.weights import Constant

HELD_BACK = 4  # every fourth sample judges what the others have taught


@dataclass(frozen=True)
class BlockReconstruction:
    """Learn, block by block, which weights to round up and which down.

    It starts from the codes that are there: nearest ones, or those of an algorithm before. A block keeps those unless
    the integer program's result comes nearer with the learned ones, on samples that they were not learned from.

    Attributes
    ----------
    samples : on how many. steps : of learning, for each block. batch : samples a step. rate : of learning.
    seed : of the draw of batches.

    Raises
    ------
    UnavailableError
        If PyTorch is not installed.
    """

    name: ClassVar[str] = "block-reconstruction"
    samples: int = 64
    steps: int = 400
    batch: int = 8
    rate: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.samples, self.steps, self.batch) < 1 or not self.rate > 0:
            raise ParameterError(f"{self.name}: samples, steps and batch are at least 1, and rate is above 0: {self}")
        if find_spec("torch") is None:
            raise UnavailableError(f"{self.name} needs PyTorch: pip install 'halfeven[torch]'", name="torch")

    def round_weights(self, draft: Draft, samples: Sequence[Sample], tick: Tick) -> Refined:
        """Section by section, on what the sections before give in the integer run."""
        from halfeven.ptq.algorithms.torch_reconstruction import is_unknown  # noqa: PLC0415

        walk = SectionWalk(draft, samples, is_unknown)
        changes, left = [], []
        for section in walk.sections() if samples else ():
            name = f"{section.products[0].node} to {section.blocks[-1].node}"
            made = self._learned(walk.draft, section)
            was, now = (_error(section, d, judging(len(samples))) for d in (walk.draft, made))
            if now < was:
                changes.append(Change(name, _words(walk.draft, made, section), was, now))
                walk.draft = made
            else:
                left.append(
                    f"{name}: learned codes bring its result no nearer ({now:.3g} of its energy, not {was:.3g})"
                )
            for _ in section.products:
                tick()
        return Refined(walk.draft, tuple(changes), tuple(left))

    def _learned(self, draft: Draft, section: Section) -> Draft:
        from halfeven.ptq.algorithms.torch_reconstruction import learn  # noqa: PLC0415

        count = len(section.reads)
        taught = [k for k in range(count) if k not in judging(count)] or list(range(count))
        codes = learn(draft, section, taught, self.steps, self.batch, self.rate, self.seed)
        old = draft.constants.weights
        return draft.with_weights({p: Constant(codes[p], old[p].params) for p in section.products})


def judging(count: int) -> list[int]:
    """The samples that are held back; all of a few."""
    return list(range(HELD_BACK - 1, count, HELD_BACK)) or list(range(count))


def _error(section: Section, draft: Draft, judges: Sequence[int]) -> float:
    """``sum e^2 / sum f^2`` of the section's results in the integer run."""
    found = section.run(draft)
    return sum(Measure.SQNR.of(_difference(section.expected, found, name, judges)) for name in section.expected[0])


def _difference(expected: Sequence[Values], found: Sequence[Values], name: str, judges: Sequence[int]) -> Difference:
    return reduce(Difference.__add__, (Difference.between(expected[k][name], found[k][name]) for k in judges))


def _words(before: Draft, after: Draft, section: Section) -> str:
    old, new = before.constants.weights, after.constants.weights
    moved = sum(int((old[p].codes != new[p].codes).sum()) for p in section.products)
    share = moved / sum(new[p].codes.size for p in section.products)
    return f"{share:.1%} of the codes of {len(section.products)} weight(s) changed"
