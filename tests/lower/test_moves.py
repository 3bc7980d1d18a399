"""Moves on codes equal the same operator in ONNX Runtime on the codes themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from one_operator import OneOperator
from onnx import TensorProto, helper, numpy_helper

from halfeven.execute.run import reference_backend, run_program
from halfeven.lower import lower
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import int8

P = AffineParams(0.037, 3, int8)


def onnxruntime_on_codes(
    op: str, codes: np.ndarray, constants: list[np.ndarray | None], **attributes: Any
) -> np.ndarray:
    names = ["x", *(f"c{k}" if c is not None else "" for k, c in enumerate(constants))]
    initializers = [numpy_helper.from_array(c, f"c{k}") for k, c in enumerate(constants) if c is not None]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.INT8, codes.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": codes})[0])


def ours(case: OneOperator, codes: np.ndarray) -> np.ndarray:
    program = lower(case.qdq(), "journey6", strict=True)
    return run_program(program, {"x0.q": codes}, ["y.q"], reference_backend())["y.q"]


CODES = np.random.default_rng(3).integers(-128, 128, (2, 3, 7, 5)).astype(np.int8)
KINDS = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [(2.0, 2.0), (0.5, 0.6), (1.0, 3.0), (1.7, 0.3), (1.0 / 3.0, 4.0 / 3.0)])
def test_resize_by_scales(scale: tuple[float, float], kind: str, rounding: str) -> None:
    scales = np.array([1, 1, *scale], np.float32)
    attributes = {"mode": "nearest", "coordinate_transformation_mode": kind, "nearest_mode": rounding}
    expected = onnxruntime_on_codes("Resize", CODES, [None, scales], **attributes)
    empty = np.zeros(0, np.float32)
    got = ours(OneOperator("Resize", [(CODES.shape, P)], P, [empty, scales], attributes), CODES)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(14, 10), (3, 11), (1, 1), (20, 4)])
def test_resize_to_sizes(size: tuple[int, int], kind: str, rounding: str) -> None:
    sizes = np.array([2, 3, *size])
    attributes = {"mode": "nearest", "coordinate_transformation_mode": kind, "nearest_mode": rounding}
    expected = onnxruntime_on_codes("Resize", CODES, [None, None, sizes], **attributes)
    empty = np.zeros(0, np.float32)
    got = ours(OneOperator("Resize", [(CODES.shape, P)], P, [empty, empty, sizes], attributes), CODES)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_pad(mode: str) -> None:
    pads = np.array([0, 1, 2, 0, 1, 0, 1, 3])
    zero = [np.array(3, np.int8)] if mode == "constant" else []
    expected = onnxruntime_on_codes("Pad", CODES, [pads, *zero], mode=mode)
    got = ours(OneOperator("Pad", [(CODES.shape, P)], P, [pads], {"mode": mode}), CODES)
    np.testing.assert_array_equal(got, expected)


def test_padding_that_crops() -> None:
    pads = np.array([0, 0, -2, 1, 0, 0, 1, -1])
    got = ours(OneOperator("Pad", [(CODES.shape, P)], P, [pads]), CODES)
    expected = np.pad(CODES[:, :, 2:, :-1], [(0, 0), (0, 0), (0, 1), (1, 0)], constant_values=3)
    np.testing.assert_array_equal(got, expected)


def test_every_part_of_a_split_is_its_own() -> None:
    text = """
    <ir_version: 10, opset_import: ["" : 21]>
    net (float[2, 7] x) => (float[2, 2] a, float[2, 5] b) <float s = {0.037}, int8 z = {3}, int64[2] sizes = {2, 5}> {
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      p0, p1 = Split <axis = 1> (d, sizes)
      q0 = QuantizeLinear (p0, s, z)
      a = DequantizeLinear (q0, s, z)
      q1 = QuantizeLinear (p1, s, z)
      b = DequantizeLinear (q1, s, z)
    }"""
    program = lower(
        ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text))), "journey6", strict=True
    )
    codes = np.arange(14, dtype=np.int8).reshape(2, 7)
    got = run_program(program, {"q": codes}, ["q0", "q1"], reference_backend())
    np.testing.assert_array_equal(got["q0"], codes[:, :2])
    np.testing.assert_array_equal(got["q1"], codes[:, 2:])
