"""Everything that is added up of one layer, over all samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from numpy.typing import NDArray

from halfeven.numerics.params import AffineParams
from halfeven.ops import numpy_native
from halfeven.report.channels import axis_for
from halfeven.report.code_counts import CodeCounts, code_counts
from halfeven.report.error_sums import ErrorSums, error_sums

Array = NDArray[Any]
Sums = TypeVar("Sums", ErrorSums, CodeCounts)
Each = Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, eq=False)
class LayerSums:
    """Errors of one layer's result against the float model's, in three ways; mergeable.

    Attributes
    ----------
    accumulated : the quantized run, in which every layer before has left its error.
    alone : this layer alone, run on the float model's values quantized at its inputs; None where those are not known.
    rounding : the float model's own result put on this layer's codes and back; None in float32.
    counts : of codes; None in float32.
    weight_energy : ``sum e^2`` that the codes of its weight alone cause, before its activation; None where it has none.
    """

    accumulated: ErrorSums
    alone: ErrorSums | None
    rounding: ErrorSums | None
    counts: CodeCounts | None
    weight_energy: float | None = None

    def merge(self, other: LayerSums) -> LayerSums:
        """Of both sets of samples."""
        return LayerSums(
            self.accumulated.merge(other.accumulated),
            _merged(self.alone, other.alone),
            _merged(self.rounding, other.rounding),
            _merged(self.counts, other.counts),
            None
            if self.weight_energy is None or other.weight_energy is None
            else self.weight_energy + other.weight_energy,
        )


def _merged(a: Sums | None, b: Sums | None) -> Sums | None:
    return None if a is None or b is None else a.merge(b)


@dataclass(frozen=True, eq=False)
class Seen:
    """One layer's result on one sample.

    Attributes
    ----------
    real : the float model's. run : the quantized run's. alone : this layer's on the float model's values, or None.
    ideal : the float model's result on this layer's codes. All but ``real`` are codes where ``params`` is given.
    weight_energy : see :class:`LayerSums`.
    """

    real: Array
    run: Array
    alone: Array | None
    ideal: Array
    weight_energy: float | None


def layer_sums(seen: Seen, params: AffineParams | None, axis: int, each: Each = map) -> LayerSums:
    """Of one sample. Codes are compared as the real values that DequantizeLinear makes of them.

    ``each`` calls a function on several arguments and keeps their order, as ``map`` does; it may use several threads.
    """
    f, along = seen.real, axis_for(axis, seen.real.ndim)

    def errors(result: Array | None) -> ErrorSums | None:
        if result is None:
            return None
        return error_sums(f, result if params is None else numpy_native.dequantize(result, params), along)

    if params is None:
        run, alone = each(errors, (seen.run, seen.alone))
        return LayerSums(run, alone, None, None, seen.weight_energy)
    parts = (partial(errors, r) for r in (seen.run, seen.alone, seen.ideal))
    run, alone, rounding, counts = each(_call, (*parts, partial(code_counts, f, seen.run, params)))
    return LayerSums(run, alone, rounding, counts, seen.weight_energy)


def _call(part: Callable[[], Any]) -> Any:
    return part()
