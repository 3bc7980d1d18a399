"""Elementwise functions with more than one input as tables over all their inputs, for codes of 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PairTable:
    """``y = table[a - a_first, b - b_first]``, broadcasting: a two-input function over all pairs of codes.

    Attributes
    ----------
    function : what the entries are values of.
    table : one row a code of a, one column a code of b.
    """

    name: str
    a: str
    b: str
    y: str
    function: str
    a_first: int
    b_first: int
    table: NDArray[Any]


@dataclass(frozen=True, eq=False)
class ChannelTable:
    """``y = table[c, x - first]`` with c the place along ``axis``: a one-input function for each channel.

    Attributes
    ----------
    axis : of x, counted from the front.
    table : one row a channel, one column a code of x.
    """

    name: str
    x: str
    y: str
    function: str
    first: int
    axis: int
    table: NDArray[Any]
