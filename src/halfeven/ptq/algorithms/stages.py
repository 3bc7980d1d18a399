"""The three places in the pipeline where an algorithm may act, as types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

import onnx_ir as ir

from halfeven.ptq.algorithms.report import Change
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Sample

Tick: TypeAlias = Callable[[], object]
"""Called once for each product of the placement, whether it was changed or not: progress."""


class Parts(Protocol):
    """A listener to parts of a long work, each with a name and a measure of its own."""

    def part(self, label: str, works: Sequence[float]) -> object:
        """One begins, with so many things to do; ``works``: how long each takes beside the others."""

    def step(self, *_done: object) -> object:
        """One of the things of this part is done, where no :data:`Tick` says so."""


Error: TypeAlias = Callable[[ir.Model], float]
"""How far a float model's integer program is from it at the outputs: ``sum e^2 / sum f^2``, summed over outputs."""


@dataclass(frozen=True, eq=False)
class Rewritten:
    """A float model that computes the same.

    Attributes
    ----------
    changes : one a place. left : places that were left as they are, and why, one line each.
    """

    model: ir.Model
    changes: tuple[Change, ...]
    left: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Refined:
    """A draft with other weights or biases; ``changes`` and ``left`` as of :class:`Rewritten`."""

    draft: Draft
    changes: tuple[Change, ...]
    left: tuple[str, ...] = ()


class _Named(Protocol):
    name: ClassVar[str]
    """By which the command line and the file's metadata know it."""

    @property
    def samples(self) -> int:
        """On how many samples it looks; 0 for none."""


@runtime_checkable
class FloatRewrite(_Named, Protocol):
    """Acts on the float graph, before calibration. Nodes keep their names."""

    def rewrite(self, model: ir.Model, samples: Sequence[Sample], error: Error) -> Rewritten:
        """The same function in a graph that quantizes better; ``model`` stays as it is.

        Parameters
        ----------
        samples : the first ones of the data, as many as asked for where there are so many.
        error : of a float model, made integer from these samples alone and measured on them; for a choice between
            several ways. Others judge what was chosen.
        """


@runtime_checkable
class WeightRounding(_Named, Protocol):
    """Acts on the codes of weights, when all ranges are chosen."""

    def round_weights(self, draft: Draft, samples: Sequence[Sample], tick: Tick) -> Refined:
        """A draft with other codes, perhaps other scales, for weights. ``samples``: a draw that the data fix."""


@runtime_checkable
class BiasCorrecting(_Named, Protocol):
    """Acts on real biases, when all weights are codes."""

    def correct_biases(self, draft: Draft, samples: Sequence[Sample], tick: Tick) -> Refined:
        """A draft with other biases. ``samples``: a draw that the data fix."""


@runtime_checkable
class Uneven(Protocol):
    """An algorithm that takes much longer for some products than for others."""

    def works(self, draft: Draft) -> Sequence[float]:
        """How long each product takes, beside the others, in the order of the ticks."""


Algorithm: TypeAlias = FloatRewrite | WeightRounding | BiasCorrecting
