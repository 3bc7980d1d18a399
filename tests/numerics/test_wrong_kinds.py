"""What is no number is refused in one line of our own, and not in NumPy's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import halfeven as he

WRONG: dict[str, Callable[[], Any]] = {
    "scale is None": lambda: he.AffineParams(None),
    "scale is a text": lambda: he.AffineParams("0.5"),
    "scale is bytes": lambda: he.AffineParams(b"3"),
    "scale is a dict": lambda: he.AffineParams({}),
    "scale is complex": lambda: he.AffineParams(1j),
    "scale is ragged": lambda: he.AffineParams([[1], [2, 3]], axis=0),
    "scale is a truth value": lambda: he.AffineParams(True),
    "zero_point is a text": lambda: he.AffineParams(0.1, "z"),
    "zero_point is None": lambda: he.AffineParams(0.1, None),
    "zero_point is a fraction": lambda: he.AffineParams(0.1, 0.5),
    "zero_point is NaN": lambda: he.AffineParams(0.1, float("nan")),
    "zero_point is beyond int64": lambda: he.AffineParams(0.1, 2**70),
    "zero_point is a truth value": lambda: he.AffineParams(0.1, True),
    "axis is a text": lambda: he.AffineParams([0.1], axis="x"),
    "axis is a fraction": lambda: he.AffineParams([0.1], axis=0.5),
    "block_size is a text": lambda: he.AffineParams([0.1], axis=0, block_size="z"),
    "m0 is a text": lambda: he.Multiplier("a", 1),
    "m0 is None": lambda: he.Multiplier(None, 1),
    "m0 is beyond int64": lambda: he.Multiplier(2**80, 1),
    "m0 is a fraction": lambda: he.Multiplier(2**30 + 0.5, 1),
    "bits is a text": lambda: he.Multiplier(2**30, 1, "x"),
    "m0 and shift of two lengths": lambda: he.Multiplier([2**30] * 3, [1, 2]),
    "real multiplier is a text": lambda: he.Multiplier.from_real("x"),
    "real multiplier is None": lambda: he.Multiplier.from_real(None),
    "real multiplier's bits are a fraction": lambda: he.Multiplier.from_real(0.1, bits=3.5),
    "lo is a text": lambda: he.choose_params("a", 1),
    "lo is None": lambda: he.choose_params(None, 1),
    "lo and hi of two lengths": lambda: he.choose_params([-1, -2], [1, 2, 3], axis=0),
    "multiplier is a number": lambda: he.requantize(np.array([1]), 3, he.AffineParams(0.1)),
    "params is a number": lambda: he.requantize(np.array([1]), he.Multiplier.from_real(0.1), 3),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG.keys())
def test_is_one_line_of_our_own(call: Callable[[], Any]) -> None:
    with pytest.raises(he.errors.ParameterError) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_numbers_of_every_kind_are_taken() -> None:
    expected = he.AffineParams(0.5, 3)
    for scale in (0.5, np.float16(0.5), np.float64(0.5), np.array(0.5)):
        for zero_point in (3, 3.0, np.int8(3), np.array(3, np.uint16)):
            assert he.AffineParams(scale, zero_point) == expected
    assert he.Multiplier(2.0**30, np.int8(1)) == he.Multiplier(2**30, 1)


@pytest.mark.parametrize(("qtype", "codes"), [(he.int4, [-9]), (he.int4, [3, 8]), (he.uint4, [16])])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_codes_beyond_four_bits_are_noticed(qtype: he.QType, codes: list[int], library: str) -> None:
    q = np.array(codes, qtype.storage)
    if library == "torch":
        q = pytest.importorskip("torch", reason="needs PyTorch").tensor(q)
    with pytest.raises(he.errors.ParameterError, match=rf"lie in \[{qtype.qmin}, {qtype.qmax}\]"):
        he.dequantize(q, he.AffineParams(0.1, 0, qtype))


def test_codes_at_the_ends_of_four_bits_are_taken() -> None:
    ends = np.array([-8, 7], np.int8)
    np.testing.assert_array_equal(he.dequantize(ends, he.AffineParams(0.5, 0, he.int4)), np.float32([-4, 3.5]))
