"""Operators on truth values run beside the codes that they choose: no float part, on every backend."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from backends import installed

from halfeven.execute.engine import Engine
from halfeven.execute.run import Backend, run_program
from halfeven.ir.program import Program
from halfeven.lower import lower

RNG = np.random.default_rng(4)
CODES = RNG.integers(-128, 128, (2, 3, 4)).astype(np.int8)
C, D = (RNG.random(shape) < 0.6 for shape in ((2, 4), (2, 3, 4)))
FEEDS = {"q": CODES, "c": C, "d": D}
BODIES = {
    "u = Unsqueeze (c, one)": C[:, None],
    "r = Reshape (d, turned)   u = Transpose <perm = [0, 2, 1]> (r)": D.reshape(2, 4, 3).transpose(0, 2, 1),
    "b = Slice (d, zero, one, one)   u = Expand (b, wide)": np.broadcast_to(D[:, :1], (2, 3, 4)),
    "g = Gather <axis = 1> (d, swap)   u = Tile (g, once)": D[:, [2, 0, 1]],
    "v = Unsqueeze (c, one)   u = And (v, d)": C[:, None] & D,
    "v = Unsqueeze (c, one)   u = Or (d, v)": C[:, None] | D,
    "u = And (d, fixed)": D & (np.arange(4) > 1),
    "u = ReduceMax (d, two)": D.max(2, keepdims=True),
    "m = ReduceMin <keepdims = 0> (d, two)   u = Unsqueeze (m, two)": D.min(2, keepdims=True),
}


def program(body: str) -> Program:
    model = onnx.parser.parse_model(f"""
    <ir_version: 10, opset_import: ["" : 21]>
    net (float[2, 3, 4] x, bool[2, 4] c, bool[2, 3, 4] d) => (float[2, 3, 4] y)
    <float s = {{0.05}}, int8 z = {{3}}, float none = {{0}}, int64[1] zero = {{0}}, int64[1] one = {{1}},
     int64[1] two = {{2}}, int64[3] turned = {{2, 4, 3}}, int64[3] wide = {{2, 3, 4}}, int64[3] swap = {{2, 0, 1}},
     int64[3] once = {{1, 1, 1}}> {{
      q = QuantizeLinear (x, s, z)
      e = DequantizeLinear (q, s, z)
      {body}
      w = Where (u, e, none)
      wq = QuantizeLinear (w, s, z)
      y = DequantizeLinear (wq, s, z)
    }}""")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.arange(4) > 1, "fixed"))
    return lower(ir.from_proto(onnx.shape_inference.infer_shapes(model)), "journey6")


@pytest.mark.parametrize("backend", installed(), ids=lambda b: b.name)
@pytest.mark.parametrize(("body", "chosen"), BODIES.items(), ids=BODIES.keys())
def test_codes_are_chosen_in_integers(body: str, chosen: np.ndarray, backend: Backend) -> None:
    made = program(body)
    assert not made.float_parts
    expected = np.where(chosen, CODES, 3)
    np.testing.assert_array_equal(run_program(made, FEEDS, ["wq"], backend)["wq"], expected)
    np.testing.assert_array_equal(Engine(made).run(FEEDS, ["wq"], 2)["wq"], expected)
    got = run_program(made, FEEDS, ["u"], backend)["u"]
    assert got.dtype == np.bool_


@pytest.mark.parametrize(
    ("body", "operators"),
    [
        ("v = Unsqueeze (c, one)   n = Not (v)   u = Xor (n, d)", ["Not", "Xor"]),
        ("u = Greater (e, none)", ["Greater"]),
        ("k = Shape (x)   v = Unsqueeze (c, one)   u = Expand (v, k)", ["Shape", "Expand"]),
    ],
)
def test_what_has_no_integer_form_is_named(body: str, operators: list[str]) -> None:
    assert [part.operator for part in program(body).float_parts] == operators
