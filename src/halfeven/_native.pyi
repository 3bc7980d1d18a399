# The compiled kernels. Arrays are C-contiguous; a tensor is seen as (outer, channels, inner).

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = list[int]
Array: TypeAlias = NDArray[Any]
F32: TypeAlias = NDArray[np.float32]
F64: TypeAlias = NDArray[np.float64]
I8: TypeAlias = NDArray[np.int8]
I16: TypeAlias = NDArray[np.int16]
I32: TypeAlias = NDArray[np.int32]
I64: TypeAlias = NDArray[np.int64]
U8: TypeAlias = NDArray[np.uint8]
U32: TypeAlias = NDArray[np.uint32]

def isa_names() -> list[tuple[str, bool, bool]]: ...
def active_isa() -> str: ...
def kernel_names() -> list[str]: ...
def quantize(
    x: F32,
    out: Array,
    scale: F32,
    zero_point: I32,
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
    q: Array, out: F32, scale: F32, zero_point: I32, outer: int, inner: int, isa: int = -1, threads: int = 0
) -> None: ...
def requantize(
    acc: Array,
    out: Array,
    m0: I64,
    shift: I32,
    zero_point: int,
    qmin: int,
    qmax: int,
    outer: int,
    inner: int,
    method: int,
    multiplier_f32: F32,
    isa: int = -1,
    threads: int = 0,
) -> None: ...
def gather(
    x: F32, counts: U32 | None, exponent: int, isa: int = -1, threads: int = 0
) -> tuple[float, float, int, int, int, int, int]: ...
def difference(
    f: NDArray[Any], other: NDArray[Any], isa: int = -1
) -> tuple[int, float, float, float, float, float, float]: ...

tile_side: int

def add_moments(a: F32, b: F32, out: F64, symmetric: bool, isa: int = -1, threads: int = 0) -> None: ...
def multiply(a: F64, b: F64, out: F64, isa: int = -1, threads: int = 0) -> None: ...
def multiply_panels(a: F64, b: F64, out: F64, isa: int = -1, threads: int = 0) -> None: ...
def to_panels(
    sums: F64, count: float, mean: F64, order: I64, added: F64, panels: F64, isa: int = -1, threads: int = 0
) -> None: ...
def factor(h: F64, isa: int = -1, threads: int = 0) -> bool: ...
def solve(w: F64, b: F64, isa: int = -1, threads: int = 0) -> None: ...
def round_columns(
    v: F64, w: F64, scale: F64, qmin: float, qmax: float, codes: F64, lost: F64, isa: int = -1, threads: int = 0
) -> None: ...
def improve_columns(
    v: F64,
    h: F64,
    scale: F64,
    qmin: float,
    qmax: float,
    codes: F64,
    pull: F64,
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
        self, m0: I64, shift: I32, multiplier_f32: F32, method: int, zero_point: int, qmin: int, qmax: int
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
        self, codes: I8, taps: int, channels: int, bias: I32, multiplier: F64, pages: Pages, isa: int = -1
    ) -> None: ...
    @staticmethod
    def tiles(isa: int = -1) -> bool: ...
    @staticmethod
    def by_planes(isa: int = -1) -> bool: ...
    @property
    def nbytes(self) -> int: ...

class WinogradWeights:
    def __init__(self, codes: I8, taps: int, channels: int, bias: I32, multiplier: F64, isa: int = -1) -> None: ...
    @staticmethod
    def fit(codes: I8, columns: int, isa: int = -1) -> bool: ...
    @property
    def nbytes(self) -> int: ...

class DepthwiseWeights:
    def __init__(self, codes: I8, taps: int, bias: I32, multiplier: F64, isa: int = -1) -> None: ...
    @property
    def nbytes(self) -> int: ...

LEAST_WORK_PER_THREAD: float

def default_threads() -> int: ...
def most_threads() -> int: ...
def peak_operations_per_second(isa: int = -1, threads: int = 0, rounds: int = 12) -> float: ...

class WideWeights:
    def __init__(
        self, codes: I16, taps: int, channels: int, bias: I64, bits: int, depthwise: bool, isa: int = -1
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
    def constant(self, bytes: U8) -> int: ...  # noqa: A002
    def input(self, bytes: int) -> int: ...  # noqa: A002
    def output(self, bytes: int) -> int: ...  # noqa: A002
    def finish(self) -> None: ...
    def quantize(
        self,
        input: int,  # noqa: A002
        y: int,
        planes: Ints,
        border: Ints,
        scale: float,
        zero_point: int,
        qmin: int,
        qmax: int,
        scaling: int,
        zero_point_inside: bool,
        rounding: int,
        type: int,  # noqa: A002
    ) -> int: ...
    def dequantize(self, x: int, output: int, planes: Ints, table: F32) -> None: ...
    def copy(
        self,
        from_tensor: bool,
        source: int,
        to_tensor: bool,
        target: int,
        sizes: Ints,
        strides_in: Ints,
        strides_out: Ints,
        offset_in: int,
        offset_out: int,
        item: int,
        flip: int,
    ) -> None: ...
    def product(
        self,
        weights: ProductWeights,
        place: Ints,
        table: I32,
        row_stride: int,
        padding: int,
        rescale: Rescale,
        in_kernel: bool,
        sum: tuple[int, int, tuple[float, float, float, int, int, int]] | None,  # noqa: A002
        image: Ints = ...,
    ) -> None: ...
    def winograd(
        self,
        weights: WinogradWeights,
        place: Ints,
        table: I32,
        image: Ints,
        padding: int,
        rescale: Rescale,
        sum: tuple[int, int, tuple[float, float, float, int, int, int]] | None,  # noqa: A002
    ) -> None: ...
    def depthwise(
        self,
        weights: DepthwiseWeights,
        place: Ints,
        table: I32,
        padding: int,
        lines: Ints,
        rescale: Rescale,
        in_kernel: bool,
    ) -> None: ...
    def wide_product(
        self,
        weights: WideWeights,
        place: Ints,
        table: I32,
        row_stride: int,
        padding: int,
        rescale: Rescale,
        multiplier: F64,
        type: int,  # noqa: A002
    ) -> None: ...
    def planes_product(
        self,
        weights: ProductWeights,
        place: Ints,
        table: I32,
        row_stride: int,
        padding: int,
        rescale: Rescale,
        bias: F64,
        type: int,  # noqa: A002
    ) -> None: ...
    def wide_sum(
        self,
        place: Ints,
        out_stride: int,
        rule: tuple[float, float, float, int, int, int],
        bytes: bool,  # noqa: A002
    ) -> None: ...
    def look_up(self, x: int, y: int, rows: Ints, y_stride: int, x_item: int, y_item: int, table: U8) -> None: ...
    def sum(self, place: Ints, rule: tuple[float, float, float, int, int, int]) -> None: ...
    def multiply(self, place: Ints, x_zero: int, y_zero: int, rescale: Rescale) -> None: ...
    def table(self, x: int, y: int, bytes: int, entries: U8) -> None: ...  # noqa: A002
    def follow_with(self, made: int, entries: U8) -> list[int]: ...
    def pair_table(self, place: Ints, entries: U8) -> None: ...
    def channel_table(self, x: int, y: int, rows: Ints, entries: U8) -> None: ...
    def max_pool(self, x: int, y: int, rows: Ints, table: I32) -> None: ...
    def mean_pool(self, x: int, y: int, rows: Ints, table: I32, x_zero: int, rescale: Rescale) -> None: ...
    def softmax(
        self,
        x: int,
        y: int,
        rows: Ints,
        y_stride: int,
        types: Ints,
        exponentials: U32,
        m0: int,
        shift: int,
        zero: int,
        lo: int,
        hi: int,
    ) -> None: ...
    def normalize(
        self, x: int, y: int, rows: Ints, fixed: Ints, gain: I64, offset: I64, zero: int, lo: int, hi: int
    ) -> None: ...
    def matmul(
        self,
        tensors: tuple[int, int, int],
        sizes: Ints,
        steps: Ints,
        a_offsets: Ints,
        b_offsets: Ints,
        b_of: Ints,
        y_offsets: Ints,
        a_zero: int,
        b_zero: int,
        multiplier: float,
        rescale: Rescale,
        in_kernel: bool,
    ) -> None: ...
    def call_softmax(
        self, x: Ints, y: Ints, sizes: Ints, exponentials: U32, m0: int, shift: int, clamp: Ints
    ) -> None: ...
    def call_normalize(
        self, x: Ints, y: Ints, sizes: Ints, fixed: Ints, gain: I64, offset: I64, clamp: Ints
    ) -> None: ...
    def call_gemm(
        self,
        left: Ints,
        right: Ints,
        to: Ints,
        sizes: Ints,
        a_index: Ints,
        b_index: Ints,
        zeros: Ints,
        bias: Ints,
        bits: int,
        rescale: Rescale,
    ) -> None: ...
    def call_conv(
        self,
        x: Ints,
        weights: Ints,
        to: Ints,
        sizes: Ints,
        window: Window,
        zeros: Ints,
        bias: Ints,
        bits: int,
        rescale: Rescale,
    ) -> None: ...
    def call_quantize(
        self,
        x: int,
        y: int,
        sizes: Ints,
        scale: F32,
        zero_point: I32,
        bounds: Ints,
        scaling: int,
        zero_point_inside: bool,
        rounding: int,
        type: int,  # noqa: A002
    ) -> int: ...
    def call_dequantize(
        self,
        x: int,
        y: int,
        sizes: Ints,
        scale: F32,
        zero_point: I32,
        type: int,  # noqa: A002
    ) -> None: ...
    def call_rescale(self, x: Ints, to: Ints, count: int, rescale: Rescale) -> None: ...
    def call_slopes(
        self, x: Ints, to: Ints, sizes: Ints, above_sign: Ints, above: Rescale, below_sign: Ints, below: Rescale
    ) -> None: ...
    def call_look_up(self, x: Ints, to: Ints, sizes: Ints, domain: Ints, entries: U8, by_channel: bool) -> None: ...
    def call_look_up_pairs(self, a: Ints, b: Ints, to: Ints, walk: list[Ints], domain: Ints, entries: U8) -> None: ...
    def call_take(self, x: Ints, y: int, sizes: Ints, index: Ints) -> None: ...
    def call_reduce(self, x: Ints, y: Ints, sizes: Ints, rescale: Rescale) -> None: ...
    def call_reduce_extreme(self, x: Ints, y: Ints, sizes: Ints, largest: bool) -> None: ...
    def call_max_pool(self, x: Ints, y: Ints, planes: int, window: Window) -> None: ...
    def call_average_pool(self, x: Ints, y: Ints, planes: int, window: Window, bits: int, rescale: Rescale) -> None: ...
    def call_float_average_pool(
        self,
        x: Ints,
        y: Ints,
        planes: int,
        window: Window,
        reals: F32,
        counts: F32,
        y_scale: float,
        added: float,
        clamp: Ints,
    ) -> None: ...
    def call_sum(self, a: Ints, b: Ints, y: Ints, walk: list[Ints], rule: Ints, clamp: Ints) -> None: ...
    def call_multiply(self, a: Ints, b: Ints, y: Ints, walk: list[Ints], rescale: Rescale) -> None: ...
    def call_divide(self, a: Ints, b: Ints, y: Ints, walk: list[Ints], rule: Ints, clamp: Ints) -> None: ...
    def call_add_sums(
        self, a: Ints, b: Ints, y: Ints, sizes: Ints, a_multiplier: Ints, b_multiplier: Ints, shift: Ints, clamp: Ints
    ) -> None: ...
    def call_resize_linear(
        self, x: Ints, y: Ints, sizes: Ints, taps: list[list[Ints]], bits: int, rescale: Rescale
    ) -> None: ...
    def call_choose(
        self,
        condition: tuple[int, int],
        a: tuple[int, int],
        b: tuple[int, int],
        y: int,
        walk: list[Ints],
        item: int,
        largest: bool,
    ) -> None: ...
    def wide_matmul(
        self,
        tensors: tuple[int, int, int],
        sizes: Ints,
        steps: Ints,
        a_offsets: Ints,
        b_offsets: Ints,
        b_of: Ints,
        y_offsets: Ints,
        a_zero: int,
        b_zero: int,
        multiplier: F64,
        rescale: Rescale,
        type: int,  # noqa: A002
    ) -> None: ...
    def run(
        self,
        inputs: list[Array],
        outputs: list[Array],
        threads: int = 0,
        samples: int = 1,
        watched: bool = False,
        work_per_thread: float = ...,
    ) -> tuple[Ints, tuple[int, str, bool] | None]: ...
    def profile(self, inputs: list[Array], outputs: list[Array], threads: int = 0) -> list[float]: ...
