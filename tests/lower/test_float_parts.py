"""What stays in float32: which nodes, why, and that every backend still gives the same bits."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import numpy_helper

from halfeven.errors import UnsupportedError
from halfeven.execute.run import native_backend, reference_backend, run_program
from halfeven.ir.program import Program
from halfeven.lower import lower

QDQ = """
<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 4] x, bool flag) => (float[N, 4] y) <float s = {0.05}, int8 z = {0}, float t = {0.1}> {
  q = QuantizeLinear (x, s, z)
  d = DequantizeLinear (q, s, z)
  w = DequantizeLinear (wq, s, z)
  r = If (flag) <
    then_branch = yes () => (float[N, 4] a) { m = Mul (d, w)   a = Add (m, outer) },
    else_branch = no () => (float[N, 4] b) { b = Neg (d) }
  >
  rq = QuantizeLinear (r, t, z)
  y = DequantizeLinear (rq, t, z)
}
"""


@pytest.fixture
def with_branches() -> ir.Model:
    model = onnx.parser.parse_model(QDQ)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.arange(-2, 2, dtype=np.int8), "wq"),
            numpy_helper.from_array(np.array([0.5], np.float32), "outer"),
        ]
    )
    return ir.from_proto(onnx.shape_inference.infer_shapes(model))


def test_a_node_with_graphs_inside_runs_whole(with_branches: ir.Model) -> None:
    program = lower(with_branches, "onnxruntime")
    (part,) = program.float_parts
    assert part.operator == "If"
    assert set(part.xs) == {"flag", "d"}
    x = np.array([[1.0, -0.52, 0.31, 2.0]], np.float32)
    for flag, expected in ((True, x * np.arange(-2, 2) * 0.05 + 0.5), (False, -x)):
        feeds = {"x": x, "flag": np.array(flag)}
        got = run_program(program, feeds, ["y"], reference_backend())["y"]
        np.testing.assert_allclose(got, expected, atol=0.08)  # reals, on a grid of 0.1
        np.testing.assert_array_equal(got, run_program(program, feeds, ["y"], native_backend())["y"])


def test_strict_names_the_node_and_the_reason(with_branches: ir.Model) -> None:
    with pytest.raises(UnsupportedError, match=r"If .*has no integer form") as caught:
        lower(with_branches, "onnxruntime", strict=True)
    assert len(caught.value.nodes) == 1


def chain(middle: str) -> Program:
    text = f"""
    <ir_version: 10, opset_import: ["" : 21]>
    net (float[N, 4] x) => (float[N, 4] y) <float s = {{0.05}}, int8 z = {{0}}, int64 k = {{1}}> {{
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      {middle}
      rq = QuantizeLinear (r, s, z)
      y = DequantizeLinear (rq, s, z)
    }}"""
    return lower(ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text))), "onnxruntime")


def test_two_operators_without_codes_between_are_float_and_say_so() -> None:
    program = chain("t = CumSum (d, k)   r = Sigmoid (t)")
    assert {p.operator for p in program.float_parts} == {"CumSum", "Sigmoid"}
    assert any("'t' is not quantized" in p.reason for p in program.float_parts)


def test_an_activation_between_is_no_float_part() -> None:
    assert chain("t = Add (d, d)   r = Relu (t)").float_parts == ()


def test_a_result_that_is_also_read_as_floats_is_computed_both_ways() -> None:
    text = """
    <ir_version: 10, opset_import: ["" : 21]>
    net (float[N, 4] x) => (float[N, 4] y, float[N, 4] r) <float s = {0.05}, int8 z = {0}> {
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      r = Sigmoid (d)
      rq = QuantizeLinear (r, s, z)
      y = DequantizeLinear (rq, s, z)
    }"""
    program = lower(ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text))), "onnxruntime")
    kinds = [type(i).__name__ for i in program]
    assert sorted(kinds) == ["Dequantize", "Dequantize", "Float", "Quantize", "Table"]


def test_a_scalar_stays_a_scalar_in_a_float_part() -> None:
    text = """
    <ir_version: 10, opset_import: ["" : 21]>
    net (float[N, 4] x) => (float[N, 4] y, int64 twice)
    <float s = {0.05}, int8 z = {0}, int64 first = {0}, int64 two = {2}> {
      q = QuantizeLinear (x, s, z)
      y = DequantizeLinear (q, s, z)
      size = Shape (x)
      n = Gather (size, first)
      twice = Mul (n, two)
    }"""
    program = lower(ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text))), "onnxruntime")
    for backend in (reference_backend(), native_backend()):
        got = run_program(program, {"x": np.zeros((3, 4), np.float32)}, ["twice"], backend)["twice"]
        assert got.shape == ()
        assert got == 6


def test_an_operator_of_a_later_opset_runs_as_that_opset_means_it() -> None:
    """Attention is there from opset 23 on; with softcap it has no integer form."""
    text = """<ir_version: 11, opset_import: ["" : 23]>
      net (float[1, 2, 3, 4] x) => (float[1, 2, 3, 4] y) <float s = {0.05}, int8 z = {0}> {
        q = QuantizeLinear (x, s, z)
        d = DequantizeLinear (q, s, z)
        a = Attention <softcap = 2.0> (d, d, d)
        aq = QuantizeLinear (a, s, z)
        y = DequantizeLinear (aq, s, z)
      }"""
    model = onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text))
    program = lower(ir.from_proto(model), "onnxruntime")
    assert [part.operator for part in program.float_parts] == ["Attention"]
    x = np.random.default_rng(0).normal(0, 1, (1, 2, 3, 4)).astype(np.float32)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    for backend in (reference_backend(), native_backend()):
        np.testing.assert_array_equal(run_program(program, {"x": x}, ["y"], backend)["y"], expected)
