"""One-input functions that several operators spell out become one table."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from halfeven.execute.run import reference_backend, run_program
from halfeven.ir.program import Program
from halfeven.lower import lower
from halfeven.numerics import affine
from halfeven.numerics.params import AffineParams

X, Y = AffineParams(0.05, 3), AffineParams(0.04, -7)


def chain(body: str, declared: str = "float[N, 2] x", result: str = "float[N, 2] y") -> Program:
    text = f"""
    <ir_version: 10, opset_import: ["" : 21]>
    net ({declared}) => ({result})
    <float s = {{0.05}}, int8 z = {{3}}, float t = {{0.04}}, int8 u = {{-7}}, float three = {{3}}, float[1] six = {{6}},
     float[1, 1, 1] tall = {{2}}> {{
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      {body}
      rq = QuantizeLinear (r, t, u)
      y = DequantizeLinear (rq, t, u)
    }}"""
    return lower(ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text))), "journey6")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("body", "function"),
    [
        ("g = Sigmoid (d)   r = Mul (d, g)", lambda x: x * sigmoid(x)),
        ("g = Sigmoid (d)   r = Mul (g, d)", lambda x: x * sigmoid(x)),
        ("g = Softplus (d)   h = Tanh (g)   r = Mul (d, h)", lambda x: x * np.tanh(np.log1p(np.exp(x)))),
        (
            "a = Add (d, three)   b = Relu (a)   c = Div (b, six)   r = Mul (d, c)",
            lambda x: x * np.maximum(x + 3, 0) / 6,
        ),
        ("a = Sub (three, d)   r = Relu (a)", lambda x: np.maximum(3 - x, 0)),
        ("r = Div (three, d)", lambda x: 3 / x),
        ("e = Exp (d)   r = Log (e)", lambda x: x),
    ],
)
def test_it_is_one_table_of_the_whole(body: str, function: object) -> None:
    program = chain(body)
    assert [type(i).__name__ for i in program] == ["Quantize", "Table", "Dequantize"]
    codes = np.arange(-128, 128, dtype=np.int8).reshape(-1, 2)
    got = run_program(program, {"q": codes}, ["rq"], reference_backend())["rq"]
    with np.errstate(divide="ignore"):
        real = function(affine.dequantize(codes, X).astype(np.float64))  # type: ignore[operator]
    np.testing.assert_array_equal(got, affine.quantize(real, Y))


def test_outside_its_domain_a_function_keeps_its_nearest_value() -> None:
    program = chain("r = Sqrt (d)")
    codes = np.arange(-128, 128, dtype=np.int8).reshape(-1, 2)
    got = run_program(program, {"q": codes}, ["rq"], reference_backend())["rq"].reshape(-1)
    assert np.unique(got[:131]).tolist() == [-7]  # codes below 3 are negative: as 0
    np.testing.assert_array_equal(got[131:], affine.quantize(np.sqrt((codes.reshape(-1)[131:] - 3.0) * X.scale), Y))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("r = Add (d, tall)", "adds axes"),
        ("a = Add (d, v)   r = Sigmoid (a)", "'v' is not quantized"),
    ],
)
def test_what_is_no_function_of_one_tensor_says_why(body: str, reason: str) -> None:
    result = "float[1, N, 2] y" if "tall" in body else "float[N, 2] y"
    declared = "float[N, 2] x" + (", float[N, 2] v" if "v)" in body else "")
    parts = chain(body, declared, result).float_parts
    assert any(reason in p.reason for p in parts)
