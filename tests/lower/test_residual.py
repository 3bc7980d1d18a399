"""A product and what is added to it, with no codes between: one rounding (docs/math/add.md eq. 29)."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from backends import installed
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from halfeven.execute.run import run_program
from halfeven.ir.program import Program
from halfeven.ir.sums import AddSums
from halfeven.lower import lower
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import int8

RNG = np.random.default_rng(5)
X, R, Y = AffineParams(0.05, 3, int8), AffineParams(0.09, -7, int8), AffineParams(0.14, 5, int8)
W, V = RNG.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8), RNG.integers(-128, 128, (4, 3, 1, 1)).astype(np.int8)
SCALES = np.array([0.002, 0.0007, 0.004, 0.0011], np.float32)
BIAS = RNG.normal(size=4).astype(np.float32)
SHAPE = (2, 3, 6, 5)

CONV = "w = DequantizeLinear <axis=0> (wq, ws, wz)   c = Conv <pads=[1,1,1,1]> (d, w, bias)"
OTHER = "v = DequantizeLinear <axis=0> (vq, ws, wz)   o = Conv (d, v)"
CASES = {
    "add": f"{CONV}   r = Add (c, e)",
    "add in the other order, relu": f"{CONV}   a = Add (e, c)   r = Relu (a)",
    "sub": f"{CONV}   r = Sub (c, e)",
    "from": f"{CONV}   r = Sub (e, c)",
    "a relu between": f"{CONV}   k = Relu (c)   r = Add (k, e)",
    "a channel": f"{CONV}   r = Add (c, h)",
    "two products": f"{CONV}   {OTHER}   r = Add (c, o)",
    "two products, subtracted": f"{CONV}   {OTHER}   r = Sub (c, o)",
    "transposed": "w = DequantizeLinear <axis=1> (tq, ts, tz)   c = ConvTranspose (d, w)   r = Add (c, e)",
}


def model(body: str, activations: str = "s, z") -> onnx.ModelProto:
    proto = onnx.parser.parse_model(f"""
    <ir_version: 10, opset_import: ["" : 21]>
    net (float[2, 3, 6, 5] x, float[2, 4, 6, 5] res, float[4, 1, 1] small) => (float[2, 4, 6, 5] y)
    <float s = {{0.05}}, int8 z = {{3}}, float rs = {{0.09}}, int8 rz = {{-7}}, float t = {{0.14}}, int8 u = {{5}}> {{
      q = QuantizeLinear (x, {activations})
      d = DequantizeLinear (q, {activations})
      p = QuantizeLinear (res, rs, rz)
      e = DequantizeLinear (p, rs, rz)
      g = QuantizeLinear (small, rs, rz)
      h = DequantizeLinear (g, rs, rz)
      {body}
      rq = QuantizeLinear (r, t, u)
      y = DequantizeLinear (rq, t, u)
    }}""")
    zeros = np.zeros(4, np.int8)
    arrays = {"wq": W, "vq": V, "ws": SCALES, "wz": zeros, "bias": BIAS}
    arrays |= {"tq": V.reshape(4, 3, 1, 1).transpose(1, 0, 2, 3).copy(), "ts": SCALES, "tz": zeros}
    proto.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in arrays.items())
    return onnx.shape_inference.infer_shapes(proto)


def real(body: str, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """The result in float64, by the onnx package's reference."""
    nodes = [n for n in model(body).graph.node if n.op_type not in ("QuantizeLinear", "DequantizeLinear")]
    ports = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.DOUBLE, None) for n in feeds]
    out = [onnx.helper.make_tensor_value_info("r", onnx.TensorProto.DOUBLE, None)]
    graph = onnx.helper.make_graph(nodes, "g", ports, out)
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)])
    return np.asarray(ReferenceEvaluator(proto).run(None, feeds)[0])


def reals(codes: np.ndarray, params: AffineParams) -> np.ndarray:
    return (codes.astype(np.float64) - int(params.zero_point)) * float(params.scale)


def program_of(body: str) -> Program:
    return lower(ir.from_proto(model(body)), "journey6", strict=True)


@pytest.mark.parametrize("name", CASES)
def test_codes_are_the_rounded_real_answer(name: str) -> None:
    program = program_of(CASES[name])
    assert len([i for i in program if isinstance(i, AddSums)]) == 1
    codes = {
        "q": RNG.integers(-128, 128, SHAPE).astype(np.int8),
        "p": RNG.integers(-128, 128, (2, 4, 6, 5)).astype(np.int8),
        "g": RNG.integers(-128, 128, (4, 1, 1)).astype(np.int8),
    }
    reference, *others = installed()
    got = run_program(program, codes, ["rq"], reference)["rq"]
    for backend in others:
        np.testing.assert_array_equal(run_program(program, codes, ["rq"], backend)["rq"], got)
    scale = SCALES.astype(np.float64)
    step = float(X.scale) * scale
    feeds = {
        "d": reals(codes["q"], X),
        "e": reals(codes["p"], R),
        "h": reals(codes["g"], R),
        "w": W * scale.reshape(-1, 1, 1, 1),
        "v": V * scale.reshape(-1, 1, 1, 1),
        "bias": np.rint(BIAS / step) * step,
    }
    if name == "transposed":
        feeds["w"] = V.transpose(1, 0, 2, 3) * scale.reshape(1, -1, 1, 1)
    exact = real(CASES[name], feeds) / float(Y.scale)
    expected = np.clip(np.rint(exact) + int(Y.zero_point), -128, 127)
    sure = np.abs(exact - np.floor(exact) - 0.5) > 1e-6
    np.testing.assert_array_equal(got[sure], expected[sure])
    assert sure.mean() > 0.95


def test_multipliers_have_31_bits_where_the_bound_allows() -> None:
    (made,) = [i for i in program_of(CASES["add"]) if isinstance(i, AddSums)]
    assert (made.a_multiplier >= 2**30).all()
    assert (made.a_multiplier < 2**31).all()
    np.testing.assert_array_equal(made.b_multiplier, np.rint(np.ldexp(float(R.scale) / float(Y.scale), made.shift)))


@pytest.mark.parametrize(
    "body",
    [f"{CONV}   f = Neg (c)   r = Add (c, e)", f"{CONV}   r = Add (c, res)", f"{CONV}   k = Tanh (c)   r = Add (k, e)"],
)
def test_other_sums_are_not_opened(body: str) -> None:
    program = lower(ir.from_proto(model(body)), "journey6")
    assert not any(isinstance(i, AddSums) for i in program)
    assert any(part.operator == "Add" for part in program.float_parts)


def test_sums_beyond_int32_say_so() -> None:
    wide = model(CASES["add"])
    for node in wide.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[1] == "s":
            node.input[2] = "wide_zero"
    wide.graph.initializer.append(numpy_helper.from_array(np.int16(0), "wide_zero"))
    (weight,) = [w for w in wide.graph.initializer if w.name == "wq"]
    weight.CopyFrom(numpy_helper.from_array(np.full((4, 3, 3, 3), -32768, np.int16), "wq"))
    (zero,) = [w for w in wide.graph.initializer if w.name == "wz"]
    zero.CopyFrom(numpy_helper.from_array(np.zeros(4, np.int16), "wz"))
    del wide.graph.value_info[:]
    program = lower(ir.from_proto(onnx.shape_inference.infer_shapes(wide)), "journey6")
    assert any("its sums may leave int32" in part.reason for part in program.float_parts)
