"""Types of codes, and two 4-bit codes in a byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from halfeven.errors import ParameterError
from halfeven.numerics.qtype import QTYPES, QType, int4, int8, pack_int4, uint4, unpack_int4


@pytest.mark.parametrize(
    ("name", "qmin", "qmax", "bits", "storage"),
    [
        ("int4", -8, 7, 4, np.int8),
        ("uint4", 0, 15, 4, np.uint8),
        ("int8", -128, 127, 8, np.int8),
        ("uint8", 0, 255, 8, np.uint8),
        ("int16", -32768, 32767, 16, np.int16),
        ("uint16", 0, 65535, 16, np.uint16),
        ("int32", -(2**31), 2**31 - 1, 32, np.int32),
    ],
)
def test_the_table_of_types(name: str, qmin: int, qmax: int, bits: int, storage: type[np.integer]) -> None:
    q = QTYPES[name]
    assert (q.name, q.qmin, q.qmax, q.bits, q.storage) == (name, qmin, qmax, bits, np.dtype(storage))
    assert (q.signed, q.levels) == (qmin < 0, 2**bits)
    assert len(QTYPES) == 7


def test_the_first_code_is_in_the_low_half() -> None:
    # -8 = 0b1000 low, 7 = 0b0111 high: 0x78.  -1 = 0b1111 low, the pad 0 high: 0x0F.
    assert_array_equal(pack_int4(np.int8([-8, 7, -1])), np.uint8([0x78, 0x0F]))
    assert_array_equal(unpack_int4(np.uint8([0x78, 0x0F]), 3), np.int8([-8, 7, -1]))
    assert_array_equal(pack_int4(np.uint8([1, 15])), np.uint8([0xF1]))


def test_arrays_pack_in_c_order() -> None:
    transposed = np.int8([[1, 3], [2, 4]]).T  # [[1, 2], [3, 4]], not contiguous
    assert_array_equal(pack_int4(transposed), np.uint8([0x21, 0x43]))
    assert pack_int4(np.zeros((0,), np.int8)).shape == (0,)


@given(st.sampled_from([int4, uint4]), st.data())
def test_unpack_undoes_pack(qtype: QType, data: st.DataObject) -> None:
    codes = np.array(data.draw(st.lists(st.integers(qtype.qmin, qtype.qmax), max_size=9))).astype(qtype.storage)
    packed = pack_int4(codes)
    assert packed.shape == ((codes.size + 1) // 2,)
    back = unpack_int4(packed, codes.size, qtype)
    assert back.dtype == qtype.storage
    assert_array_equal(back, codes)


def test_pack_and_unpack_refuse_what_does_not_fit() -> None:
    for codes in ([8, -9], [16], [-9]):
        with pytest.raises(ParameterError, match="4-bit codes"):
            pack_int4(np.array(codes))
    with pytest.raises(ParameterError, match="asked for 3 codes of 1 bytes"):
        unpack_int4(np.uint8([0]), 3)
    with pytest.raises(ParameterError, match="int4 or uint4, not int8"):
        unpack_int4(np.uint8([0]), 1, int8)
