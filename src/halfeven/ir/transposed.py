"""The transposed convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.rescale import Accumulator, Rescale
from halfeven.ir.window import Window


@dataclass(frozen=True, eq=False)
class ConvTranspose:
    """``acc[n, o, p] = sum (x - Zx)(w - Zw) + b`` over inputs i and taps t with ``p = i stride + t dilation - pad``.

    Then rescaled. The result has ``(size - 1) stride + dilation (kernel - 1) + 1 - pads + extra`` elements along each
    spatial axis. Source: docs/math/conv.md, "Transposed".

    Attributes
    ----------
    weight : codes (C, O / group, *kernel). weight_zero : int64 () or (O,). bias : int64 (O,).
    extra : output_padding of each spatial axis.
    """

    name: str
    x: str
    y: str
    weight: NDArray[Any]
    weight_zero: NDArray[np.int64]
    bias: NDArray[np.int64]
    x_zero: int
    window: Window
    extra: tuple[int, ...]
    group: int
    accumulator: Accumulator
    rescale: Rescale
