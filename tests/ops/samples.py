"""Inputs that find differences: real values around every tie, sums around every half, all parameters' shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import profiles
from halfeven.numerics.qtype import QTYPES, QType

F32 = NDArray[np.float32]
SHAPE = (3, 4, 6)
PROFILES = tuple(profiles)
INTEGER_PROFILES = tuple(name for name, p in profiles.items() if p.requantize is not None)
SHIFTS = (-130, -70, -31, -3, 0, 1, 2, 20, 31, 32, 33, 40, 61, 62, 63, 64, 90, 93, 94, 95, 130, 5000)


def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


def zero_points(qtype: QType) -> tuple[int, ...]:
    wanted = (0, 3, -3, qtype.qmin, qtype.qmax, 2**24 + 1, -(2**30) - 1)
    return tuple(z for z in wanted if qtype.qmin <= z <= qtype.qmax)


def scales(qtype: QType) -> tuple[float, ...]:
    return (1.0, 0.37, 2.0**-7, 2.0**-126, 2.0**-125.5, 1e-3 / qtype.levels, 3e38, 2.0**127)


def reals(scale: float, zero_point: int, qtype: QType) -> F32:
    """Special values, random bits, uniform values over the range, and the neighbours of ties; no NaN."""
    draw = rng()
    special = [0.0, -0.0, np.inf, -np.inf, 0.49999997, -0.49999997, 1e20, -1e20, 3.4028235e38, 1e-45, -1e-45, 1.1e-38]
    bits = draw.integers(0, 2**32, 2000, dtype=np.uint32).view(np.float32)
    span = min(qtype.levels, 2**20)
    codes = draw.integers(-span, span, 600) / 2
    with np.errstate(over="ignore", under="ignore"):
        near = np.float32(scale) * np.concatenate([codes, codes - zero_point, np.arange(-40, 40) / 2]).astype(
            np.float32
        )
        uniform = (draw.uniform(-0.7, 0.7, 1000) * qtype.levels * scale).astype(np.float32)
        up, down = np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))
    x = np.concatenate([np.asarray(special, np.float32), bits, uniform, near, up, down])
    return x[~np.isnan(x)]


def codes(qtype: QType, shape: tuple[int, ...]) -> NDArray[Any]:
    """Random codes, the ends among them."""
    q = rng().integers(qtype.qmin, qtype.qmax, shape, endpoint=True)
    if q.size > 1:
        q.reshape(-1)[:2] = qtype.qmin, qtype.qmax
    return q.astype(qtype.storage)


def shaped_params(qtype: QType) -> tuple[AffineParams, ...]:
    """One of each kind that fits SHAPE."""
    draw = rng()
    z = draw.integers(max(qtype.qmin, -5), min(qtype.qmax, 5), (3, 4, 6), endpoint=True)
    s = draw.uniform(0.05, 2, (3, 4, 6))
    return (
        AffineParams(0.37, 3, qtype),
        AffineParams(s[:, 0, 0], z[:, 0, 0], qtype, axis=0),
        AffineParams(s[0, :, 0], z[0, :, 0], qtype, axis=1),
        AffineParams(s[0, 0], z[0, 0], qtype, axis=-1),
        AffineParams(s[:, :, :2], z[:, :, :2], qtype, axis=-1, block_size=3),
        AffineParams(s[:, :2], z[:, :2], qtype, axis=1, block_size=2),
        AffineParams(s[:, :, :2], z[:, :, :2], qtype, axis=2, block_size=4),
    )


def layouts(x: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The same values of a rank-3 array, laid out otherwise; ``broadcast`` repeats the first column."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    return {
        "C": x,
        "Fortran": np.asfortranarray(x),
        "channels last": np.ascontiguousarray(np.moveaxis(x, 1, -1)).transpose(0, 2, 1),
        "every second": wide[..., ::2],
        "negative strides": np.ascontiguousarray(x[::-1, :, ::-1])[::-1, :, ::-1],
        "broadcast": np.broadcast_to(x[..., :1], x.shape),
        "big endian": x.astype(x.dtype.newbyteorder(">")),
        "read only": frozen(x),
    }


def frozen(x: NDArray[Any]) -> NDArray[Any]:
    x = x.copy()
    x.setflags(write=False)
    return x


def sums(wide: bool) -> NDArray[Any]:
    """Accumulators (4, n): the ends, powers of two and their neighbours, random of every magnitude; int32 or int64."""
    top = 63 if wide else 31
    powers = np.array([1 << k for k in range(top)], dtype=np.int64)
    draw = rng().integers(-(2**63), 2**63 - 1, 600) >> rng().integers(63 - top, 63, 600)
    ends = np.array([0, 1, -1, (1 << top) - 1, -(1 << top)], np.int64)
    values = np.concatenate([ends, powers, -powers, powers - 1, 3 * (powers >> 1), draw])
    return np.tile(values.astype(np.int64 if wide else np.int32), (4, 1))


def multiplier(bits: int, shift: int) -> Multiplier:
    """Four of them: the ends of M0, an odd one and a tie-maker."""
    low, high = 1 << (bits - 1), (1 << bits) - 1
    return Multiplier(np.array([low, high, (low + high) // 2 | 1, low | low >> 1]), np.full(4, shift), bits)


def bits_equal(a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    """Equal to the last bit: 0.0 is not -0.0."""
    assert a.dtype == b.dtype == np.float32
    assert a.shape == b.shape
    np.testing.assert_array_equal(np.asarray(a, order="C").view(np.int32), np.asarray(b, order="C").view(np.int32))


ALL_QTYPES = tuple(QTYPES.values())
