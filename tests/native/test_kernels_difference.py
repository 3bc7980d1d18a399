"""Every kernel of differences computes what the NumPy definition does, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_cases import ISAS, index_of
from numpy.typing import NDArray

from halfeven import _native

Array = NDArray[Any]
LANES, PART = 16, 1 << 15
SIZES = [0, 1, 15, 16, 17, 1000, PART, PART + 3, 2 * PART + 20]


def in_lanes(terms: NDArray[np.float64]) -> float:
    """Lane r takes elements r, r + 16, ..., and the lanes are added from the first."""
    full = np.zeros(-(-terms.size // LANES) * LANES)
    full[: terms.size] = terms
    lanes = np.zeros(LANES)
    for row in full.reshape(-1, LANES):
        lanes += row
    return float(sum(lanes.tolist(), 0.0))


def expected(f: Array, other: Array) -> tuple[float, ...]:
    found = np.zeros(7)
    for k in range(0, f.size, PART):
        x, d = f[k : k + PART].astype(np.float64), other[k : k + PART].astype(np.float64)
        kept = np.isfinite(x)
        x, e = x[kept], (d - x)[kept]
        with np.errstate(all="ignore"):
            terms = x * x, e * e, x * e, np.abs(x), np.abs(e)
            sums = [x.size, *map(in_lanes, terms), np.abs(e).max(initial=0)]
        if not np.isfinite(sums[2]):
            sums[2] = sums[5] = sums[6] = np.inf
            sums[3] = 0
        found = np.array([*(found + sums)[:6], max(found[6], sums[6])])
    return tuple(found.tolist())


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bits_are_the_definitions(dtype: type, size: int, isa: str) -> None:
    rng = np.random.default_rng(size)
    f: Array = (rng.normal(size=size) * 10.0 ** rng.integers(-6, 6, size)).astype(dtype)
    other = f + rng.normal(size=size).astype(dtype)
    assert _native.difference(f, other, index_of(isa)) == expected(f, other)


def normal(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.normal(size=PART + 40).astype(np.float32)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite(bad: float, isa: str) -> None:
    rng = np.random.default_rng(3)
    f, other = normal(rng), normal(rng)
    f[[3, 500, PART + 7]] = bad
    assert _native.difference(f, other, index_of(isa)) == expected(f, other)
    f, other = normal(rng), normal(rng)
    other[9] = bad
    found = _native.difference(f, other, index_of(isa))
    assert found == expected(f, other)
    assert found[2] == np.inf


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="other"):
        _native.difference(np.ones(3, np.float32), np.ones(4, np.float32))
    with pytest.raises(TypeError, match="both hold float32 or float64"):
        _native.difference(np.ones(3, np.float32), np.ones(3))
    with pytest.raises(TypeError, match="both hold float32 or float64"):
        _native.difference(np.ones(3, np.int8), np.ones(3, np.int8))
