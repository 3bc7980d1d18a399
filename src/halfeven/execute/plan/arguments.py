"""What kernels over whole arrays take: windows over three axes; shapes that fit together."""

from __future__ import annotations

from collections.abc import Sequence

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


def sum_bits(largest: int) -> int:
    """Bits (32 or 64) that hold every sum up to ``largest``."""
    return 32 if largest < INT32_LIMIT else 64
