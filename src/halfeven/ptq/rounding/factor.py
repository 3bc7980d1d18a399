"""``H = U U^T``, U upper triangular, and solutions with it; batches of matrices at once.

Source: docs/math/weight-rounding.md eq. 5.
"""

from __future__ import annotations

from halfeven.errors import ParameterError
from halfeven.ops import columns
from halfeven.ops.columns import Panels


def factored(h: Panels) -> Panels:
    """``W = U^T`` of symmetric positive definite matrices, in their place.

    Columns from the last to the first: what the later columns explain is taken from the earlier ones.

    Raises
    ------
    ParameterError
        If one is not positive definite.
    """
    if not columns.factor(h):
        raise ParameterError("a matrix of inputs is not positive definite: more damping was expected")
    return h
