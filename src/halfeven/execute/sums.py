"""How sums and what is added to them lie."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError

Array = NDArray[Any]


def rows_of(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    """``shape`` as (outer, channels of ``axis``, inner)."""
    k = axis % len(shape)
    return prod(shape[:k]), shape[k], prod(shape[k + 1 :])


def broadcast_to(b: Array, shape: Sequence[int]) -> Array:
    """``b`` in the shape of the sums.

    Raises
    ------
    ParameterError
        If it would make them larger.
    """
    try:
        return np.broadcast_to(b, tuple(shape))
    except ValueError:
        raise ParameterError(f"shape {b.shape} does not broadcast against sums of shape {tuple(shape)}") from None
