"""Every statistics kernel counts as the NumPy reference does."""

from __future__ import annotations

import numpy as np
import pytest
from float_mode import MODES, float_mode, mode
from kernel_cases import F32, ISAS, index_of
from numpy.testing import assert_array_equal

from halfeven import _native
from halfeven.ranges import Histogram, MinMax
from halfeven.ranges.histogram import SIDE

RNG = np.random.default_rng(23)
TINY, HUGE = np.float32(2.0**-149), np.finfo(np.float32).max


def gathered(before: Histogram, x: F32, isa: str, threads: int = 1) -> Histogram:
    """``before.update(x)`` by the kernels of ``isa``."""
    counts = before.counts.astype(np.uint32)
    lo, hi, finite, zeros, nan, inf, exponent = _native.gather(x, counts, before.exponent, index_of(isa), threads)
    extremes = before.extremes.merge(MinMax(lo, hi, finite, nan, inf))
    return Histogram(extremes, exponent, counts.astype(np.int64), before.zeros + zeros)


def check(x: F32, isa: str, threads: int = 1, before: Histogram | None = None) -> None:
    before = Histogram() if before is None else before
    expected = before.update(x)
    found = gathered(before, x, isa, threads)
    assert found.extremes == expected.extremes
    assert not np.signbit([found.lo, found.hi])[np.float32([found.lo, found.hi]) == 0].any()
    assert (found.exponent, found.zeros) == (expected.exponent, expected.zeros)
    assert_array_equal(found.counts, expected.counts)


CASES = {
    "normal": RNG.normal(size=20_011),
    "behind a Relu": np.maximum(RNG.normal(size=20_011), 0),
    "growing": np.repeat(10.0 ** np.arange(-44, 39), 100) * RNG.uniform(-1, 1, 8300),
    "shrinking": np.repeat(10.0 ** np.arange(-44, 39), 100)[::-1] * RNG.uniform(-1, 1, 8300),
    "subnormal": RNG.integers(-2000, 2000, 9000) * 2.0**-149,
    "tiny and huge": np.concatenate([[-TINY, TINY, -0.0, 0.0, HUGE, -HUGE], RNG.normal(size=5000) * 1e-42]),
    "edges of bins": np.concatenate([np.arange(-4096, 4096), [-4096.0] * 3]),
    "just beyond a bin's edge": np.nextafter(np.arange(-4096, 4096, dtype=np.float32), np.float32(-np.inf)),
    "negative alone": -np.abs(RNG.normal(size=9000)) - 3,
    "zeros": np.concatenate([np.zeros(7000), -np.zeros(7000)]),
    "one value": np.full(9001, 0.3),
    "two values, one rare": np.concatenate([np.full(9000, 6.0), [-1e-30]]),
    "not finite": np.where(RNG.uniform(size=13_000) < 0.01, np.inf, RNG.normal(size=13_000)),
    "a masked score": np.where(np.tri(120) > 0, RNG.normal(size=(120, 120)), -np.inf).reshape(-1),
    "a NaN": np.where(np.arange(9000) == 8997, np.nan, RNG.normal(size=9000)),
    "nothing finite": np.tile([np.nan, np.inf, -np.inf], 2000),
    "infinities at the end": np.concatenate([RNG.normal(size=8192), [np.inf, -np.inf, np.nan]]),
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("case", CASES)
def test_counts_are_the_references(case: str, isa: str) -> None:
    with np.errstate(over="ignore"):
        x = CASES[case].astype(np.float32)
    check(x, isa)
    check(x[::-1].copy(), isa)
    check(x, isa, before=Histogram().update(np.float32([1e-3, -2])))
    check(x, isa, before=Histogram().update(np.float32([1e30, -0.5])))


@pytest.mark.parametrize("isa", ISAS)
def test_every_length_from_every_offset(isa: str) -> None:
    x = RNG.normal(size=300).astype(np.float32)
    x[::7] = 0
    for n in range(150):
        check(x[n % 19 :][:n], isa)
    for n in (4095, 4096, 4097, 8191, 8192, 8193):
        check(RNG.normal(size=n).astype(np.float32), isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_do_not_change_counts(threads: int, isa: str) -> None:
    x = RNG.normal(size=500_003).astype(np.float32) * np.repeat(
        np.float32([1e-30, 1, 1e3]), [200_000, 200_000, 100_003]
    )
    x[[3, 499_999]] = np.inf, np.nan
    check(x, isa, threads, Histogram().update(np.float32([-1e-5])))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", MODES)
def test_the_callers_float_mode_neither_matters_nor_is_lost(name: str, isa: str) -> None:
    x = np.concatenate([CASES["subnormal"], CASES["tiny and huge"]]).astype(np.float32)
    expected = Histogram().update(x)
    with float_mode(name):
        before = mode()
        found = gathered(Histogram(), x, isa)
        after = mode()
    assert found == expected
    assert after == before


@pytest.mark.parametrize("isa", ISAS)
def test_extremes_alone(isa: str) -> None:
    x = CASES["a masked score"].astype(np.float32)
    lo, hi, finite, zeros, nan, inf, _ = _native.gather(x, None, 0, index_of(isa))
    assert MinMax(lo, hi, finite, nan, inf) == MinMax().update(x)
    assert zeros == 0


def test_what_cannot_be_is_refused() -> None:
    x, counts = np.zeros(4, np.float32), np.zeros(2 * SIDE, np.uint32)
    with pytest.raises(TypeError, match="x must hold float32"):
        _native.gather(np.zeros(4, np.int32), counts, 0)
    with pytest.raises(ValueError, match="counts holds 7 elements, expected 8192"):
        _native.gather(x, np.zeros(7, np.uint32), 0)
    for exponent in (-162, 117):
        with pytest.raises(ValueError, match=r"exponent must lie in \[-161, 116\]"):
            _native.gather(x, counts, exponent)
    assert not counts.any()
