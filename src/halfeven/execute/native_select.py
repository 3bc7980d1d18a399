"""Comparing and choosing codes: copies and comparisons, no arithmetic, so they are the reference's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from halfeven.execute import reference_select as reference
from halfeven.ir.select import Extreme, Mask, ReduceExtreme, Where

Array = NDArray[Any]


def extreme(i: Extreme, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """The larger or smaller code of each pair."""
    del threads
    return reference.extreme(i, arrays)


def reduce_extreme(i: ReduceExtreme, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """The largest or smallest code."""
    del threads
    return reference.reduce_extreme(i, arrays)


def where(i: Where, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """Codes of the second operand where the first holds, else of the third."""
    del threads
    return reference.where(i, arrays)


def mask(i: Mask, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """``fill`` where the condition is ``when``."""
    del threads
    return reference.mask(i, arrays)
