"""Single instructions in the compiled kernels, bit for bit the reference: each a plan of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute.plan.planner import Planner
from halfeven.execute.plan.weights import Weights
from halfeven.ir.instructions import Instruction, operands, results

Array = NDArray[Any]


def from_numpy(a: Array) -> Array:
    """Return the backend's array: NumPy's own."""
    return a


def to_numpy(a: Array) -> Array:
    """Return NumPy's array: the same."""
    return a


def step(instruction: Instruction, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """Results of one instruction on its operands, in order.

    Parameters
    ----------
    threads : 0 for every core that the work pays for; 1 never makes a thread. The results are the same.
    """
    found = {name: np.asarray(a) for name, a in zip(operands(instruction), arrays, strict=True)}
    given, wanted = tuple(found), results(instruction)
    Planner([instruction], frozenset(), Weights(), found, given, wanted, threads).plan()
    return tuple(found[name] for name in wanted)
