"""ConvTranspose: what its bound is, and what stays in float32."""

from __future__ import annotations

import re

import numpy as np
import onnx_ir as ir
import pytest
from one_operator import OneOperator, Weight
from rule_cases import A8, OUT8

from halfeven.execute.run import native_backend, reference_backend, run_program
from halfeven.ir.transposed import ConvTranspose
from halfeven.lower import lower
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import int8, int32


def test_bound_counts_the_taps_that_meet_in_one_output() -> None:
    # Stride 2: taps 0 and 2 meet (2 + 5), tap 1 stands alone (9). x in [-128, 127], Z = 3: farthest 131. Bias 10.
    w = Weight(np.array([[[2, 9, -5]]], np.int8), AffineParams([0.01], 0, int8, 1))
    b = Weight(np.array([10], np.int32), AffineParams(A8.scale * w.params.scale, 0, int32, 0))
    model = OneOperator("ConvTranspose", [((1, 1, 4), A8)], OUT8, [w, b], {"strides": [2]})
    (instruction,) = [i for i in lower(model.qdq(), "journey6") if isinstance(i, ConvTranspose)]
    assert instruction.accumulator.bound.tolist() == [9 * 131 + 10]


@pytest.mark.parametrize("sizes", [(1, 1), (1, 5)])
def test_one_pixel_spreads_over_the_kernel(sizes: tuple[int, int]) -> None:
    w = Weight(np.array([[[[1, 2], [3, 4]]]], np.int8), AffineParams(1.0, 0, int8))
    one = AffineParams(1.0, 0, int8)
    model = OneOperator("ConvTranspose", [((1, 1, *sizes), one)], one, [w], {"strides": [2, 2]})
    program = lower(model.qdq(), "journey6", strict=True)
    x = np.arange(1, 1 + sizes[1], dtype=np.int8).reshape(1, 1, *sizes)
    expected = np.kron(x[0, 0], w.codes[0, 0])[None, None]
    for backend in (reference_backend(), native_backend()):
        np.testing.assert_array_equal(run_program(program, {"x0.q": x}, ["y.q"], backend)["y.q"], expected)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [({"pads": [-1, 0]}, "pads .* are negative"), ({"kernel_shape": [2]}, "its kernel_shape is not the weight's")],
)
def test_what_has_no_integer_form_says_why(attributes: dict[str, list[int]], reason: str) -> None:
    w = Weight(np.array([[[2, 9, -5]]], np.int8), AffineParams([0.01], 0, int8, 1))
    model = OneOperator("ConvTranspose", [((1, 1, 4), A8)], OUT8, [w], {"strides": [2]}).qdq()
    (node,) = [n for n in model.graph if n.op_type == "ConvTranspose"]
    for name, value in attributes.items():
        node.attributes[name] = ir.AttrInt64s(name, value)
    (part,) = lower(model, "journey6").float_parts
    assert re.search(reason, part.reason)
