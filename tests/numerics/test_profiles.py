"""The profiles: what each is made of, and in how many values they part (docs/math/profiles.md quotes these numbers)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from halfeven.numerics.affine import quantize
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, Requantize, Scaling, ZeroPoint, profiles
from halfeven.numerics.qtype import QType, int8, int16
from halfeven.numerics.rounding import Rounding

DIVIDE, RECIPROCAL = Scaling
INSIDE, OUTSIDE = ZeroPoint
EVEN, UP, AWAY = Rounding


@pytest.mark.parametrize(
    ("name", "scaling", "zero_point", "rounding", "requantize", "bits", "half_away", "float32"),
    [
        ("journey6", DIVIDE, INSIDE, EVEN, Requantize.EXACT_HALF_EVEN, 31, False, False),
        ("journey6-legacy", DIVIDE, INSIDE, UP, Requantize.EXACT_HALF_UP, 31, False, False),
        ("onnxruntime", DIVIDE, OUTSIDE, EVEN, Requantize.FLOAT32, 24, False, True),
        ("pytorch", RECIPROCAL, OUTSIDE, EVEN, None, 31, False, False),
        ("tflite", DIVIDE, OUTSIDE, AWAY, Requantize.EXACT_HALF_UP, 31, True, False),
        ("tflite-double", DIVIDE, OUTSIDE, AWAY, Requantize.DOUBLE_ROUNDING, 31, True, False),
        ("xnnpack", RECIPROCAL, OUTSIDE, EVEN, Requantize.FLOAT32, 24, False, True),
    ],
)
def test_the_table_of_profiles(
    name: str,
    scaling: Scaling,
    zero_point: ZeroPoint,
    rounding: Rounding,
    requantize: Requantize | None,
    bits: int,
    half_away: bool,
    float32: bool,
) -> None:
    p = profiles[name]
    assert (p.name, p.scaling, p.zero_point, p.rounding) == (name, scaling, zero_point, rounding)
    assert (p.requantize, p.multiplier_bits) == (requantize, bits)
    assert (p.multiplier_half_away, p.multiplier_float32) == (half_away, float32)
    assert len(profiles) == 7


def test_the_numbers_of_the_choices_are_the_ones_that_kernels_and_files_use() -> None:
    assert [*map(int, Scaling)] == [0, 1]
    assert [*map(int, ZeroPoint)] == [0, 1]
    assert [*map(int, Rounding)] == [0, 1, 2]
    assert [*map(int, Requantize)] == [0, 1, 2, 3]


def test_profiles_print_as_a_table() -> None:
    lines = str(profiles).splitlines()
    assert lines[0].split() == ["profile", "r", "/", "S", "Z", "ties", "requantize"]
    assert [line.split()[0] for line in lines[1:]] == list(profiles)
    assert str(profiles["pytorch"]) == "pytorch | r * f32(1/S) | outside | half to even | -"


def test_a_profile_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        profiles["journey6"].scaling = RECIPROCAL  # type: ignore[misc]


def half_steps(scale: np.float32) -> NDArray[np.float32]:
    return (np.arange(-256, 256) / 2).astype(np.float32) * scale


def differing(a: str | Profile, b: str | Profile, r: NDArray[np.float32], p: AffineParams) -> int:
    return int((quantize(r, p, a) != quantize(r, p, b)).sum())


@pytest.mark.parametrize(
    ("one", "other", "counts"),
    [
        # Of 512 half steps under S = 1, int16: Z = 0, 1 and 2.
        ("journey6", "journey6-legacy", (128, 128, 128)),
        ("journey6", "onnxruntime", (0, 256, 0)),
        ("journey6", "tflite", (128, 128, 128)),
        ("journey6-legacy", "tflite", (128, 128, 128)),
        ("onnxruntime", "tflite", (128, 128, 128)),
        ("onnxruntime", "pytorch", (0, 0, 0)),
        ("pytorch", "xnnpack", (0, 0, 0)),
        ("tflite", "tflite-double", (0, 0, 0)),
    ],
)
def test_profiles_on_half_steps(one: str, other: str, counts: tuple[int, int, int]) -> None:
    r = half_steps(np.float32(1))
    assert tuple(differing(one, other, r, AffineParams(1.0, z, int16)) for z in (0, 1, 2)) == counts


def test_division_and_reciprocal_on_half_steps_of_many_scales() -> None:
    # 100 scales that float32 cannot hold exactly: 1/3, 1/5, ..; 512 half steps each.
    scales = (1 / np.arange(3, 203, 2)).astype(np.float32)
    count = sum(differing("onnxruntime", "pytorch", half_steps(s), AffineParams(s, 0, int16)) for s in scales)
    assert count == 2646  # 5.2 % of 51200


def float64_codes(r: NDArray[np.float32], p: AffineParams) -> NDArray[np.float64]:
    return np.clip(np.rint(r.astype(np.float64) / float(p.scale)), p.qtype.qmin, p.qtype.qmax)


@pytest.mark.parametrize(("qtype", "reciprocal", "float64"), [(int8, 1, 5), (int16, 329, 680)])
def test_float64_and_reciprocal_are_other_functions(qtype: QType, reciprocal: int, float64: int) -> None:
    # 2^20 values scattered over [-4, 4) by Knuth's multiplicative hash; S = 4.2 / -qmin.
    hashed = np.arange(2**20, dtype=np.uint32) * np.uint32(2654435761)
    r = (hashed.astype(np.float64) * 2.0**-29 - 4).astype(np.float32)
    p = AffineParams(4.2 / -qtype.qmin, 0, qtype)
    assert differing("onnxruntime", "pytorch", r, p) == reciprocal
    assert int((quantize(r, p) != float64_codes(r, p)).sum()) == float64


def test_equal_choices_give_equal_codes() -> None:
    # pytorch and xnnpack quantize by the same rule, tflite and tflite-double as well.
    r = np.random.default_rng(2).standard_normal(10_000, np.float32)
    p = AffineParams(0.013, 7)
    assert_array_equal(quantize(r, p, "pytorch"), quantize(r, p, "xnnpack"))
    assert_array_equal(quantize(r, p, "tflite"), quantize(r, p, "tflite-double"))
