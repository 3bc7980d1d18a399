"""Tables of more than one input in torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from halfeven.errors import ParameterError
from halfeven.execute.tables import check_channels
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.ops.torch_params import placed


def pair_table(i: PairTable, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``table[a - a_first, b - b_first]``."""
    rows, columns = i.table.shape
    place = _place(arrays[0], i.a_first, rows) * columns + _place(arrays[1], i.b_first, columns)
    return (_entries(i.table, place),)


def channel_table(i: ChannelTable, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``table[c, x - first]``."""
    x = arrays[0]
    channels, columns = i.table.shape
    check_channels(i, x.shape)
    row = torch.arange(channels, device=x.device).reshape([-1 if k == i.axis else 1 for k in range(x.ndim)])
    return (_entries(i.table, row * columns + _place(x, i.first, columns)),)


def _entries(table: np.ndarray, place: Tensor) -> Tensor:
    flat = placed(table.astype(np.int64), place.device).reshape(-1)
    return flat[place].to(getattr(torch, table.dtype.name))


def _place(codes: Tensor, first: int, count: int) -> Tensor:
    place = codes.to(torch.int64) - first
    if place.numel() and bool(((place < 0) | (place >= count)).any()):
        raise ParameterError(f"a code has no entry in a table of the codes {first} to {first + count - 1}")
    return place
