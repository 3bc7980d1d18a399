"""On which real numbers a function's code still depends: beyond, it is one code on either side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from halfeven.lower.site import NotLowered
from halfeven.numerics import affine
from halfeven.numerics.params import AffineParams, choose_params
from halfeven.numerics.profile import Profile
from halfeven.numerics.qtype import int16

Reals = NDArray[np.float64]

PER_SIGN = 8192
SMALLEST, LARGEST = 1e-6, 1e6  # of the magnitudes that are looked at, times the range of the result or 1
COARSEST = 0.25  # steps of the result between neighbouring inner codes


def inner_params(function: Callable[[Reals], Reals], result: AffineParams, profile: Profile) -> AffineParams:
    """Int16 parameters for the argument of ``function``, whose values are quantized by ``result``.

    They span where the code of the result changes. Between neighbouring inner codes the result moves by at most
    ``COARSEST`` steps, so that before its own rounding it is off by at most half of that.

    Raises
    ------
    NotLowered
        If 16 bits are too few for that, or the function has no value somewhere.
    """
    x = _grid(result)
    codes = _codes(function(x), result, profile)
    low, high = _bounds(x, codes)
    params = choose_params(low, high, int16, symmetric=False)
    every = np.arange(int16.qmin, int16.qmax + 1).astype(np.int16)
    real = np.clip(function(affine.dequantize(every, params).astype(np.float64)), *_range(result))
    if np.isnan(real).any():
        raise NotLowered("it is not a number for some of its arguments")
    if np.abs(np.diff(real)).max() > COARSEST * float(result.scale):
        raise NotLowered("16 bits are too coarse for what it is computed of")
    return params


def _grid(result: AffineParams) -> Reals:
    """Magnitudes around 1 and around the range of the result, of both signs, and 0."""
    size = max(map(abs, _range(result)))
    magnitudes = np.geomspace(min(size, 1) * SMALLEST, max(size, 1) * LARGEST, PER_SIGN)
    return np.concatenate([-magnitudes[::-1], [0.0], magnitudes])


def _range(result: AffineParams) -> tuple[float, float]:
    """The reals of the lowest and highest code, and half a step beyond."""
    scale, zero = float(result.scale), int(result.zero_point)
    return (result.qtype.qmin - zero - 0.5) * scale, (result.qtype.qmax - zero + 0.5) * scale


def _codes(real: Reals, result: AffineParams, profile: Profile) -> NDArray[np.int64]:
    with np.errstate(over="ignore"):
        return affine.quantize_unchecked(real.astype(np.float32), result, profile).astype(np.int64)


def _bounds(x: Reals, codes: NDArray[np.int64]) -> tuple[float, float]:
    """The grid points next to the first and the last change of code."""
    changes = np.flatnonzero(np.diff(codes))
    if not changes.size:
        raise NotLowered("its result is one code for every argument")
    return float(x[changes[0]]), float(x[changes[-1] + 1])
