"""Binary and log2 quantizers for weights. Source: docs/math/nonlinear.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halfeven.errors import NotANumberError, ParameterError
from halfeven.numerics.affine import as_float32
from halfeven.numerics.host import to_host
from halfeven.numerics.params import AffineParams
from halfeven.numerics.rounding import F32

Codes = NDArray[np.int8]


def _scales(scale: ArrayLike, axis: int | None) -> NDArray[np.float32]:
    return AffineParams(scale, 0, axis=axis).scale  # the same rules: finite, > 0, normal, one or one a channel


@dataclass(frozen=True, eq=False)
class BinaryParams:
    """``r = S q`` with codes -1 and +1 (Rastegari et al. 2016, XNOR-Net, eq. 6: ``S = mean |r|``).

    Attributes
    ----------
    scale : S, float32, a number or one a channel (C,) with ``axis``.
    axis : channel axis or None.
    """

    scale: NDArray[np.float32]
    axis: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", _scales(self.scale, self.axis))

    @classmethod
    def from_tensor(cls, weight: ArrayLike, axis: int | None = None) -> BinaryParams:
        """``S = mean |r|`` of the tensor or of each channel, in float64; an all-zero channel gets S = 1."""
        w = np.abs(_checked(to_host(weight))).astype(np.float64)
        reduced = None if axis is None else tuple(k for k in range(w.ndim) if k != axis % w.ndim)
        mean = w.mean(axis=reduced) if w.size else np.zeros(() if axis is None else w.shape[axis])
        tiny = float(np.finfo(np.float32).smallest_normal)
        return cls(np.where(mean == 0, 1.0, np.maximum(mean, tiny)).astype(np.float32), axis)


@dataclass(frozen=True, eq=False)
class Log2Params:
    """``r = sign(q) S 2^-k`` with ``k = |q| - 1``, and ``r = 0`` for code 0.

    Codes lie in ``[-K, K]``, ``K = 2^(bits-1) - 1``. ``k`` is rounded in the log domain (Miyashita et al. 2016, eq. 6),
    decided exactly: ``|r|^2`` against ``S^2 2^-(2k+1)``, so no logarithm is computed and no two backends differ.

    Attributes
    ----------
    scale : S, the largest magnitude, float32, a number or one a channel (C,) with ``axis``.
    bits : 2 to 8.
    axis : channel axis or None.
    """

    scale: NDArray[np.float32]
    bits: int = 4
    axis: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", _scales(self.scale, self.axis))
        if not 2 <= self.bits <= 8:  # noqa: PLR2004
            raise ParameterError(f"log2 codes have 2 to 8 bits, not {self.bits}")

    @classmethod
    def from_tensor(cls, weight: ArrayLike, bits: int = 4, axis: int | None = None) -> Log2Params:
        """``S = max |r|`` of the tensor or of each channel; an all-zero one gets S = 1."""
        w = np.abs(_checked(to_host(weight)))
        reduced = None if axis is None else tuple(k for k in range(w.ndim) if k != axis % w.ndim)
        top = w.max(axis=reduced, initial=0)
        tiny = np.finfo(np.float32).smallest_normal
        return cls(np.where(top == 0, np.float32(1), np.maximum(top, tiny)), bits, axis)

    @property
    def kmax(self) -> int:
        """K, the largest code."""
        return (1 << (self.bits - 1)) - 1


def _checked(x: ArrayLike) -> F32:
    r = as_float32(x)
    count = int(np.isnan(r).sum())
    if count:
        raise NotANumberError(count)
    return r


def _expand(params: BinaryParams | Log2Params, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return AffineParams(params.scale, 0, axis=params.axis).expanded(shape)[0]


def quantize_binary(x: ArrayLike, params: BinaryParams) -> Codes:
    """``q = +1 where r >= 0 (also -0.0), else -1``; int8. NaN raises NotANumberError."""
    r = _checked(x)
    _expand(params, r.shape)
    return np.where(r >= 0, 1, -1).astype(np.int8)


def quantize_log2(x: ArrayLike, params: Log2Params) -> Codes:
    """Sign and exponent code; magnitudes above S saturate to k = 0, below ``S 2^-(K-1/2)`` give 0; int8. NaN raises."""
    r = _checked(x)
    square = np.square(r.astype(np.float64))  # exact: 48 bits
    threshold = np.square(_expand(params, r.shape).astype(np.float64))
    code = np.zeros(r.shape, np.int64)
    for k in range(params.kmax):  # one more for each threshold passed, from S 2^-(K-1/2) up
        code += square >= threshold * 2.0 ** -(2 * k + 1)
    magnitude = np.where(code == 0, 0, params.kmax + 1 - code)
    return np.where(np.signbit(r), -magnitude, magnitude).astype(np.int8)


def dequantize_binary(codes: Any, params: BinaryParams) -> F32:
    """``r = S q``."""
    q = np.asarray(codes)
    if q.dtype != np.int8 or not np.isin(q, (-1, 1)).all():
        raise ParameterError("binary codes are int8, -1 or +1")
    return np.asarray(q.astype(np.float32) * _expand(params, q.shape))


def dequantize_log2(codes: Any, params: Log2Params) -> F32:
    """``r = sign(q) S 2^-(|q| - 1)``, 0 for code 0; a result below float32's range is rounded by the product."""
    q = np.asarray(codes)
    if q.dtype != np.int8 or (q.size and np.abs(q.astype(np.int64)).max() > params.kmax):
        raise ParameterError(f"log2 codes of {params.bits} bits are int8 in [-{params.kmax}, {params.kmax}]")
    exponent = np.maximum(np.abs(q.astype(np.int64)) - 1, 0)
    exact = np.ldexp(np.sign(q) * _expand(params, q.shape).astype(np.float64), -exponent)
    with np.errstate(under="ignore"):
        return np.asarray(exact.astype(np.float32))
