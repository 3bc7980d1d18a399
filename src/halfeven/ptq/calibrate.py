"""What values a float model's tensors take on samples, gathered in one pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx_ir as ir

from halfeven.errors import ModelError
from halfeven.ops.statistics import Gathering
from halfeven.ptq.in_turn import in_turn
from halfeven.ptq.masks import SoftmaxRead
from halfeven.ptq.pieces import cores
from halfeven.ptq.segments import tap
from halfeven.ranges import Histogram, MinMax, Statistics

MOST_RUNS = 8
Progress = Callable[[int, "int | None"], Any]
"""Called with the number of samples done, and of all samples where it is known."""


def calibrate(
    model: ir.Model,
    tensors: Collection[str],
    samples: Iterable[Mapping[str, np.ndarray]],
    progress: Progress | None = None,
    *,
    kind: type[MinMax | Histogram] = MinMax,
    softmax: Mapping[str, SoftmaxRead] = MappingProxyType({}),
    total: int | None = None,
) -> tuple[dict[str, Statistics], int]:
    """Statistics of each tensor over all samples, and the number of samples.

    The model runs once a sample in onnxruntime, each run on one thread and several at once; a tensor is counted and
    dropped before the next ones are computed, so memory depends neither on the number of samples nor on that of
    tensors. Equal data give equal statistics, on however many cores.

    Parameters
    ----------
    model : the float model. tensors : names of float32 values, inputs included.
    samples : one dict of inputs a run. total : their number, where known, for ``progress``.
    kind : of statistics.
    softmax : tensors that Softmax alone reads: what it cannot tell apart counts as one value.

    Raises
    ------
    ModelError
        If onnxruntime cannot run the model, or it computes NaN from a sample: naming tensor, node and sample.
    """
    seen = {name: Gathering(kind) for name in tensors}
    count = _gather(model, seen, samples, progress, softmax, total)
    return {name: seen.pop(name).statistics for name in tensors}, count


def _gather(
    model: ir.Model,
    seen: Mapping[str, Gathering],
    samples: Iterable[Mapping[str, np.ndarray]],
    progress: Progress | None,
    softmax: Mapping[str, SoftmaxRead],
    total: int | None,
) -> int:
    """Run all samples; the number of them. The sessions are gone when it returns."""
    tapped = tap(model, seen.keys(), threads=1)

    def look(numbered: tuple[int, Mapping[str, np.ndarray]]) -> int:
        number, sample = numbered

        def see(name: str, array: np.ndarray) -> None:
            counted = softmax[name].told_apart(array) if name in softmax else array
            if nan := seen[name].add(counted, threads=1):
                raise _not_a_number(model, name, nan, number)

        tapped.run(sample, see)
        return number + 1

    count = 0
    for count in in_turn(look, enumerate(map(_copied, samples)), runs_at_once()):
        if progress is not None:
            progress(count, total)
    return count


def runs_at_once() -> int:
    """One for each core; each holds tensors of its own, so :data:`MOST_RUNS` at most."""
    return min(cores(), MOST_RUNS)


def _copied(sample: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A stream may hand out one buffer again and again."""
    return {name: np.array(array) for name, array in sample.items()}


def _not_a_number(model: ir.Model, name: str, nan: int, sample: int) -> ModelError:
    node = next((n for n in model.graph if any(o.name == name for o in n.outputs)), None)
    label = "" if node is None else str(node.name)
    return ModelError(
        f"the float model computes {nan} NaN value(s) in tensor '{name}' (node '{label}') from sample {sample}, whose "
        "values are finite: NaN has no code; mend the model or leave that sample out",
        node=label,
    )
