"""The reference as a step function: where along all 2^32 inputs the code changes, and to what.

Each operation of quantize and requantize rounds a monotone function to nearest, so the code is monotone in the real
value, and in the sum. Between two inputs with one code lies no other code, and bisection with the reference finds every
step. The path ``numpy reference`` compares the whole table with the reference itself, on every input.

Inputs are numbered 0 to 2^32 - 1: floats by their bit pattern, sums by ``acc + 2^31``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from case_set import Case, QuantizeCase, RequantizeCase
from numpy.typing import NDArray

from halfeven.numerics.affine import quantize_unchecked
from halfeven.numerics.requantize import requantize

ALL = 1 << 32
INFINITY, SIGN = 0x7F800000, 0x80000000
NAN_RANGES = ((INFINITY + 1, SIGN), (SIGN + INFINITY + 1, ALL))

Index = NDArray[np.int64]


def floats(index: Index) -> NDArray[np.float32]:
    """The float32 of each number."""
    return index.astype(np.uint32).view(np.float32)


def sums(index: Index) -> NDArray[np.int32]:
    """The int32 sum of each number."""
    return (index - (1 << 31)).astype(np.int32)


def reference(case: Case, index: Index) -> NDArray[Any]:
    """Codes by the NumPy reference."""
    if isinstance(case, QuantizeCase):
        return quantize_unchecked(floats(index), case.params, case.profile)
    return requantize(sums(index), case.multiplier, case.params, case.profile)


@dataclass(frozen=True)
class StepTable:
    """``codes[k]`` holds from ``starts[k]`` up to the next start; the first start is 0."""

    starts: Index
    codes: NDArray[Any]

    def expand(self, start: int, stop: int) -> NDArray[Any]:
        """The codes of the numbers from ``start`` to ``stop - 1``."""
        first = int(np.searchsorted(self.starts, start, "right")) - 1
        last = int(np.searchsorted(self.starts, stop, "left"))
        edges = np.concatenate([[start], self.starts[first + 1 : last], [stop]])
        return np.repeat(self.codes[first:last], np.diff(edges))

    def at(self, index: Index) -> NDArray[Any]:
        """The codes of those numbers."""
        return self.codes[np.searchsorted(self.starts, index, "right") - 1]


def _first_at_least(case: Case, levels: Index, low: int, high: int, sign: int) -> Index:
    """The smallest number in ``(low, high]`` whose ``sign * code`` reaches ``sign * level``, for each level."""
    below, reached = np.full(levels.shape, low), np.full(levels.shape, high)
    while (reached - below > 1).any():
        middle = (below + reached) // 2
        yes = sign * reference(case, middle).astype(np.int64) >= sign * levels
        reached = np.where(yes, middle, reached)
        below = np.where(yes, below, middle)
    return reached


def _steps(case: Case, low: int, high: int) -> tuple[Index, Index]:
    """Steps of one monotone stretch ``[low, high]``: numbers where a code begins, and the codes."""
    ends = reference(case, np.array([low, high])).astype(np.int64)
    sign = 1 if ends[1] >= ends[0] else -1
    levels = np.arange(ends[0] + sign, ends[1] + sign, sign, dtype=np.int64)
    starts = _first_at_least(case, levels, low, high, sign)
    # Several levels may begin at one number (a code is skipped); the last of them is its code.
    last = np.append(np.diff(starts) > 0, True) if len(starts) else np.zeros(0, bool)
    return np.concatenate([[low], starts[last]]), np.concatenate([ends[:1], levels[last]])


def step_table(case: Case) -> StepTable:
    """The whole line of inputs; NaN has the code Z."""
    if isinstance(case, QuantizeCase):
        positive, negative = _steps(case, 0, INFINITY), _steps(case, SIGN, SIGN + INFINITY)
        zero = [int(case.params.zero_point)]
        starts = [positive[0], [NAN_RANGES[0][0]], negative[0], [NAN_RANGES[1][0]]]
        codes = [positive[1], zero, negative[1], zero]
    else:
        whole = _steps(case, 0, ALL - 1)
        starts, codes = [whole[0]], [whole[1]]
    joined = np.concatenate(codes).astype(case.params.qtype.storage)
    return StepTable(np.concatenate(starts).astype(np.int64), joined)


def nan_count(start: int, stop: int) -> int:
    """How many of the patterns from ``start`` to ``stop - 1`` are NaN."""
    return sum(max(0, min(stop, high) - max(start, low)) for low, high in NAN_RANGES)


def _around(centres: Index, reach: int) -> Index:
    spread = centres[:, None] + np.arange(-reach, reach + 1)
    return spread[(spread >= 0) & (spread < ALL)]


def sample(case: Case, rng: np.random.Generator, table: StepTable | None) -> Index:
    """Numbers where things go wrong first: around every step, every exponent, NaN and zero, ties, and random blocks."""
    blocks = rng.integers(0, ALL - 4096, 32)[:, None] + np.arange(4096)
    parts = [blocks.reshape(-1), rng.integers(0, ALL, 50_000)]
    if table is not None:
        parts.append(_around(table.starts, 3))
    if isinstance(case, QuantizeCase):
        exponents = np.arange(512, dtype=np.int64) << 23
        parts += [_around(exponents, 64), _around(_patterns_of_ties(case, rng), 2)]
    else:
        ends = np.array([0, 1 << 31, ALL - 1, (1 << 31) + (1 << 24), (1 << 31) - (1 << 24)])
        parts += [_around(ends, 300), _around(_sums_of_ties(case, rng), 2)]
    return np.concatenate(parts)


def _patterns_of_ties(case: QuantizeCase, rng: np.random.Generator) -> Index:
    t = case.params.qtype
    span = t.qmax - t.qmin
    halves = np.concatenate([np.arange(-600, 600), rng.integers(-2 * span, 2 * span, 5000)]) / 2
    with np.errstate(over="ignore", under="ignore"):
        x = (halves * float(case.params.scale)).astype(np.float32)
    return x.view(np.uint32).astype(np.int64)


def _sums_of_ties(case: RequantizeCase, rng: np.random.Generator) -> Index:
    t = case.params.qtype
    halves = rng.integers(t.qmin - 2, t.qmax + 2, 5000) + 0.5
    acc = np.rint(np.clip(halves / float(case.multiplier.value), -(2.0**31), 2.0**31 - 1))
    return acc.astype(np.int64) + (1 << 31)
