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
def gather(
    x: NDArray[np.float32], counts: NDArray[np.uint32] | None, exponent: int, isa: int = -1, threads: int = 0
) -> tuple[float, float, int, int, int, int, int]: ...
def factor(h: NDArray[np.float64], w: NDArray[np.float64], isa: int = -1, threads: int = 0) -> bool: ...
def solve(
    u: NDArray[np.float64], w: NDArray[np.float64], b: NDArray[np.float64], isa: int = -1, threads: int = 0
) -> None: ...
def round_columns(
    v: NDArray[np.float64],
    f: NDArray[np.float64],
    scale: NDArray[np.float64],
    qmin: float,
    qmax: float,
    codes: NDArray[np.float64],
    isa: int = -1,
    threads: int = 0,
) -> None: ...
def improve_columns(
    v: NDArray[np.float64],
    h: NDArray[np.float64],
    scale: NDArray[np.float64],
    qmin: float,
    qmax: float,
    codes: NDArray[np.float64],
    pull: NDArray[np.float64],
    sweeps: int,
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

class Pages:
    def __init__(self) -> None: ...

class ProductWeights:
    def __init__(
        self,
        codes: NDArray[np.int8],
        taps: int,
        channels: int,
        bias: NDArray[np.int32],
        multiplier: NDArray[np.float64],
        pages: Pages,
        isa: int = -1,
    ) -> None: ...
    @property
    def nbytes(self) -> int: ...

class WinogradWeights:
    def __init__(
        self,
        codes: NDArray[np.int8],
        taps: int,
        channels: int,
        bias: NDArray[np.int32],
        multiplier: NDArray[np.float64],
        isa: int = -1,
    ) -> None: ...
    @staticmethod
    def fit(codes: NDArray[np.int8], columns: int, isa: int = -1) -> bool: ...
    @property
    def nbytes(self) -> int: ...

class DepthwiseWeights:
    def __init__(
        self,
        codes: NDArray[np.int8],
        taps: int,
        bias: NDArray[np.int32],
        multiplier: NDArray[np.float64],
        isa: int = -1,
    ) -> None: ...
    @property
    def nbytes(self) -> int: ...

LEAST_WORK_PER_THREAD: float

def default_threads() -> int: ...
def peak_operations_per_second(isa: int = -1, threads: int = 0) -> float: ...

class WideWeights:
    def __init__(
        self,
        codes: NDArray[np.int16],
        taps: int,
        channels: int,
        bias: NDArray[np.int64],
        bits: int,
        depthwise: bool,
        isa: int = -1,
    ) -> None: ...
    @property
    def nbytes(self) -> int: ...

class Plan:
    def __init__(self, isa: int = -1) -> None: ...
    @property
    def arena_bytes(self) -> int: ...
    @property
    def table_bytes(self) -> int: ...
    @property
    def steps(self) -> int: ...
    def tensor(self, bytes: int) -> int: ...  # noqa: A002
    def constant(self, bytes: NDArray[np.uint8]) -> int: ...  # noqa: A002
    def input(self, bytes: int) -> int: ...  # noqa: A002
    def output(self, bytes: int) -> int: ...  # noqa: A002
    def finish(self) -> None: ...
    def quantize(
        self,
        input: int,  # noqa: A002
        y: int,
        planes: list[int],
        border: list[int],
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
        scaling: int,
        zero_point_inside: bool,
        rounding: int,
        type: int,  # noqa: A002
    ) -> int: ...
    def dequantize(self, x: int, output: int, planes: list[int], table: NDArray[np.float32]) -> None: ...
    def copy(
        self,
        from_tensor: bool,
        source: int,
        to_tensor: bool,
        target: int,
        sizes: list[int],
        strides_in: list[int],
        strides_out: list[int],
        offset_in: int,
        offset_out: int,
        item: int,
        flip: int,
    ) -> None: ...
    def product(
        self,
        weights: ProductWeights,
        place: list[int],
        table: NDArray[np.int32],
        row_stride: int,
        padding: int,
        rescale: Rescale,
        in_kernel: bool,
        sum: tuple[int, int, tuple[float, float, float, int, int, int]] | None,  # noqa: A002
    ) -> None: ...
    def winograd(
        self,
        weights: WinogradWeights,
        place: list[int],
        table: NDArray[np.int32],
        image: list[int],
        padding: int,
        rescale: Rescale,
        sum: tuple[int, int, tuple[float, float, float, int, int, int]] | None,  # noqa: A002
    ) -> None: ...
    def depthwise(
        self,
        weights: DepthwiseWeights,
        place: list[int],
        table: NDArray[np.int32],
        padding: int,
        lines: list[int],
        rescale: Rescale,
        in_kernel: bool,
    ) -> None: ...
    def wide_product(
        self,
        weights: WideWeights,
        place: list[int],
        table: NDArray[np.int32],
        row_stride: int,
        padding: int,
        rescale: Rescale,
        multiplier: NDArray[np.float64],
        type: int,  # noqa: A002
    ) -> None: ...
    def wide_sum(
        self,
        place: list[int],
        out_stride: int,
        rule: tuple[float, float, float, int, int, int],
        bytes: bool,  # noqa: A002
    ) -> None: ...
    def look_up(
        self, x: int, y: int, rows: list[int], y_stride: int, x_item: int, y_item: int, table: NDArray[np.uint8]
    ) -> None: ...
    def sum(self, place: list[int], rule: tuple[float, float, float, int, int, int]) -> None: ...
    def multiply(self, place: list[int], x_zero: int, y_zero: int, rescale: Rescale) -> None: ...
    def table(self, x: int, y: int, bytes: int, entries: NDArray[np.uint8]) -> None: ...  # noqa: A002
    def pair_table(self, place: list[int], entries: NDArray[np.uint8]) -> None: ...
    def channel_table(self, x: int, y: int, rows: list[int], entries: NDArray[np.uint8]) -> None: ...
    def max_pool(self, x: int, y: int, rows: list[int], table: NDArray[np.int32]) -> None: ...
    def mean_pool(
        self, x: int, y: int, rows: list[int], table: NDArray[np.int32], x_zero: int, rescale: Rescale
    ) -> None: ...
    def softmax(
        self,
        x: int,
        y: int,
        rows: list[int],
        y_stride: int,
        types: list[int],
        exponentials: NDArray[np.uint32],
        m0: int,
        shift: int,
        zero: int,
        lo: int,
        hi: int,
    ) -> None: ...
    def normalize(
        self,
        x: int,
        y: int,
        rows: list[int],
        fixed: list[int],
        gain: NDArray[np.int64],
        offset: NDArray[np.int64],
        zero: int,
        lo: int,
        hi: int,
    ) -> None: ...
    def matmul(
        self,
        tensors: tuple[int, int, int],
        sizes: list[int],
        steps: list[int],
        a_offsets: list[int],
        b_offsets: list[int],
        b_of: list[int],
        y_offsets: list[int],
        a_zero: int,
        b_zero: int,
        multiplier: float,
        rescale: Rescale,
        in_kernel: bool,
    ) -> None: ...
    def call_softmax(
        self,
        x: list[int],
        y: list[int],
        sizes: list[int],
        exponentials: NDArray[np.uint32],
        m0: int,
        shift: int,
        clamp: list[int],
    ) -> None: ...
    def call_normalize(
        self,
        x: list[int],
        y: list[int],
        sizes: list[int],
        fixed: list[int],
        gain: NDArray[np.int64],
        offset: NDArray[np.int64],
        clamp: list[int],
    ) -> None: ...
    def call_gemm(
        self,
        left: list[int],
        right: list[int],
        to: list[int],
        sizes: list[int],
        a_index: list[int],
        b_index: list[int],
        zeros: list[int],
        bias: list[int],
        bits: int,
        rescale: Rescale,
    ) -> None: ...
    def call_conv(
        self,
        x: list[int],
        weights: list[int],
        to: list[int],
        sizes: list[int],
        window: Window,
        zeros: list[int],
        bias: list[int],
        bits: int,
        rescale: Rescale,
    ) -> None: ...
    def call_quantize(
        self,
        x: int,
        y: int,
        sizes: list[int],
        scale: NDArray[np.float32],
        zero_point: NDArray[np.int32],
        bounds: list[int],
        scaling: int,
        zero_point_inside: bool,
        rounding: int,
        type: int,  # noqa: A002
    ) -> int: ...
    def call_dequantize(
        self,
        x: int,
        y: int,
        sizes: list[int],
        scale: NDArray[np.float32],
        zero_point: NDArray[np.int32],
        type: int,  # noqa: A002
    ) -> None: ...
    def call_rescale(self, x: list[int], to: list[int], count: int, rescale: Rescale) -> None: ...
    def call_slopes(
        self,
        x: list[int],
        to: list[int],
        sizes: list[int],
        above_sign: list[int],
        above: Rescale,
        below_sign: list[int],
        below: Rescale,
    ) -> None: ...
    def call_look_up(
        self,
        x: list[int],
        to: list[int],
        sizes: list[int],
        domain: list[int],
        entries: NDArray[np.uint8],
        by_channel: bool,
    ) -> None: ...
    def call_look_up_pairs(
        self,
        a: list[int],
        b: list[int],
        to: list[int],
        walk: list[list[int]],
        domain: list[int],
        entries: NDArray[np.uint8],
    ) -> None: ...
    def call_take(self, x: list[int], y: int, sizes: list[int], index: list[int]) -> None: ...
    def call_reduce(self, x: list[int], y: list[int], sizes: list[int], rescale: Rescale) -> None: ...
    def call_reduce_extreme(self, x: list[int], y: list[int], sizes: list[int], largest: bool) -> None: ...
    def call_max_pool(self, x: list[int], y: list[int], planes: int, window: Window) -> None: ...
    def call_average_pool(
        self, x: list[int], y: list[int], planes: int, window: Window, bits: int, rescale: Rescale
    ) -> None: ...
    def call_float_average_pool(
        self,
        x: list[int],
        y: list[int],
        planes: int,
        window: Window,
        reals: NDArray[np.float32],
        counts: NDArray[np.float32],
        y_scale: float,
        added: float,
        clamp: list[int],
    ) -> None: ...
    def call_sum(
        self, a: list[int], b: list[int], y: list[int], walk: list[list[int]], rule: list[int], clamp: list[int]
    ) -> None: ...
    def call_multiply(
        self, a: list[int], b: list[int], y: list[int], walk: list[list[int]], rescale: Rescale
    ) -> None: ...
    def call_divide(
        self, a: list[int], b: list[int], y: list[int], walk: list[list[int]], rule: list[int], clamp: list[int]
    ) -> None: ...
    def call_add_sums(
        self,
        a: list[int],
        b: list[int],
        y: list[int],
        sizes: list[int],
        a_multiplier: list[int],
        b_multiplier: list[int],
        shift: list[int],
        clamp: list[int],
    ) -> None: ...
    def call_resize_linear(
        self,
        x: list[int],
        y: list[int],
        sizes: list[int],
        taps: list[list[list[int]]],
        bits: int,
        rescale: Rescale,
    ) -> None: ...
    def call_choose(
        self,
        condition: tuple[int, int],
        a: tuple[int, int],
        b: tuple[int, int],
        y: int,
        walk: list[list[int]],
        item: int,
        largest: bool,
    ) -> None: ...
    def wide_matmul(
        self,
        tensors: tuple[int, int, int],
        sizes: list[int],
        steps: list[int],
        a_offsets: list[int],
        b_offsets: list[int],
        b_of: list[int],
        y_offsets: list[int],
        a_zero: int,
        b_zero: int,
        multiplier: NDArray[np.float64],
        rescale: Rescale,
        type: int,  # noqa: A002
    ) -> None: ...
    def run(
        self,
        inputs: list[NDArray[Any]],
        outputs: list[NDArray[Any]],
        threads: int = 0,
        samples: int = 1,
        watched: bool = False,
        work_per_thread: float = ...,
    ) -> tuple[list[int], tuple[int, str, bool] | None]: ...
    def profile(self, inputs: list[NDArray[Any]], outputs: list[NDArray[Any]], threads: int = 0) -> list[float]: ...
