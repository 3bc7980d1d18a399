# The compiled kernels. Arrays are C-contiguous; a tensor is seen as (outer, channels, inner).

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
def exhaustive_quantize(
    scale: float,
    zero_point: int,
    qmin: int,
    qmax: int,
    out_type: str,
    scaling: int,
    zero_point_inside: bool,
    rounding: int,
    isa: int,
    first: int,
    count: int,
    per_element: bool = False,
) -> tuple[int, int]: ...
def exhaustive_requantize(
    m0: int,
    shift: int,
    zero_point: int,
    qmin: int,
    qmax: int,
    out_type: str,
    method: int,
    isa: int,
    first: int,
    count: int,
    per_element: bool = False,
) -> tuple[int, int]: ...
def exhaustive_division(first: int, count: int) -> tuple[int, int, int]: ...

class Rescale:
    def __init__(
        self,
        m0: NDArray[np.int64],
        shift: NDArray[np.int32],
        multiplier_f32: NDArray[np.float32],
        method: int,
        zero_point: int,
        qmin: int,
        qmax: int,
    ) -> None: ...

class Window:
    def __init__(
        self,
        input: tuple[int, int, int],  # noqa: A002
        output: tuple[int, int, int],
        kernel: tuple[int, int, int],
        strides: tuple[int, int, int],
        begins: tuple[int, int, int],
        dilations: tuple[int, int, int],
    ) -> None: ...

def conv(
    x: NDArray[Any],
    weight: NDArray[Any],
    weight_zero_point: NDArray[np.int64],
    bias: NDArray[np.int64],
    out: NDArray[Any],
    window: Window,
    groups: int,
    x_zero_point: int,
    accumulator_bits: int,
    rescale: Rescale,
    isa: int = -1,
    threads: int = 0,
) -> None: ...
def gemm(
    a: NDArray[Any],
    b: NDArray[Any],
    out: NDArray[Any],
    a_index: NDArray[np.int64],
    b_index: NDArray[np.int64],
    a_zero_point: int,
    b_zero_point: NDArray[np.int64],
    bias: NDArray[np.int64],
    accumulator_bits: int,
    rescale: Rescale,
    isa: int = -1,
    threads: int = 0,
) -> None: ...
def add(
    a: NDArray[Any],
    b: NDArray[Any],
    out: NDArray[Any],
    shape: list[int],
    a_strides: list[int],
    b_strides: list[int],
    a_zero_point: int,
    b_zero_point: int,
    a_multiplier: int,
    b_multiplier: int,
    shift: int,
    zero_point: int,
    qmin: int,
    qmax: int,
    threads: int = 0,
) -> None: ...
def multiply(
    a: NDArray[Any],
    b: NDArray[Any],
    out: NDArray[Any],
    shape: list[int],
    a_strides: list[int],
    b_strides: list[int],
    a_zero_point: int,
    b_zero_point: int,
    rescale: Rescale,
    isa: int = -1,
    threads: int = 0,
) -> None: ...
def divide(
    a: NDArray[Any],
    b: NDArray[Any],
    out: NDArray[Any],
    shape: list[int],
    a_strides: list[int],
    b_strides: list[int],
    a_zero_point: int,
    b_zero_point: int,
    m0: int,
    shift: int,
    zero_point: int,
    qmin: int,
    qmax: int,
    threads: int = 0,
) -> None: ...
def slopes(
    x: NDArray[Any],
    out: NDArray[Any],
    x_zero_point: int,
    above_sign: NDArray[np.int64],
    above: Rescale,
    below_sign: NDArray[np.int64],
    below: Rescale,
    isa: int = -1,
    threads: int = 0,
) -> None: ...
def rescale_codes(
    x: NDArray[Any], out: NDArray[Any], x_zero_point: int, rescale: Rescale, isa: int = -1, threads: int = 0
) -> None: ...
def look_up(x: NDArray[Any], out: NDArray[Any], first: int, entries: NDArray[Any], threads: int = 0) -> None: ...
def max_pool(x: NDArray[Any], out: NDArray[Any], window: Window, threads: int = 0) -> None: ...
def average_pool(
    x: NDArray[Any],
    out: NDArray[Any],
    window: Window,
    x_zero_point: int,
    rescale: Rescale,
    isa: int = -1,
    threads: int = 0,
) -> None: ...
def reduce_mean(
    x: NDArray[Any], out: NDArray[Any], x_zero_point: int, rescale: Rescale, isa: int = -1, threads: int = 0
) -> None: ...
def normalize(
    x: NDArray[Any],
    out: NDArray[Any],
    groups: int,
    half_fraction: int,
    epsilon: int,
    fraction: int,
    gain: NDArray[np.int64],
    offset: NDArray[np.int64],
    shift: int,
    zero_point: int,
    qmin: int,
    qmax: int,
    threads: int = 0,
) -> None: ...
def softmax(
    x: NDArray[Any],
    out: NDArray[Any],
    exponentials: NDArray[np.uint32],
    m0: int,
    shift: int,
    zero_point: int,
    qmin: int,
    qmax: int,
    threads: int = 0,
) -> None: ...
