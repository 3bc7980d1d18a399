"""Which 3x3 convolutions run by tiles, with four times fewer products (docs/math/winograd.md), and their tables."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute.plan import tables
from halfeven.execute.plan.folded import rescaled_in_kernel
from halfeven.execute.plan.layout import Held, Shape
from halfeven.ir.instructions import Conv
from halfeven.ir.window import Window

OUT, IN = 4, 6  # a tile's results along an axis, and what they are made from
LANES = 16  # of channels that are transformed at a time, and of columns
TAPS = 9
BLOCK = 60  # tiles for which weights are transformed once
# Cycles, as measured where 16-bit products run at 20 a cycle: of transforms of a weight, and of a tile's channels in
# and columns out.
PRODUCTS, WEIGHT_CYCLES, IN_CYCLES, OUT_CYCLES = 20, 4, 6, 11


def tiles_of(i: Conv, x: Held, shape: Shape, codes: NDArray[np.int8]) -> NDArray[np.int32] | None:
    """Offsets [places][tiles] of a convolution that is exact by tiles and faster; else None.

    Parameters
    ----------
    shape : of the result. codes : of the weights [columns][channels][taps], centered.
    """
    window = i.window
    if (window.kernel, window.strides, window.dilations, i.group) != ((3, 3), (1, 1), (1, 1), 1):
        return None
    down, across = (-(-n // OUT) for n in shape[2:])
    tiles = shape[0] * down * across
    exact = rescaled_in_kernel(i.rescale, i.accumulator) and _native.WinogradWeights.fit(
        np.ascontiguousarray(codes).reshape(-1), len(codes)
    )
    if not exact or not faster(tiles, shape[0] * prod(shape[2:]), codes.shape[1], len(codes)):
        return None
    return tables.window_table(x, Window((IN, IN), (OUT, OUT), window.pads, (1, 1)), (down, across))


def faster(tiles: int, pixels: int, channels: int, columns: int) -> bool:
    """Whether ``tiles`` cost less than the products of each of ``pixels`` with its 9 taps."""
    depth, width = (-(-n // LANES) * LANES for n in (channels, columns))
    direct = TAPS * channels * width * pixels / PRODUCTS
    products = (IN * IN * tiles / PRODUCTS + WEIGHT_CYCLES * -(-tiles // BLOCK)) * depth * width
    return products + tiles * (IN_CYCLES * depth + OUT_CYCLES * width) < direct
