"""Run one Program on two backends and count the numbers that differ, in every tensor on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from halfeven.execute.run import Backend, run_program
from halfeven.ir.instructions import results
from halfeven.ir.program import Program

BATCH = 4  # every tensor of a run is held for two backends at once


@dataclass(frozen=True)
class Agreement:
    """How often two backends gave the same bits.

    Attributes
    ----------
    compared
        Numbers compared: the codes of every tensor between the first and the last instruction, and the outputs.
    differing
        How many of them were not the same.
    first_difference
        The first tensor, in the order of the instructions, that holds one; None where all agree.
    """

    backends: tuple[str, str]
    samples: int
    tensors: int
    compared: int
    differing: int
    first_difference: str | None

    @property
    def share(self) -> float:
        """Equal numbers over compared ones; 1 is the only right answer."""
        return 1 - self.differing / self.compared


def compare_backends(
    program: Program, feeds: Mapping[str, npt.NDArray[Any]], first: Backend, second: Backend
) -> Agreement:
    """Run ``program`` on all samples of ``feeds`` (arrays with a leading sample axis) on both backends.

    Raises
    ------
    HalfevenError
        A backend cannot run an instruction, which is named.
    """
    names = list(dict.fromkeys(name for instruction in program for name in results(instruction)))
    samples = len(next(iter(feeds.values())))
    compared, differing = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for start in range(0, samples, BATCH):
        batch = {name: array[start : start + BATCH] for name, array in feeds.items()}
        a, b = (run_program(program, batch, names, backend) for backend in (first, second))
        for name in names:
            compared[name] += a[name].size
            differing[name] += count_differing(a[name], b[name])
    return Agreement(
        backends=(first.name, second.name),
        samples=samples,
        tensors=len(names),
        compared=sum(compared.values()),
        differing=sum(differing.values()),
        first_difference=next((name for name in names if differing[name]), None),
    )


def count_differing(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> int:
    """Return how many elements differ in their bits; all of them where shape or type differ."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return max(a.size, b.size)
    as_bytes = (np.ascontiguousarray(array).reshape(-1, 1).view(np.uint8) for array in (a, b))
    left, right = as_bytes
    return int(np.count_nonzero((left != right).any(axis=1)))
