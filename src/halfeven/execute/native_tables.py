"""Tables of more than one input, and float32 steps, beside the compiled kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from halfeven.execute import float_steps, tables
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.tables import ChannelTable, PairTable

Array = NDArray[Any]


def pair_table(i: PairTable, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """``table[a - a_first, b - b_first]``."""
    del threads  # one pass of loads
    return tables.pair_table(i, arrays)


def channel_table(i: ChannelTable, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """``table[c, x - first]``."""
    del threads
    return tables.channel_table(i, arrays)


def float_average_pool(i: FloatAveragePool, arrays: Sequence[Array], threads: int = 0) -> tuple[Array, ...]:
    """NumPy's float32 operations, in the stated order."""
    del threads
    return float_steps.average_pool(i, arrays)
