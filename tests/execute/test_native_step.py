"""The compiled kernels give the reference's codes, bit for bit: every instruction, thread count and instruction set."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from random_instructions import KINDS, cases

from halfeven import _native
from halfeven.errors import AccumulatorError, NotANumberError, ParameterError
from halfeven.execute import native, reference
from halfeven.ir import instructions as ir
from halfeven.ir.rescale import Accumulator, Rescale, Target
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Requantize
from halfeven.numerics.qtype import int8, int16, int32, uint8

COUNT = 60


def assert_same(instruction: ir.Instruction, arrays: list[Any], threads: int) -> None:
    (expected,) = reference.step(instruction, arrays)
    (got,) = native.step(instruction, arrays, threads=threads)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected, err_msg=str(instruction))


@pytest.mark.parametrize("kind", KINDS)
def test_random_instructions_equal_the_reference(kind: str) -> None:
    for seed, (instruction, arrays) in enumerate(cases(kind, COUNT)):
        assert_same(instruction, arrays, threads=(0, 1, 2, 3, 7)[seed % 5])


PRODUCTS = """
from random_instructions import cases
import numpy as np
from halfeven.execute import native, reference
for kind in ("conv", "linear", "matmul", "depthwise", "mul", "average_pool", "requantize", "slopes", "resize_linear"):
    for instruction, arrays in cases(kind, 25, first=1000):
        np.testing.assert_array_equal(native.step(instruction, arrays)[0], reference.step(instruction, arrays)[0])
"""


@pytest.mark.parametrize("isa", [name for name, _, supported in _native.isa_names() if supported])
def test_every_instruction_set_gives_the_same_codes(isa: str) -> None:
    environment = {**os.environ, "HALFEVEN_ISA": isa, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PRODUCTS], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def plain(bound: int, target: Target, method: Requantize = Requantize.EXACT_HALF_EVEN) -> tuple[Accumulator, Rescale]:
    return Accumulator.of(np.array([bound])), Rescale(Multiplier.from_real(1.0), target, method)


INT32 = Target(int32, 0, int32.qmin, int32.qmax)


@pytest.mark.parametrize(("qtype", "code"), [(int8, -128), (uint8, 255), (int16, -32768)])
def test_the_longest_sums_of_the_largest_products_are_exact(qtype: Any, code: int) -> None:
    depth = 70_000 if qtype is not int16 else 300
    x, w = np.full((3, depth), code, qtype.storage), np.full((depth, 5), code, qtype.storage)
    total = depth * code * code
    accumulator, _ = plain(total, INT32)
    how = Rescale(Multiplier.from_real(2.0**-12), INT32, Requantize.EXACT_HALF_EVEN)
    zero = np.zeros((), np.int64)
    instruction = ir.Linear("n", "x", "y", w, zero, np.zeros(5, np.int64), 0, accumulator, how)
    (got,) = native.step(instruction, [x])
    np.testing.assert_array_equal(got, np.full((3, 5), round(total / 2**12), np.int32))


def convolution(w: Any, pads: Any, group: int = 1) -> ir.Conv:
    rank = w.ndim - 2
    window = ir.Window(w.shape[2:], (1,) * rank, pads, (1,) * rank)
    accumulator, how = plain(2**30, INT32)
    bias = np.zeros(len(w), np.int64)
    return ir.Conv("n", "x", "y", w, np.zeros((), np.int64), bias, 3, window, group, accumulator, how)


def test_padding_is_real_zero_on_each_side() -> None:
    x = np.full((1, 1, 2), 4, np.int8)  # real 1 at zero point 3
    w = np.array([[[1, 10, 100]]], np.int8)
    (got,) = native.step(convolution(w, ((2, 1),)), [x])
    np.testing.assert_array_equal(got, [[[100, 110, 11]]])


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_a_large_convolution_is_the_same_for_every_thread_count(threads: int) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(-128, 128, (3, 40, 23, 31)).astype(np.int8)
    w = rng.integers(-128, 128, (70, 40, 3, 3)).astype(np.int8)
    assert_same(convolution(w, ((1, 1), (0, 2))), [x], threads)


def test_nan_is_refused_with_its_count() -> None:
    instruction = ir.Quantize("n", "x", "y", AffineParams(1.0), JOURNEY6)
    with pytest.raises(NotANumberError) as caught:
        native.step(instruction, [np.array([1, np.nan, np.nan], np.float32)])
    assert caught.value.count == 2


def test_two_roundings_refuse_sums_beyond_int32() -> None:
    accumulator, how = plain(2**40, INT32, Requantize.DOUBLE_ROUNDING)
    w = np.full((200, 1), -32768, np.int16)
    instruction = ir.Linear("n", "x", "y", w, np.zeros((), np.int64), np.zeros(1, np.int64), 0, accumulator, how)
    for step in (reference.step, native.step):
        with pytest.raises(ParameterError, match="int32 sums only"):
            step(instruction, [np.full((1, 200), -32768, np.int16)])


def test_a_code_outside_the_table_is_refused() -> None:
    instruction = ir.Table("n", "x", "y", "f", -8, np.zeros(16, np.int8))
    with pytest.raises(ParameterError, match="code 9 has no entry in a table of the codes -8 to 7"):
        native.step(instruction, [np.array([9], np.int8)])


def softmax_of(length: int, output_scale: float) -> tuple[ir.Softmax, list[Any]]:
    e = np.full(256, 2**30, np.uint32)
    m = Multiplier.from_real(1 / output_scale, 24)
    return ir.Softmax("n", "x", "y", -1, e, m, Target(uint8, 0, 0, 255)), [np.zeros((1, length), np.int8)]


@pytest.mark.parametrize("scale", [2.0**40, 2.0**-40])
def test_a_softmax_that_int64_cannot_hold_is_refused(scale: float) -> None:
    instruction, arrays = softmax_of(4, scale)
    for step in (reference.step, native.step):
        with pytest.raises(AccumulatorError, match="too long or too fine"):
            step(instruction, arrays)


def test_codes_further_apart_than_the_table_are_refused() -> None:
    instruction, _ = softmax_of(2, 1 / 256)
    short = ir.Softmax("n", "x", "y", -1, instruction.exponentials[:16], instruction.multiplier, instruction.target)
    with pytest.raises(ParameterError, match="further apart"):
        native.step(short, [np.array([[-100, 100]], np.int8)])


@pytest.mark.parametrize(("a", "b"), [((2, 3), (4,)), ((3,), (2, 2))])
def test_shapes_that_do_not_broadcast_are_refused(a: Any, b: Any) -> None:
    instruction = ir.Add("n", "a", "b", "y", 0, 0, 1, 1, 0, INT32)
    with pytest.raises(ParameterError, match="do not broadcast"):
        native.step(instruction, [np.zeros(a, np.int8), np.zeros(b, np.int8)])


def test_channels_that_do_not_fit_the_weights_are_refused() -> None:
    x, w = np.zeros((1, 3, 5), np.int8), np.zeros((2, 2, 1), np.int8)
    with pytest.raises(ParameterError, match="do not fit together"):
        native.step(convolution(w, ((0, 0),)), [x])
