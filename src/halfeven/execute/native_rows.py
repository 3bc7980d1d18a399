"""What looks at whole rows, in the compiled kernels: normalization, extremes, sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute.native_arguments import codes, contiguous, run
from halfeven.execute.normalize import rows_of
from halfeven.ir.normalize import Normalize

Array = NDArray[Any]


def normalize(i: Normalize, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """``clamp(rhe((T G_c + B_c) / 2^shift) + Z)``."""
    x, to = contiguous(arrays[0]), i.target
    rows = rows_of(i, x.shape)
    outer, groups, channels, inner = rows.shape
    y = codes(x.shape, to)
    fixed = rows.half_fraction, rows.epsilon, i.fraction, contiguous(i.gain), contiguous(i.offset), i.shift
    clamp = to.zero_point, to.qmin, to.qmax
    run(_native.normalize, x.reshape(outer * groups, channels, inner), y, groups, *fixed, *clamp, threads)
    return (y,)
