"""Samples of the exhaustive runs: stretches of float32 and int32 patterns, each kernel against the plain formula."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_cases import ISAS, METHODS, RULES, index_of

from halfeven import _native
from halfeven.numerics.profile import Profile, Requantize, ZeroPoint
from halfeven.numerics.qtype import QType, int8, int16, int32, uint8, uint16

STRETCH = 1 << 11


def stretches(points: list[int]) -> list[int]:
    """First patterns: around each point, and anywhere."""
    anywhere = np.random.default_rng(7).integers(0, 1 << 32, 4)
    return [max(0, min(int(p) - STRETCH // 2, (1 << 32) - STRETCH)) for p in [*points, *anywhere]]


def pattern(x: float) -> int:
    return int(np.float32(x).view(np.uint32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("qtype", [int8, uint8, int16, uint16, int32], ids=str)
@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_stretches_of_float32(rule: Profile, qtype: QType, isa: str) -> None:
    how = int(rule.scaling), rule.zero_point is ZeroPoint.INSIDE, int(rule.rounding), index_of(isa)
    lowest, highest = max(qtype.qmin, -(2**24)), min(qtype.qmax, 2**24)  # what the plain formula takes
    for scale, zero_point in ((1 / 3, 3), (1.0, lowest), (0.0078125, highest)):
        s = float(np.float32(scale))
        edges = [0.5 * s, (qtype.qmax - zero_point) * s, -0.5 * s, (qtype.qmin - zero_point) * s, 1.17549e-38, np.inf]
        for first in stretches([pattern(x) for x in edges]):
            codes = s, zero_point, qtype.qmin, qtype.qmax, qtype.storage.name
            for per_element in (False, True):
                found = _native.exhaustive_quantize(*codes, *how, first, STRETCH, per_element)
                assert found == (0, -1)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("qtype", [int8, uint8, int16, uint16, int32], ids=str)
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_stretches_of_int32(method: Requantize, qtype: QType, isa: str) -> None:
    for m0, shift in ((1 << 30, 38), ((1 << 30) + 12345, 40), ((1 << 31) - 1, 62), (3 << 29, 29), (1 << 30, 20)):
        for first in stretches([0, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 100 << max(0, min(shift - 30, 20))]):
            codes = m0, shift, 3, qtype.qmin, qtype.qmax, qtype.storage.name
            for per_element in (False, True):
                found = _native.exhaustive_requantize(*codes, int(method), index_of(isa), first, STRETCH, per_element)
                assert found == (0, -1)


def test_fused_division_rounds_correctly_for_a_stretch_of_divisors() -> None:
    for first in (1 << 23, 11_184_811, (1 << 24) - (1 << 12)):
        candidates, differences, _ = _native.exhaustive_division(first, 1 << 12)
        assert candidates > 1 << 12
        assert differences == 0
