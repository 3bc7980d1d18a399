"""The integer types of codes: numerics of docs/math/affine.md, table 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError

IntArray = NDArray[Any]


@dataclass(frozen=True)
class QType:
    """A range of codes ``[qmin, qmax]`` and the NumPy type that stores one code in memory.

    4-bit codes are stored one to a byte in memory and two to a byte in files (:func:`pack_int4`).
    """

    name: str
    qmin: int
    qmax: int
    storage: np.dtype[Any]

    @property
    def bits(self) -> int:
        """Width of a code in bits."""
        return (self.qmax - self.qmin).bit_length()

    @property
    def signed(self) -> bool:
        """Whether negative codes exist."""
        return self.qmin < 0

    @property
    def levels(self) -> int:
        """Number of codes."""
        return self.qmax - self.qmin + 1

    def __repr__(self) -> str:
        return self.name


int4 = QType("int4", -8, 7, np.dtype(np.int8))
uint4 = QType("uint4", 0, 15, np.dtype(np.uint8))
int8 = QType("int8", -128, 127, np.dtype(np.int8))
uint8 = QType("uint8", 0, 255, np.dtype(np.uint8))
int16 = QType("int16", -(2**15), 2**15 - 1, np.dtype(np.int16))
uint16 = QType("uint16", 0, 2**16 - 1, np.dtype(np.uint16))
int32 = QType("int32", -(2**31), 2**31 - 1, np.dtype(np.int32))

QTYPES: dict[str, QType] = {q.name: q for q in (int4, uint4, int8, uint8, int16, uint16, int32)}


def get_qtype(name: str | QType) -> QType:
    """The QType of that name; a QType is returned as it is."""
    if isinstance(name, QType):
        return name
    try:
        return QTYPES[name]
    except KeyError:
        raise ParameterError(f"no qtype is named {name!r}: one of {', '.join(QTYPES)} was expected") from None


def pack_int4(codes: IntArray) -> NDArray[np.uint8]:
    """Pack 4-bit codes two to a byte, the first in the low half (ONNX order); an odd tail is padded with 0.

    Parameters
    ----------
    codes : any shape, integer, every value in [-8, 15]; read in C order.

    Returns
    -------
    uint8 array of shape (ceil(n / 2),).
    """
    flat = np.ascontiguousarray(codes).reshape(-1)
    if flat.size and (flat.min() < int4.qmin or flat.max() > uint4.qmax):
        raise ParameterError("pack_int4 expects 4-bit codes, in [-8, 7] or [0, 15]")
    nibbles = (flat.astype(np.int16) & 0xF).astype(np.uint8)
    if nibbles.size % 2:
        nibbles = np.append(nibbles, np.uint8(0))
    return nibbles[0::2] | (nibbles[1::2] << np.uint8(4))


def unpack_int4(packed: NDArray[np.uint8], count: int, qtype: QType = int4) -> IntArray:
    """Undo :func:`pack_int4`: ``count`` codes of ``qtype`` (int4 or uint4), shape (count,)."""
    if qtype not in (int4, uint4):
        raise ParameterError(f"unpack_int4 expects int4 or uint4, not {qtype}")
    packed = np.ascontiguousarray(packed, dtype=np.uint8).reshape(-1)
    if not 0 <= count <= 2 * packed.size:
        raise ParameterError(f"unpack_int4 was asked for {count} codes of {packed.size} bytes")
    nibbles = np.stack([packed & np.uint8(0xF), packed >> np.uint8(4)], axis=1).reshape(-1)[:count]
    codes = nibbles.astype(np.int8)
    if qtype is int4:
        return np.where(codes > int4.qmax, codes - np.int8(16), codes).astype(np.int8)
    return codes.astype(np.uint8)
