"""Instructions that compare or choose codes, and sums: codes are ordered as their reals, so comparing them is exact."""

from __future__ import annotations

from dataclasses import dataclass

from halfeven.ir.rescale import MeanRescale, Rescale


@dataclass(frozen=True, eq=False)
class Extreme:
    """The larger (or, unless ``largest``, the smaller) of two codes of one scale, broadcasting."""

    name: str
    a: str
    b: str
    y: str
    largest: bool


@dataclass(frozen=True, eq=False)
class ReduceExtreme:
    """The largest (or smallest) code over ``axes`` (counted from the front)."""

    name: str
    x: str
    y: str
    axes: tuple[int, ...]
    keepdims: bool
    largest: bool


@dataclass(frozen=True, eq=False)
class ReduceSum:
    """``sum (x - Zx)`` over ``axes`` (counted from the front), then rescaled."""

    name: str
    x: str
    y: str
    axes: tuple[int, ...]
    keepdims: bool
    x_zero: int
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class Where:
    """Codes of a where ``condition`` holds, else of b; all on one scale, broadcasting."""

    name: str
    condition: str
    a: str
    b: str
    y: str


@dataclass(frozen=True, eq=False)
class Mask:
    """The code ``fill`` where ``condition`` is ``when``, else that of x, broadcasting: Where with one number."""

    name: str
    condition: str
    x: str
    y: str
    when: bool
    fill: int


@dataclass(frozen=True, eq=False)
class ResizeLinear:
    """Linear interpolation along each axis that changes (ONNX Resize-19, mode linear), docs/math/resize.md.

    ``sum w (x - Zx)`` with integer weights; the division by their sum is part of M, so there is one rounding.

    Attributes
    ----------
    scales : output size over input size for each axis; None where ``sizes`` say it.
    sizes : output size for each axis, or None.
    coordinates : half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners or asymmetric.
    """

    name: str
    x: str
    y: str
    scales: tuple[float, ...] | None
    sizes: tuple[int, ...] | None
    coordinates: str
    x_zero: int
    rescale: MeanRescale
