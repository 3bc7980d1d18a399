"""A single differing bit in any tensor is found and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import halfeven.api
from halfeven.demo.agreement import compare_backends, count_differing
from halfeven.execute.run import reference_backend
from halfeven.ir.instructions import Instruction
from halfeven.ir.program import Program


@pytest.fixture(scope="module")
def program() -> Program:
    """Quantize, Relu of codes, dequantize: the least model with codes between its boundaries."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["x_codes"]),
        helper.make_node("DequantizeLinear", ["x_codes", "scale", "zero"], ["x_real"]),
        helper.make_node("Relu", ["x_real"], ["relu_real"]),
        helper.make_node("QuantizeLinear", ["relu_real", "scale", "zero"], ["y_codes"]),
        helper.make_node("DequantizeLinear", ["y_codes", "scale", "zero"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(np.float32(0.1), "scale"),
        numpy_helper.from_array(np.int8(0), "zero"),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "least", ports[:1], ports[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return halfeven.api.load(model).program


FEEDS = {"x": np.linspace(-5, 5, 40, dtype=np.float32).reshape(10, 4)}


def test_a_backend_agrees_with_itself(program: Program) -> None:
    agreement = compare_backends(program, FEEDS, reference_backend(), reference_backend())
    assert agreement.differing == 0
    assert agreement.share == 1
    assert agreement.first_difference is None
    assert agreement.samples == 10
    assert agreement.compared == 40 * agreement.tensors
    assert agreement.tensors == len(program)


def test_one_code_off_by_one_is_counted_and_named(program: Program) -> None:
    middle = program.instructions[1]
    reference = reference_backend()

    def step(instruction: Instruction, arrays: Sequence[Any]) -> tuple[Any, ...]:
        (result,) = reference.step(instruction, arrays)
        if instruction is middle:
            result = result.copy()
            result[0, -1] ^= 1
        return (result,)

    agreement = compare_backends(program, FEEDS, reference, replace(reference, name="broken", step=step))
    assert agreement.backends == ("reference", "broken")
    assert agreement.first_difference == middle.y
    batches = 3  # ten samples, four at once
    assert agreement.differing == batches * 2  # the code, and the real number made of it
    assert agreement.share < 1


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.float32, np.float64])
def test_every_element_is_compared(dtype: type[np.generic]) -> None:
    a = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for k in range(24):
        b = a.copy()
        b.flat[k] += 1
        assert count_differing(a, b) == 1
    assert count_differing(a, a) == 0
    assert count_differing(a.T, a.copy().T) == 0


def test_floats_are_compared_by_their_bits() -> None:
    a = np.array([0.0, np.nan, 1.0], np.float32)
    assert count_differing(a, np.array([-0.0, np.nan, 1.0], np.float32)) == 1


def test_another_shape_or_type_differs_everywhere() -> None:
    assert count_differing(np.zeros(4, np.int8), np.zeros((2, 2), np.int8)) == 4
    assert count_differing(np.zeros(4, np.int8), np.zeros(4, np.uint8)) == 4


def test_scalars_and_nothing() -> None:
    assert count_differing(np.array(1, np.int8), np.array(2, np.int8)) == 1
    assert count_differing(np.zeros((0, 3), np.int8), np.zeros((0, 3), np.int8)) == 0
