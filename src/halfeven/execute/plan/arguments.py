"""What kernels over whole arrays take: windows over three axes, stacks of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from halfeven import _native
from halfeven.errors import ParameterError
from halfeven.execute.plan.layout import Shape
from halfeven.ir.window import Window

SPATIAL_AXES = 3
INT32_LIMIT = 2**31


def three(values: Sequence[int], fill: int) -> tuple[int, int, int]:
    """One to three values, after as many ``fill`` as make them three."""
    if not 1 <= len(values) <= SPATIAL_AXES:
        raise ParameterError(f"the native kernels run over 1 to {SPATIAL_AXES} spatial axes, not {len(values)}")
    a, b, c = (fill,) * (SPATIAL_AXES - len(values)) + tuple(int(v) for v in values)
    return a, b, c


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


def broadcast(*shapes: Shape) -> Shape:
    """The shape that these make together, by NumPy's rules."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ParameterError(f"shapes {' and '.join(map(str, shapes))} do not broadcast") from None


def check_product(a: Shape, b: Shape) -> None:
    """Raise ParameterError where matrices of these shapes do not multiply."""
    inside = bool(a) and bool(b) and a[-1] == b[-2 if len(b) > 1 else 0]
    try:
        if inside:
            np.broadcast_shapes(a[:-2], b[:-2])
            return
    except ValueError:
        pass
    raise ParameterError(f"shapes {a} and {b} do not multiply")


@dataclass(frozen=True)
class Product:
    """``a @ b`` as products of single matrices.

    Attributes
    ----------
    result : shape of the product by NumPy's rules (an operand of one axis has no axis there).
    sizes : matrices of a, of b, rows, depth, columns. a_index, b_index : which of them make each result.
    """

    result: Shape
    sizes: tuple[int, int, int, int, int]
    a_index: list[int]
    b_index: list[int]


def product_of(a: Shape, b: Shape) -> Product:
    """How operands of these shapes multiply."""
    check_product(a, b)
    left = a if len(a) > 1 else (1, *a)
    right = b if len(b) > 1 else (*b, 1)
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    result = batch + (left[-2:-1] if len(a) > 1 else ()) + (right[-1:] if len(b) > 1 else ())
    sizes = prod(left[:-2]), prod(right[:-2]), left[-2], left[-1], right[-1]
    return Product(result, sizes, _index(left, batch), _index(right, batch))


def _index(shape: Shape, batch: Shape) -> list[int]:
    numbers: Any = np.arange(prod(shape[:-2])).reshape(shape[:-2])
    found: list[int] = np.broadcast_to(numbers, batch).reshape(-1).tolist()
    return found


def sum_bits(largest: int) -> int:
    """Bits (32 or 64) that hold every sum up to ``largest``."""
    return 32 if largest < INT32_LIMIT else 64
