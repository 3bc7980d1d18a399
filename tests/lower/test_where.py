"""Where: conditions that are constant, given, or computed; numbers such as -inf; operands on other scales."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from backends import installed
from onnx import numpy_helper

from halfeven.execute.run import Backend, run_program
from halfeven.ir.program import Program
from halfeven.lower import lower
from halfeven.numerics import affine
from halfeven.numerics.params import AffineParams

A, Y = AffineParams(0.05, 3), AffineParams(0.04, -7)
CONSTANT = np.array([[True, False, True], [False, False, True]])
RNG = np.random.default_rng(2)


def chain(body: str, y: str = "t, u") -> Program:
    text = f"""
    <ir_version: 10, opset_import: ["" : 21]>
    net (float[2, 3] x, float[2, 3] v, bool[3] given) => (float[2, 3] y)
    <float s = {{0.05}}, int8 z = {{3}}, float t = {{0.04}}, int8 u = {{-7}}, float low = {{-10000}},
     float half = {{0.5}}> {{
      q = QuantizeLinear (x, s, z)
      d = DequantizeLinear (q, s, z)
      p = QuantizeLinear (v, t, u)
      e = DequantizeLinear (p, t, u)
      {body}
      rq = QuantizeLinear (r, {y})
      y = DequantizeLinear (rq, {y})
    }}"""
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(numpy_helper.from_array(CONSTANT, "fixed"))
    return lower(ir.from_proto(onnx.shape_inference.infer_shapes(model)), "journey6")


def run(program: Program, backend: Backend) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    feeds = {
        "q": RNG.integers(-128, 128, (2, 3)).astype(np.int8),
        "p": RNG.integers(-128, 128, (2, 3)).astype(np.int8),
        "given": np.array([True, False, True]),
    }
    return run_program(program, feeds, ["rq"], backend)["rq"], feeds


BACKENDS = installed()


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize(
    ("body", "condition"),
    [
        ("r = Where (fixed, d, e)", lambda _: CONSTANT),
        ("r = Where (given, d, e)", lambda f: f["given"]),
        ("c = Greater (d, half)   r = Where (c, d, e)", lambda f: affine.dequantize(f["q"], A) > 0.5),
    ],
)
def test_it_picks_codes(body: str, condition: object, backend: Backend) -> None:
    got, feeds = run(chain(body), backend)
    moved = np.clip(np.rint((feeds["q"] - 3.0) * np.float64(A.scale) / np.float64(Y.scale)) - 7, -128, 127)
    np.testing.assert_array_equal(got, np.where(condition(feeds), moved, feeds["p"]))  # type: ignore[operator]


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("r = Where (fixed, low, e)", lambda p: np.where(CONSTANT, -128, p)),
        ("r = Where (fixed, e, low)", lambda p: np.where(CONSTANT, p, -128)),
        ("w = Where (fixed, e, low)   r = Relu (w)", lambda p: np.maximum(np.where(CONSTANT, p, -128), -7)),
    ],
)
def test_a_number_becomes_its_code(body: str, expected: object, backend: Backend) -> None:
    got, feeds = run(chain(body), backend)
    np.testing.assert_array_equal(got, expected(feeds["p"]))  # type: ignore[operator]


def test_only_what_computes_the_condition_is_float() -> None:
    assert [p.operator for p in chain("c = Greater (d, half)   r = Where (c, d, e)").float_parts] == ["Greater"]
    assert chain("r = Where (given, d, e)").float_parts == ()
    assert chain("r = Where (given, low, half)").float_parts == ()
