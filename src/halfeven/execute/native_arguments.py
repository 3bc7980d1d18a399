"""What the compiled kernels take: multipliers, windows over three axes, strides of broadcast operands, matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.errors import ParameterError
from halfeven.execute import windows
from halfeven.ir.rescale import Rescale, Target
from halfeven.ir.window import Window
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import Requantize
from halfeven.ops.numpy_requantize import kernel_multiplier

Array = NDArray[Any]
Sizes = tuple[int, int, int]

SPATIAL_AXES = 3
INT32_LIMIT = 2**31


def contiguous(a: Array) -> Array:
    """``a`` in C order, itself where it is that already."""
    return np.asarray(a, order="C")


def native_rescale(multiplier: Multiplier, target: Target, method: Requantize) -> _native.Rescale:
    """``clamp(round(M acc) + Z)`` for the kernels, M in C order."""
    return _native.Rescale(
        *kernel_multiplier(multiplier, method), int(method), target.zero_point, target.qmin, target.qmax
    )


def rescale_of(how: Rescale) -> _native.Rescale:
    """The instruction's rescale, for the kernels."""
    return native_rescale(how.multiplier, how.target, how.method)


def run(kernel: Callable[..., None], *operands: Any) -> None:
    """Call a kernel; what it refuses is a ParameterError."""
    try:
        kernel(*operands)
    except ValueError as error:
        raise ParameterError(str(error)) from error


def codes(shape: Sequence[int], target: Target) -> Array:
    """Room for codes of the target."""
    return np.empty(tuple(shape), target.qtype.storage)


def three(values: Sequence[int], fill: int) -> Sizes:
    """One to three values, after as many ``fill`` as make them three."""
    if not 1 <= len(values) <= SPATIAL_AXES:
        raise ParameterError(f"the native kernels run over 1 to {SPATIAL_AXES} spatial axes, not {len(values)}")
    a, b, c = (fill,) * (SPATIAL_AXES - len(values)) + tuple(int(v) for v in values)
    return a, b, c


def planes(x: Array) -> Array:
    """``x (N, C, *spatial)`` as planes of three axes."""
    return x.reshape(x.shape[0] * x.shape[1], *three(x.shape[2:], 1))


def native_window(spatial: Sequence[int], out: Sequence[int], window: Window) -> _native.Window:
    """The window over an input of size ``spatial``, for the kernels."""
    return _native.Window(
        three(spatial, 1),
        three(out, 1),
        three(window.kernel, 1),
        three(window.strides, 1),
        three([begin for begin, _ in window.pads], 0),
        three(window.dilations, 1),
    )


def output_sizes(x: Array, window: Window) -> tuple[int, ...]:
    """Windows along each spatial axis of ``x (N, C, *spatial)``."""
    return windows.output_sizes(x.shape[2:], window)


@dataclass(frozen=True)
class Broadcast:
    """Two operands walked together, neighbouring axes merged where both allow it.

    Attributes
    ----------
    result : shape of the result. shape : its axes after merging, at least one.
    a_strides, b_strides : elements between neighbours along ``shape``; 0 where an operand is repeated.
    """

    result: tuple[int, ...]
    shape: list[int]
    a_strides: list[int]
    b_strides: list[int]


def broadcast(a: Array, b: Array) -> Broadcast:
    """How ``a`` and ``b`` broadcast against each other, by NumPy's rules."""
    try:
        result = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ParameterError(f"shapes {a.shape} and {b.shape} do not broadcast") from None
    axes = [axis for axis in zip(result, _strides(a, result), _strides(b, result), strict=True) if axis[0] != 1]
    merged: list[tuple[int, int, int]] = []
    for size, i, j in reversed(axes):
        if merged and (i, j) == (merged[-1][1] * merged[-1][0], merged[-1][2] * merged[-1][0]):
            inner = merged.pop()
            merged.append((size * inner[0], inner[1], inner[2]))
        else:
            merged.append((size, i, j))
    shape, a_strides, b_strides = zip(*(merged[::-1] or [(1, 1, 1)]), strict=True)
    return Broadcast(result, list(shape), list(a_strides), list(b_strides))


def _strides(a: Array, shape: tuple[int, ...]) -> list[int]:
    return [step // a.itemsize for step in np.broadcast_to(a, shape).strides]


@dataclass(frozen=True)
class Stacks:
    """Two stacks of matrices (count, rows, columns), and which of them make each result.

    Attributes
    ----------
    result : shape of the product by NumPy's rules (an operand of one axis has no axis there).
    """

    a: Array
    b: Array
    a_index: NDArray[np.int64]
    b_index: NDArray[np.int64]
    result: tuple[int, ...]


def check_product(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Raise ParameterError where matrices of these shapes do not multiply."""
    inside = bool(a) and bool(b) and a[-1] == b[-2 if len(b) > 1 else 0]
    try:
        if inside:
            np.broadcast_shapes(a[:-2], b[:-2])
            return
    except ValueError:
        pass
    raise ParameterError(f"shapes {a} and {b} do not multiply")


def stacks(a: Array, b: Array) -> Stacks:
    """``a @ b`` as products of single matrices."""
    check_product(a.shape, b.shape)
    left = a if a.ndim > 1 else a[None, :]
    right = b if b.ndim > 1 else b[:, None]
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    result = batch + (left.shape[-2:-1] if a.ndim > 1 else ()) + (right.shape[-1:] if b.ndim > 1 else ())
    return Stacks(_stack(left), _stack(right), _index(left, batch), _index(right, batch), result)


def _stack(a: Array) -> Array:
    return contiguous(a).reshape(prod(a.shape[:-2]), *a.shape[-2:])


def _index(a: Array, batch: tuple[int, ...]) -> NDArray[np.int64]:
    numbers = np.arange(prod(a.shape[:-2]), dtype=np.int64).reshape(a.shape[:-2])
    return np.ascontiguousarray(np.broadcast_to(numbers, batch)).reshape(-1)


def product_bits(a: Array, a_zero: int, b: Array, b_zero: int, depth: int) -> int:
    """Bits (32 or 64) that hold every sum of ``depth`` products of centered codes."""
    return 32 if depth * farthest(a, a_zero) * farthest(b, b_zero) < INT32_LIMIT else 64


def farthest(codes: Array, zero: int) -> int:
    """The largest ``|q - Z|`` over all values of the array's type."""
    info = np.iinfo(codes.dtype)
    return max(zero - int(info.min), int(info.max) - zero)


def rows_over(x: Array, axes: Sequence[int]) -> Array:
    """``x`` as (outer, elements over ``axes``, inner): a view where the axes are neighbours, else a copy."""
    if not axes:
        return contiguous(x).reshape(-1, 1, 1)
    first, last = min(axes), max(axes) + 1
    if sorted(axes) == list(range(first, last)):
        return contiguous(x).reshape(prod(x.shape[:first]), prod(x.shape[first:last]), prod(x.shape[last:]))
    kept = [k for k in range(x.ndim) if k not in axes]
    moved = contiguous(x.transpose(*kept, *axes))
    return moved.reshape(prod(x.shape[k] for k in kept), prod(x.shape[k] for k in axes), 1)
