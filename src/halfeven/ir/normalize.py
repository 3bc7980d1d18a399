"""Normalization by mean and variance: LayerNormalization, InstanceNormalization, GroupNormalization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.rescale import Target
from halfeven.numerics.multiplier import Multiplier


@dataclass(frozen=True, eq=False)
class Normalize:
    """``q = clamp(rhe((T G_c + B_c) / 2^shift) + Z)``, T the normalized value in integers (docs/math/normalize.md).

    x is seen as (outer, channels, inner): ``span`` axes from ``axis`` on make the channels, the rest is inner. A row is
    ``channels / groups`` channels with all that is inner to them: it has one mean and one variance.

    Attributes
    ----------
    groups : rows of each outer element; 0 for one a channel.
    levels : codes of x; with the length of a row they bound every sum.
    epsilon : ``eps / Sx^2``, on the scale of squared codes.
    fraction : fractional bits of T.
    gain, offset : int64 (channels,), G and B.
    shift : fractional bits of B.
    """

    name: str
    x: str
    y: str
    axis: int
    span: int
    groups: int
    levels: int
    epsilon: Multiplier
    fraction: int
    gain: NDArray[np.int64]
    offset: NDArray[np.int64]
    shift: int
    target: Target
