"""``H = U U^T``, U upper triangular, and solutions with it; batches of matrices at once.

Source: docs/math/weight-rounding.md eq. 5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.ops import columns

Reals = NDArray[np.float64]


def upper_factor(h: Reals) -> Reals:
    """U of ``(groups, K, K)`` symmetric positive definite matrices.

    Columns from the last to the first: what the later columns explain is taken from the earlier ones.

    Raises
    ------
    ParameterError
        If one is not positive definite.
    """
    w = columns.factor(h)
    if w is None:
        raise ParameterError("a matrix of inputs is not positive definite: more damping was expected")
    return w.swapaxes(-1, -2)


def solve(rhs: Reals, u: Reals) -> Reals:
    """X of ``X U U^T = rhs``, rows ``(groups, R, K)``."""
    return columns.solve(rhs, u.swapaxes(-1, -2))
