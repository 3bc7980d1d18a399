"""Tables of more than one input in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.ir.tables import ChannelTable, PairTable

Array = NDArray[Any]


def pair_table(i: PairTable, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """``table[a - a_first, b - b_first]``."""
    rows, columns = i.table.shape
    check_broadcast(arrays[0].shape, arrays[1].shape)
    place = _place(arrays[0], i.a_first, rows) * columns + _place(arrays[1], i.b_first, columns)
    return (i.table.reshape(-1).take(place),)


def check_broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Raise ParameterError unless these shapes broadcast."""
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        raise ParameterError(f"shapes {a} and {b} do not broadcast") from None


def channel_table(i: ChannelTable, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """``table[c, x - first]``."""
    x = arrays[0]
    channels, columns = i.table.shape
    check_channels(i, x.shape)
    row = np.arange(channels, dtype=np.int32).reshape([-1 if k == i.axis else 1 for k in range(x.ndim)])
    return (i.table.reshape(-1).take(row * columns + _place(x, i.first, columns)),)


def check_channels(i: ChannelTable, shape: Sequence[int]) -> None:
    """Raise ParameterError unless ``axis`` is as long as the table has rows."""
    if not 0 <= i.axis < len(shape) or shape[i.axis] != i.table.shape[0]:
        raise ParameterError(f"{i.table.shape[0]} tables do not fit axis {i.axis} of codes of shape {tuple(shape)}")


def _place(codes: Array, first: int, count: int) -> NDArray[np.int32]:
    place = codes.astype(np.int32) - np.int32(first)
    if place.size and (int(place.min()) < 0 or int(place.max()) >= count):
        outside = int(place[(place < 0) | (place >= count)].reshape(-1)[0]) + first
        raise ParameterError(f"code {outside} has no entry in a table of the codes {first} to {first + count - 1}")
    return place
