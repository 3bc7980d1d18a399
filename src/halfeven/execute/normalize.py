"""What normalization needs to know of a row before it sees the codes: sizes and fixed-point constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from halfeven.errors import AccumulatorError, ParameterError
from halfeven.ir.normalize import Normalize

WORD = 31  # bits of D, R, T and G
TOP = 62  # W' < 2^TOP


@dataclass(frozen=True)
class Rows:
    """The operand as (outer, groups, channels of a group, inner), and the constants of its rows.

    Attributes
    ----------
    length : n, elements of a row.
    half_fraction : f; V has 2 f fractional bits in W.
    epsilon : E', n^2 eps / Sx^2 with 2 f fractional bits.
    """

    shape: tuple[int, int, int, int]
    length: int
    half_fraction: int
    epsilon: int


def rows_of(i: Normalize, shape: Sequence[int]) -> Rows:
    """How the rows of an operand of ``shape`` lie (docs/math/normalize.md).

    Raises
    ------
    ParameterError
        If the channels are not those of the gain, or do not divide into the groups.
    AccumulatorError
        If the sums of a row could leave int64.
    """
    channels = prod(shape[i.axis : i.axis + i.span])
    groups = i.groups or channels
    if channels != i.gain.size or channels % groups:
        raise ParameterError(f"{channels} channels in {groups} groups do not fit a gain of {i.gain.size}")
    inner = prod(shape[i.axis + i.span :])
    length = channels // groups * inner
    half_fraction, epsilon = constants(i, length)
    return Rows((prod(shape[: i.axis]), groups, channels // groups, inner), length, half_fraction, epsilon)


def constants(i: Normalize, length: int) -> tuple[int, int]:
    """F and E' for rows of ``length``."""
    if length * i.levels >= 1 << WORD or length > 4 ** (WORD - 1 - i.fraction):
        raise AccumulatorError(f"a normalization over {length} values of {i.levels} codes is too long for 64-bit sums")
    m0, shift = int(i.epsilon.m0), int(i.epsilon.shift)
    largest = (length * i.levels) ** 2 // 4
    for f in range(WORD - 1, -1, -1):
        epsilon = _shifted(length**2 * m0, shift - 2 * f)
        if (largest << 2 * f) + epsilon < 1 << TOP:
            return f, epsilon
    raise AccumulatorError(
        f"its epsilon is {float(i.epsilon.value):.3g} times the square of its input's scale: too much"
    )


def _shifted(value: int, right: int) -> int:
    """``rhe(value / 2^right)`` of a value that is not negative."""
    if right <= 0:
        return value << -right
    floor, half = value >> right, 1 << (right - 1)
    rest = value - (floor << right)
    return floor + (rest > half or (rest == half and floor & 1 == 1))
