"""Every rule: the program's codes are the real answer, rounded, wherever that is not within 0.01 of a tie.

The real answer comes from the onnx package's reference operators in float64, so it shares nothing with the lowering.
"""

from __future__ import annotations

import numpy as np
import pytest
from more_rule_cases import MORE
from one_operator import OneOperator, Weight
from rule_cases import A8, A16, OUT8
from rule_cases import CASES as PLAIN

from halfeven.execute.run import reference_backend, run_program
from halfeven.lower import lower
from halfeven.lower.functions import FUNCTIONS
from halfeven.lower.rules import RULES
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import int8, int16, int32

CASES = PLAIN | MORE
CLEAR_OF_TIES = 0.01
NORMALIZATIONS = {"GroupNormalization", "InstanceNormalization", "LayerNormalization"}
IN_TESTS_OF_THEIR_OWN = {"Identity", "Resize", "Split", "Where"} | NORMALIZATIONS


@pytest.mark.parametrize("name", CASES)
def test_codes_are_the_rounded_real_answer(name: str) -> None:
    case = CASES[name]
    program = lower(case.qdq(), "journey6", strict=True)
    feeds = case.codes()
    got = run_program(program, feeds, ["y.q"], reference_backend())["y.q"]
    exact = case.real(feeds) / float(case.output.scale)
    expected = np.clip(
        np.rint(exact) + int(case.output.zero_point), case.output.qtype.qmin, case.output.qtype.qmax
    ).astype(case.output.qtype.storage)
    assert got.shape == expected.shape
    sure = np.abs(exact - np.floor(exact) - 0.5) > CLEAR_OF_TIES
    assert sure.mean() >= 0.8
    np.testing.assert_array_equal(got[sure], expected[sure])


def test_every_rule_is_tried() -> None:
    tried = {case.op for case in CASES.values()} | IN_TESTS_OF_THEIR_OWN
    assert set(RULES) - set(FUNCTIONS) - tried == set()


def test_quantize_of_dequantize_is_a_requantize() -> None:
    program = lower(OneOperator("Identity", [((64,), A8)], OUT8).qdq(), "journey6", strict=True)
    codes = np.arange(-128, 128, dtype=np.int8)[:64]
    got = run_program(program, {"x0.q": codes}, ["y.q"], reference_backend())["y.q"]
    exact = (codes.astype(np.float64) - 3) * np.float64(A8.scale) / np.float64(OUT8.scale)
    np.testing.assert_array_equal(got, np.clip(np.rint(exact) - 4, -128, 127).astype(np.int8))


def test_fused_activation_clamps_at_the_code_of_its_bound() -> None:
    program = lower(CASES["conv relu"].qdq(), "journey6", strict=True)
    (instruction,) = [i for i in program if type(i).__name__ == "Conv"]
    assert instruction.rescale.target.qmin == int(OUT8.zero_point)
    assert [type(i).__name__ for i in program] == ["Quantize", "Conv", "Dequantize"]


def test_bound_is_what_the_worst_input_reaches() -> None:
    # x in [-128, 127] with Z = 3: farthest 131. Weights 2, -3 and bias 10: 131 * 5 + 10 = 665.
    w = Weight(np.array([[[[2]], [[-3]]]], np.int8), AffineParams([0.01], 0, int8, 0))
    b = Weight(np.array([10], np.int32), AffineParams(A8.scale * w.params.scale, 0, int32, 0))
    program = lower(OneOperator("Conv", [((1, 2, 1, 1), A8)], OUT8, [w, b]).qdq(), "journey6")
    (instruction,) = [i for i in program if type(i).__name__ == "Conv"]
    assert instruction.accumulator.bound.tolist() == [665]
    assert instruction.accumulator.bits == 32


def test_wide_sums_get_an_int64_accumulator() -> None:
    # int16 x int8 over 1024 terms at the extremes: 32785 * 128 * 1024 > 2^31.
    w = Weight(np.full((1024, 1), -128, np.int8), AffineParams([0.01], 0, int8, 1))
    program = lower(OneOperator("MatMul", [((1, 1024), A16)], AffineParams(3.0, 0, int16), [w]).qdq(), "journey6")
    (instruction,) = [i for i in program if type(i).__name__ == "Linear"]
    assert instruction.accumulator.bits == 64
    feeds = {"x0.q": np.full((1, 1024), -32768, np.int16)}
    got = run_program(program, feeds, ["y.q"], reference_backend())["y.q"]
    exact = (-32768 + 17) * -128 * 1024 * float(A16.scale) * float(np.float32(0.01)) / 3.0
    assert got.tolist() == [[round(exact)]]
