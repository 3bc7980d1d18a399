"""The smallest and the largest value of a stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from halfeven.numerics.affine import as_float32
from halfeven.numerics.rounding import F32


@dataclass(frozen=True)
class MinMax:
    """``lo = min x``, ``hi = max x`` over the finite values seen; NaN and infinities are counted, and set no range.

    A value: :meth:`update` and :meth:`merge` return a new one. The result does not depend on the order of the data, nor
    on how it was cut into batches or shards.

    Attributes
    ----------
    lo, hi : float32 values; ``inf`` and ``-inf`` while no finite value was seen.
    count : finite values seen. nan, inf : the others.
    """

    lo: float = np.inf
    hi: float = -np.inf
    count: int = 0
    nan: int = 0
    inf: int = 0

    def update(self, x: ArrayLike) -> MinMax:
        """With the values of ``x`` (any shape, any float type) added."""
        values, nan, inf = finite_values(x)
        if values.size == 0:
            return self.merge(MinMax(nan=nan, inf=inf))
        # + 0.0: which of 0.0 and -0.0 wins a minimum depends on the order
        return self.merge(MinMax(float(values.min()) + 0.0, float(values.max()) + 0.0, values.size, nan, inf))

    def merge(self, other: MinMax) -> MinMax:
        """Of both streams together."""
        return MinMax(
            min(self.lo, other.lo),
            max(self.hi, other.hi),
            self.count + other.count,
            self.nan + other.nan,
            self.inf + other.inf,
        )


def finite_values(x: ArrayLike) -> tuple[F32, int, int]:
    """The finite values of ``x`` as float32, and how many are NaN and how many infinite.

    ``x`` itself comes back, uncopied, when all of it is finite.
    """
    a = as_float32(x)
    if a.size == 0 or (np.isfinite(a.min()) and np.isfinite(a.max())):  # a NaN anywhere makes both NaN
        return a, 0, 0
    nan = int(np.isnan(a).sum())
    finite = a[np.isfinite(a)]
    return finite, nan, a.size - nan - finite.size
