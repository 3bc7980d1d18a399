"""Every requantize kernel gives the codes of the NumPy reference, whatever the method, types, layout, mode, threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from float_mode import MODES, float_mode, mode
from kernel_cases import ISAS, METHODS, QTYPES, index_of
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from halfeven import _native
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import Requantize
from halfeven.numerics.qtype import QType, int8, int16, int32
from halfeven.numerics.requantize import clamp_codes, scale_accumulator

Integers = NDArray[Any]
INT32 = np.iinfo(np.int32)
INT64 = np.iinfo(np.int64)
EVEN_UP = [Requantize.EXACT_HALF_EVEN, Requantize.EXACT_HALF_UP]


def sums(m: Multiplier, qtype: QType, seed: int = 0, count: int = 400) -> NDArray[np.int32]:
    """Sums whose results cover the codes and beyond, exact ties and their neighbours, extremes."""
    rng = np.random.default_rng(seed)
    real = float(m.value.reshape(-1)[0])
    width = min(1.2 * (qtype.qmax - qtype.qmin), 2.0**32)
    near = rng.uniform(-width, width, count) / max(real, 2.0**-40)
    ties = (np.floor(near * real) + 0.5) / max(real, 2.0**-40)
    at = np.rint(np.clip(np.concatenate([near, ties]), INT32.min + 1, INT32.max - 1)).astype(np.int64)
    edges = [INT32.min, INT32.min + 1, -2, -1, 0, 1, 2, INT32.max - 1, INT32.max]
    everywhere = rng.integers(INT32.min, INT32.max, count, endpoint=True)
    return np.concatenate([at, at - 1, at + 1, everywhere, edges]).astype(np.int32)


def requantized(
    acc: Integers,
    m: Multiplier,
    qtype: QType,
    zero_point: int,
    method: Requantize,
    isa: str,
    *,
    threads: int = 1,
    layout: tuple[int, int] | None = None,
    out: Integers | None = None,
) -> Integers:
    """Codes by the kernel of ``isa``; ``layout`` is (outer, inner)."""
    codes = np.empty(acc.shape, qtype.storage) if out is None else out
    outer, inner = layout or (1, acc.size)
    m0, shift = m.m0.reshape(-1), m.shift.reshape(-1).astype(np.int32)
    value = m.value.reshape(-1).astype(np.float32)
    how = zero_point, qtype.qmin, qtype.qmax, outer, inner, int(method), value, index_of(isa), threads
    _native.requantize(acc, codes, m0, shift, *how)
    return codes


def expected(acc: Integers, m: Multiplier, qtype: QType, zero_point: int, method: Requantize) -> Integers:
    scaled = scale_accumulator(acc.astype(np.int64), m, method)
    return clamp_codes(scaled, zero_point, qtype.qmin, qtype.qmax, qtype.storage)


# Powers of two make ties at every shift; above 1 the shift is below 31, or to the left.
REALS = [2.0**-1, 2.0**-7, 2.0**-20, 2.0**-31, 2.0**-45, 1 / 3, 0.00119, 0.999999, 1.0, 1.5, 77.7, 3e6, 5e9, 1e-15, 0.0]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("qtype", QTYPES, ids=str)
def test_codes_are_the_references(qtype: QType, method: Requantize, isa: str) -> None:
    for real in REALS:
        m = Multiplier.from_real(real)
        acc = sums(m, qtype)
        for zero_point in {qtype.qmin, min(3, qtype.qmax), qtype.qmax}:
            codes = requantized(acc, m, qtype, zero_point, method, isa)
            assert_array_equal(codes, expected(acc, m, qtype, zero_point, method), err_msg=f"{m!r} {zero_point}")


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_every_shift_and_width_of_m0(method: Requantize, isa: str) -> None:
    rng = np.random.default_rng(4)
    for shift in range(-40, 75):
        for zeros in (0, 7, 30):
            m0 = (int(rng.integers(1 << 30, 1 << 31)) >> zeros) << zeros
            m = Multiplier(np.int64(max(m0, 1 << 30)), np.int64(shift))
            acc = sums(m, int16, seed=shift + 40, count=60)
            codes = requantized(acc, m, int16, 1, method, isa)
            assert_array_equal(codes, expected(acc, m, int16, 1, method), err_msg=repr(m))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bits", [15, 24])
@pytest.mark.parametrize("method", EVEN_UP, ids=lambda m: m.name)
def test_narrow_multipliers(method: Requantize, bits: int, isa: str) -> None:
    for real in REALS:
        m = Multiplier.from_real(real, bits)
        acc = sums(m, int8)
        assert_array_equal(requantized(acc, m, int8, -5, method, isa), expected(acc, m, int8, -5, method))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_every_length_from_every_offset(method: Requantize, isa: str) -> None:
    m = Multiplier.from_real(0.01)
    acc = sums(m, int8)
    codes = expected(acc, m, int8, 2, method)
    for n in range(131):
        out = np.full(n + 16, 77, np.int8)
        part = np.s_[n % 7 : n % 7 + n]
        requantized(acc[n % 19 :][:n], m, int8, 2, method, isa, out=out[part])
        assert_array_equal(out[part], codes[n % 19 :][:n])
        assert (np.delete(out, part) == 77).all(), f"wrote beside the output at length {n}"


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("shape", [(3, 5, 70), (7, 3, 9), (301, 3, 1), (40, 16, 1), (3, 5001, 1), (1, 129, 1)])
def test_one_multiplier_a_channel(shape: tuple[int, int, int], method: Requantize, isa: str) -> None:
    rng = np.random.default_rng(5)
    m = Multiplier.from_real(2.0 ** rng.uniform(-25, 3, shape[1]))
    by_channel = Multiplier(m.m0.reshape(-1, 1), m.shift.reshape(-1, 1))
    for qtype in (int8, int32):
        acc = rng.integers(INT32.min, INT32.max, shape, np.int32, endpoint=True) >> rng.integers(0, 31, shape, np.int32)
        codes = requantized(acc, m, qtype, 1, method, isa, layout=(shape[0], shape[2]))
        assert_array_equal(codes, expected(acc, by_channel, qtype, 1, method))


@pytest.mark.parametrize("method", [*EVEN_UP, Requantize.FLOAT32], ids=lambda m: m.name)
@pytest.mark.parametrize("qtype", QTYPES, ids=str)
def test_wide_sums(qtype: QType, method: Requantize) -> None:
    rng = np.random.default_rng(6)
    edges = [INT64.min, INT64.min + 1, -(2**32), -1, 0, 1, 2**33, INT64.max]
    wide = rng.integers(INT64.min, INT64.max, 200, endpoint=True) >> rng.integers(0, 63, 200)
    for shift in (-70, -3, 0, 1, 31, 40, 63, 64, 65, 70, 90, 94, 95, 127, 128, 300):
        m = Multiplier(np.int64((1 << 30) + 12345), np.int64(shift))
        ties = np.int64(1) << np.clip(shift - 1 - rng.integers(0, 12, 20), 0, 62)
        acc = np.concatenate([edges, wide, ties, -ties]).astype(np.int64)
        codes = requantized(acc, m, qtype, 1, method, "portable")
        assert_array_equal(codes, expected(acc, m, qtype, 1, method), err_msg=repr(m))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_do_not_change_codes(threads: int, isa: str) -> None:
    m = Multiplier.from_real(0.003)
    acc = np.resize(sums(m, int8), 200_001)
    for method in METHODS:
        codes = requantized(acc, m, int8, 2, method, isa, threads=threads)
        assert_array_equal(codes, expected(acc, m, int8, 2, method))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("qtype", [int8, int16, int32], ids=str)
def test_large_outputs_that_are_streamed(qtype: QType, isa: str) -> None:
    m = Multiplier.from_real(0.003)
    period = sums(m, qtype)[:1999]
    repeats = (9 << 20) // qtype.storage.itemsize // period.size
    buffer = np.full(period.size * repeats + 8, 77, qtype.storage)
    codes = requantized(
        np.tile(period, repeats), m, qtype, 2, METHODS[0], isa, threads=2, out=buffer[3 : 3 + period.size * repeats]
    )
    assert (codes.reshape(repeats, -1) == expected(period, m, qtype, 2, METHODS[0])).all()
    assert (buffer[[0, 1, 2, -5, -4, -3, -2, -1]] == 77).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", MODES)
def test_the_callers_float_mode_neither_matters_nor_is_lost(name: str, isa: str) -> None:
    m = Multiplier.from_real(1 / 3)
    acc = np.resize(sums(m, int16), 70_000)
    for method in METHODS:
        codes = expected(acc, m, int16, 1, method)
        with float_mode(name):
            before = mode()
            got = requantized(acc, m, int16, 1, method, isa, threads=2)
            after = mode()
        assert_array_equal(got, codes)
        assert after == before
