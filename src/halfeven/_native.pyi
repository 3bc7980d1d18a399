"""The compiled kernels. Arrays are C-contiguous; a tensor is seen as (outer, channels, inner)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def isa_names() -> list[tuple[str, bool, bool]]: ...
def active_isa() -> str: ...
def kernel_names() -> list[str]: ...
def quantize(
    x: NDArray[np.float32],
    out: NDArray[Any],
    scale: NDArray[np.float32],
    zero_point: NDArray[np.int32],
    qmin: int,
    qmax: int,
    outer: int,
    inner: int,
    scaling: int,
    zero_point_inside: bool,
    rounding: int,
    isa: int = -1,
    threads: int = 0,
) -> int: ...
def dequantize(
    q: NDArray[Any],
    out: NDArray[np.float32],
    scale: NDArray[np.float32],
    zero_point: NDArray[np.int32],
    outer: int,
    inner: int,
    isa: int = -1,
    threads: int = 0,
) -> None: ...
def requantize(
    acc: NDArray[Any],
    out: NDArray[Any],
    m0: NDArray[np.int64],
    shift: NDArray[np.int32],
    zero_point: int,
    qmin: int,
    qmax: int,
    outer: int,
    inner: int,
    method: int,
    multiplier_f32: NDArray[np.float32],
    isa: int = -1,
    threads: int = 0,
) -> None: ...
