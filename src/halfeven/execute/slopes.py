"""How an operand lies against the constants that multiply it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from halfeven.errors import ParameterError
from halfeven.ir.slopes import Slopes


def layout(i: Slopes, shape: Sequence[int]) -> tuple[int, int, int]:
    """``shape`` as (outer, channels, inner), the factors along the middle."""
    last = len(shape) - i.inner
    first = last - len(i.shape)
    if first < 0 or tuple(shape[first:last]) != i.shape:
        raise ParameterError(f"its factors lie along axes of size {i.shape}, {i.inner} before the end, not in {shape}")
    return prod(shape[:first]), prod(i.shape), prod(shape[last:])
