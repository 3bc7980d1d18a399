"""Every dequantize kernel gives the float32 bits of the NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest
from float_mode import MODES, float_mode, mode
from kernel_cases import ISAS, QTYPES, Codes, bits, dequantized, expected_reals, per_channel, zero_points
from numpy.testing import assert_array_equal

from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import QType, int8, int32

SCALES = [1 / 3, 0.00119, 1.0, 1.1754944e-38, 3e38]


def some_codes(qtype: QType, count: int, seed: int = 0) -> Codes:
    """Random codes and the extreme ones."""
    random = np.random.default_rng(seed).integers(qtype.qmin, qtype.qmax, count, endpoint=True)
    edges = np.array([qtype.qmin, qtype.qmin + 1, 0, 1, qtype.qmax - 1, qtype.qmax])
    return np.concatenate([edges, random])[:count].astype(qtype.storage)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("qtype", QTYPES, ids=str)
def test_values_are_the_references(qtype: QType, isa: str) -> None:
    q = some_codes(qtype, 3000)
    for scale in SCALES:
        for zero_point in zero_points(qtype):
            p = AffineParams(scale, zero_point, qtype)
            assert_array_equal(bits(dequantized(q, p, isa)), bits(expected_reals(q, p)), err_msg=repr(p))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("qtype", QTYPES, ids=str)
def test_every_length_from_every_offset(qtype: QType, isa: str) -> None:
    p = AffineParams(0.3, 2, qtype)
    q = some_codes(qtype, 200)
    expected = expected_reals(q, p)
    for n in range(131):
        out = np.full(n + 16, 77, np.float32)
        part = np.s_[n % 7 : n % 7 + n]
        dequantized(q[n % 19 :][:n], p, isa, out=out[part])
        assert_array_equal(out[part], expected[n % 19 :][:n])
        assert (np.delete(out, part) == 77).all(), f"wrote beside the output at length {n}"


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("qtype", QTYPES, ids=str)
@pytest.mark.parametrize(
    ("shape", "axis"), [((3, 5, 70), 1), ((7, 3, 9), 1), ((301, 3), 1), ((40, 16), 1), ((3, 5001), 1), ((129,), 0)]
)
def test_one_scale_a_channel(shape: tuple[int, ...], axis: int, qtype: QType, isa: str) -> None:
    p = per_channel(shape[axis], qtype, axis)
    q = some_codes(qtype, int(np.prod(shape))).reshape(shape)
    assert_array_equal(bits(dequantized(q, p, isa)), bits(expected_reals(q, p)))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_do_not_change_values(threads: int, isa: str) -> None:
    p = AffineParams(0.3, 2, int32)
    q = some_codes(int32, 200_001)
    assert_array_equal(dequantized(q, p, isa, threads), expected_reals(q, p))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("qtype", [int8, int32], ids=str)
def test_large_outputs_that_are_streamed(qtype: QType, isa: str) -> None:
    p = AffineParams(0.3, 2, qtype)
    q = some_codes(qtype, 2_300_001)
    buffer = np.full(q.size + 8, 77, np.float32)
    values = dequantized(q, p, isa, threads=2, out=buffer[3 : 3 + q.size])
    assert_array_equal(values, expected_reals(q, p))
    assert (buffer[[0, 1, 2, -5, -4, -3, -2, -1]] == 77).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", MODES)
def test_the_callers_float_mode_neither_matters_nor_is_lost(name: str, isa: str) -> None:
    for qtype, scale in ((int8, 1.1754944e-38), (int32, 1 / 3)):
        p = AffineParams(scale, 1, qtype)
        q = some_codes(qtype, 70_000)
        expected = expected_reals(q, p)
        with float_mode(name):
            before = mode()
            values = dequantized(q, p, isa, threads=2)
            after = mode()
        assert_array_equal(bits(values), bits(expected))
        assert after == before
