"""Instructions that move codes and compute nothing: the result's codes are the operand's, on the operand's scale.

Axes are counted from the front. Sizes may be dynamic, so each states its rule, not its result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Concat:
    """Codes side by side along ``axis``; the operands already share one scale."""

    name: str
    xs: tuple[str, ...]
    y: str
    axis: int


@dataclass(frozen=True, eq=False)
class Reshape:
    """Codes in another shape; 0 keeps the input's size there (unless ``allowzero``), -1 takes what is left."""

    name: str
    x: str
    y: str
    shape: tuple[int, ...]
    allowzero: bool


@dataclass(frozen=True, eq=False)
class Flatten:
    """Codes as a matrix (product of the axes before ``axis``, product of the rest)."""

    name: str
    x: str
    y: str
    axis: int


@dataclass(frozen=True, eq=False)
class Transpose:
    """Codes with permuted axes."""

    name: str
    x: str
    y: str
    permutation: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Squeeze:
    """Codes without the axes of size 1 named, or without all of them where ``axes`` is None."""

    name: str
    x: str
    y: str
    axes: tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class Unsqueeze:
    """Codes with new axes of size 1 at ``axes`` of the result (negative ones count from its end)."""

    name: str
    x: str
    y: str
    axes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Slice:
    """``start : stop : step`` along some axes; out-of-range bounds are limited, negative ones count from the end."""

    name: str
    x: str
    y: str
    axes: tuple[int, ...]
    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Gather:
    """``indices`` along ``axis``, negative ones from the end; the axis is replaced by the shape of ``indices``."""

    name: str
    x: str
    y: str
    axis: int
    indices: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Expand:
    """Codes broadcast against ``shape``."""

    name: str
    x: str
    y: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Tile:
    """Codes repeated along each axis."""

    name: str
    x: str
    y: str
    repeats: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Pad:
    """``pads`` (begin, end) on each axis, negative ones crop; modes constant (``fill``), reflect, edge, wrap."""

    name: str
    x: str
    y: str
    pads: tuple[tuple[int, int], ...]
    mode: str
    fill: int


@dataclass(frozen=True, eq=False)
class DepthToSpace:
    """Blocks of channels spread over space (ONNX DepthToSpace-13); ``columns_first`` is its mode DCR."""

    name: str
    x: str
    y: str
    block: int
    columns_first: bool


@dataclass(frozen=True, eq=False)
class SpaceToDepth:
    """Blocks of space gathered in channels (ONNX SpaceToDepth-13)."""

    name: str
    x: str
    y: str
    block: int


@dataclass(frozen=True, eq=False)
class ResizeNearest:
    """The nearest input element for each output element along each axis (ONNX Resize-19, mode nearest).

    Attributes
    ----------
    scales : output size over input size for each axis, float32; None where ``sizes`` say it.
    sizes : output size for each axis, or None.
    coordinates : half_pixel, pytorch_half_pixel, align_corners or asymmetric.
    rounding : round_prefer_floor, round_prefer_ceil, floor or ceil.
    """

    name: str
    x: str
    y: str
    scales: tuple[float, ...] | None
    sizes: tuple[int, ...] | None
    coordinates: str
    rounding: str


Move = (
    Concat
    | Reshape
    | Flatten
    | Transpose
    | Squeeze
    | Unsqueeze
    | Slice
    | Gather
    | Expand
    | Tile
    | Pad
    | DepthToSpace
    | SpaceToDepth
    | ResizeNearest
)

MOVES: tuple[type[Move], ...] = get_args(Move)
