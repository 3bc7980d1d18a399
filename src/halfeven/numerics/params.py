"""Parameters of an affine quantized tensor, checked once. Source: docs/math/affine.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halfeven.errors import ParameterError
from halfeven.numerics.host import integer_array, real_array, whole
from halfeven.numerics.qtype import QType, get_qtype, int8

SMALLEST_NORMAL = np.finfo(np.float32).smallest_normal


def _frozen(a: NDArray[Any]) -> NDArray[Any]:
    a = a.copy()
    a.setflags(write=False)
    return a


def _as_scale(scale: ArrayLike) -> NDArray[np.float32]:
    given = real_array(scale, "scale")
    with np.errstate(over="ignore"):
        s = given.astype(np.float32)
    bad = ~(np.isfinite(s) & (s >= SMALLEST_NORMAL))
    if bad.any():
        raise ParameterError(
            f"scale must be a finite, positive, normal float32 (>= {SMALLEST_NORMAL:.3g}), not {given[bad][0]:.9g}"
        )
    return s


def _as_zero_point(zero_point: ArrayLike, qtype: QType) -> NDArray[np.int32]:
    z = integer_array(zero_point, "zero_point")
    outside = (z < qtype.qmin) | (z > qtype.qmax)
    if outside.any():
        raise ParameterError(
            f"zero_point {z[outside].reshape(-1)[0]} is outside {qtype}'s codes [{qtype.qmin}, {qtype.qmax}]"
        )
    return z.astype(np.int32)


@dataclass(frozen=True, eq=False)
class AffineParams:
    """``r = S (q - Z)`` of one tensor (docs/math/affine.md eq. 1).

    Parameters
    ----------
    scale : S, float32, finite, > 0 and normal: a number, one a channel (shape (C,), with ``axis``), or one a
        block of ``block_size`` along ``axis`` (an array of the tensor's rank).
    zero_point : Z, integer inside ``qtype``: a number or an array of the shape of ``scale``.
    qtype : the codes.
    axis : None for one scale a tensor, else the channel axis; negative counts from the end.
    block_size : elements along ``axis`` that share a scale (ONNX QuantizeLinear-21 ``block_size``), or None.

    Raises
    ------
    ParameterError
        If any of that does not hold.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int32]
    qtype: QType
    axis: int | None
    block_size: int | None

    def __init__(
        self,
        scale: ArrayLike,
        zero_point: ArrayLike = 0,
        qtype: QType | str = int8,
        axis: int | None = None,
        block_size: int | None = None,
    ) -> None:
        qtype = get_qtype(qtype)
        s, z = _as_scale(scale), _as_zero_point(zero_point, qtype)
        axis = None if axis is None else whole(axis, "axis")
        block_size = None if block_size is None else whole(block_size, "block_size")
        _check_shapes(s, z, axis, block_size)
        object.__setattr__(self, "scale", _frozen(s))
        object.__setattr__(self, "zero_point", _frozen(np.broadcast_to(z, s.shape)))
        object.__setattr__(self, "qtype", qtype)
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "block_size", block_size)

    @property
    def per_channel(self) -> bool:
        """Whether there is one scale a channel (or block)."""
        return self.axis is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AffineParams):
            return NotImplemented
        return (
            (self.qtype, self.axis, self.block_size) == (other.qtype, other.axis, other.block_size)
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )

    def __hash__(self) -> int:
        return hash((self.scale.tobytes(), self.zero_point.tobytes(), self.qtype, self.axis, self.block_size))

    def __repr__(self) -> str:
        if self.axis is None:
            return f"AffineParams(scale={float(self.scale):.9g}, zero_point={int(self.zero_point)}, qtype={self.qtype})"
        blocks = "" if self.block_size is None else f", block_size={self.block_size}"
        if not self.scale.size:
            return f"AffineParams(scale={self.scale.shape}, qtype={self.qtype}, axis={self.axis}{blocks})"
        lo, hi = float(self.scale.min()), float(self.scale.max())
        zeros = "0" if not self.zero_point.any() else f"[{self.zero_point.min()} .. {self.zero_point.max()}]"
        return (
            f"AffineParams(scale={self.scale.shape} in [{lo:.9g} .. {hi:.9g}], zero_point={zeros}, "
            f"qtype={self.qtype}, axis={self.axis}{blocks})"
        )

    def normalized_axis(self, shape: tuple[int, ...]) -> int:
        """``axis`` counted from the front for a tensor of ``shape``, after checking that the scales fit it."""
        if self.axis is None:
            raise ParameterError("parameters of a whole tensor have no axis")
        rank = len(shape)
        if not -rank <= self.axis < rank:
            raise ParameterError(f"axis {self.axis} does not exist in a tensor of shape {shape}")
        axis = self.axis % rank
        if self.block_size is None:
            expected: tuple[int, ...] = (shape[axis],)
        else:
            expected = (*shape[:axis], -(-shape[axis] // self.block_size), *shape[axis + 1 :])
        if self.scale.shape != expected:
            raise ParameterError(
                f"axis {self.axis} of shape {shape} needs scales of shape {expected}, not {self.scale.shape}"
            )
        return axis

    def expanded(self, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Scale and zero point shaped so that they broadcast against a tensor of ``shape``."""
        if self.axis is None:
            return self.scale, self.zero_point
        axis = self.normalized_axis(shape)
        if self.block_size is not None:
            return self._repeat_blocks(self.scale, axis, shape), self._repeat_blocks(self.zero_point, axis, shape)
        one_a_channel = [1] * len(shape)
        one_a_channel[axis] = -1
        return self.scale.reshape(one_a_channel), self.zero_point.reshape(one_a_channel)

    def _repeat_blocks(self, a: NDArray[Any], axis: int, shape: tuple[int, ...]) -> NDArray[Any]:
        repeated = np.repeat(a, self.block_size or 1, axis=axis)
        return repeated.take(np.arange(shape[axis]), axis=axis)


def _check_shapes(s: NDArray[Any], z: NDArray[Any], axis: int | None, block_size: int | None) -> None:
    if axis is None and block_size is not None:
        raise ParameterError("block_size needs an axis")
    if axis is None and s.ndim:
        raise ParameterError(f"scales of shape {s.shape} need an axis: pass axis=, or one number")
    if axis is not None and block_size is None and s.ndim != 1:
        raise ParameterError(f"axis={axis} needs one scale a channel, shape (C,), not shape {s.shape}")
    if block_size is not None and (block_size < 1 or s.ndim < 1):
        raise ParameterError(f"block_size={block_size} must be >= 1, with scales of the tensor's rank (not {s.shape})")
    if z.ndim and z.shape != s.shape:
        raise ParameterError(f"zero_point has shape {z.shape} where scale has {s.shape}")


def choose_params(
    lo: ArrayLike,
    hi: ArrayLike,
    qtype: QType | str = int8,
    *,
    symmetric: bool = True,
    narrow: bool = False,
    axis: int | None = None,
) -> AffineParams:
    """Scale and zero point for the real range ``[lo, hi]`` (docs/math/affine.md eq. 3, 4).

    ``S = (hi - lo) / (qmax - qmin)``, ``Z = clamp(rhe(qmax - hi / S))``; symmetric: ``S = max(|lo|, |hi|) / -qmin``,
    ``Z = 0``. Computed in float64, S rounded once to float32. The range is widened to contain 0; an empty one gives
    S = 1; a scale below the smallest normal float32 becomes that number.

    Parameters
    ----------
    lo, hi : real bounds: numbers, or arrays (C,) with ``axis``.
    symmetric : Z = 0; needs a signed qtype.
    narrow : leave out the lowest code ([-127, 127] for int8), so that the symmetric divisor is qmax.
        It shapes the scale alone: a value below ``lo`` still saturates at qmin, as in ONNX.
    axis : the channel axis, for arrays.

    Raises
    ------
    ParameterError
        If a bound is not finite, ``lo > hi``, or symmetric is asked of an unsigned qtype.
    """
    qtype = get_qtype(qtype)
    low, high = real_array(lo, "lo"), real_array(hi, "hi")
    if low.shape != high.shape and low.ndim and high.ndim:
        raise ParameterError(f"lo has shape {low.shape} where hi has {high.shape}: one of each a channel was expected")
    low, high = np.broadcast_arrays(low, high)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ParameterError(f"a range must be finite, and [{lo!r}, {hi!r}] is not")
    if (low > high).any():
        raise ParameterError(f"lo must not exceed hi: [{lo!r}, {hi!r}]")
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    qmin = qtype.qmin + 1 if narrow else qtype.qmin
    if symmetric:
        scale = _scale_of(np.maximum(-low, high), _symmetric_divisor(qtype, qmin))
        return AffineParams(scale, 0, qtype, axis)
    scale = _scale_of(high - low, qtype.qmax - qmin)
    zero = np.clip(np.rint(qtype.qmax - high / scale.astype(np.float64)), qmin, qtype.qmax)
    return AffineParams(scale, zero.astype(np.int64), qtype, axis)


def _symmetric_divisor(qtype: QType, qmin: int) -> int:
    if not qtype.signed:
        raise ParameterError(f"symmetric needs a signed qtype, and {qtype} is not: pass symmetric=False")
    return -qmin


def _scale_of(width: NDArray[np.float64], codes: int) -> NDArray[np.float32]:
    scale = np.where(width == 0, 1.0, np.maximum(width / codes, float(SMALLEST_NORMAL)))
    return np.minimum(scale, float(np.finfo(np.float32).max)).astype(np.float32)
