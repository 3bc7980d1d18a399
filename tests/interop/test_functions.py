"""Functions spelled out in simple operators are recognised, in every order, and compute the same."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_build import assert_equal, cleaned, model, node, ops, reals

from halfeven.interop.marks import FUNCTION

SHAPE = ["n", 4, "w"]
Nodes = Sequence[onnx.NodeProto]


def scalars(**values: float) -> dict[str, np.ndarray]:
    return {name: np.float32(value) for name, value in values.items()}


CONSTANTS = scalars(zero=0, one=1, three=3, six=6, sixth=1 / 6, half=0.5, minus3=-3)
X = {"x": reals(2, 4, 9, seed=2) * 4}


def spelled(nodes: Nodes, constants: dict[str, np.ndarray] | None = None) -> onnx.ModelProto:
    return model(nodes, {"x": SHAPE}, {"y": SHAPE}, {**CONSTANTS, **(constants or {})})


def shifts() -> list[onnx.NodeProto]:
    """Ways to write ``a = x + 3``."""
    return [node("Add", "x three", "a"), node("Add", "three x", "a"), node("Sub", "x minus3", "a")]


def clips() -> list[list[onnx.NodeProto]]:
    """Ways to write ``c = clip(a, 0, 6)``."""
    return [
        [node("Clip", "a zero six", "c")],
        [node("Relu", "a", "r"), node("Min", "r six", "c")],
        [node("Min", "six a", "r"), node("Max", "r zero", "c")],
        [node("Relu", "a", "r"), node("Clip", "r - six", "c")],
        [node("Clip", "a - six", "r"), node("Relu", "r", "c")],
    ]


def products() -> list[list[onnx.NodeProto]]:
    """Ways to write ``y = x * c / 6``."""
    return [
        [node("Mul", "x c", "p"), node("Div", "p six", "y")],
        [node("Mul", "c x", "p"), node("Mul", "p sixth", "y")],
        [node("Mul", "c sixth", "p"), node("Mul", "p x", "y")],
        [node("Div", "c six", "p"), node("Mul", "x p", "y")],
        [node("Div", "x six", "p"), node("Mul", "p c", "y")],
        [node("Mul", "sixth x", "p"), node("Mul", "c p", "y")],
    ]


@pytest.mark.parametrize(
    "nodes", [[shift, *clip, *product] for shift, clip, product in itertools.product(shifts(), clips(), products())]
)
def test_hard_swish_in_every_order(nodes: Nodes) -> None:
    proto = spelled(nodes)
    found = cleaned(proto).model
    assert ops(found) == {"HardSwish": 1}
    assert_equal(proto, found, X)


@pytest.mark.parametrize("alpha", [1 / 6, 0.1666667])
def test_x_times_its_hard_sigmoid_is_hard_swish(alpha: float) -> None:
    proto = spelled([node("HardSigmoid", "x", "h", alpha=alpha, beta=0.5), node("Mul", "h x", "y")])
    found = cleaned(proto).model
    assert ops(found) == {"HardSwish": 1}
    assert_equal(proto, found, X)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("HardSigmoid", "x", "h", alpha=0.2, beta=0.5), node("Mul", "h x", "y")],
        [node("Sigmoid", "x", "z"), node("HardSigmoid", "x", "h", alpha=1 / 6), node("Mul", "h z", "y")],
        [
            node("Add", "x three", "a"),
            node("Clip", "a zero three", "c"),
            node("Mul", "x c", "p"),
            node("Div", "p six", "y"),
        ],
        [
            node("Add", "x one", "a"),
            node("Clip", "a zero six", "c"),
            node("Mul", "x c", "p"),
            node("Div", "p six", "y"),
        ],
    ],
)
def test_what_only_resembles_hard_swish_is_not(nodes: Nodes) -> None:
    proto = spelled(nodes)
    found = cleaned(proto).model
    assert "HardSwish" not in ops(found)
    assert_equal(proto, found, X)


@pytest.mark.parametrize("clip", clips())
@pytest.mark.parametrize("last", [node("Div", "c six", "y"), node("Mul", "sixth c", "y")])
def test_hard_sigmoid(clip: Nodes, last: onnx.NodeProto) -> None:
    proto = spelled([node("Add", "x three", "a"), *clip, last])
    found = cleaned(proto).model
    assert ops(found) == {"HardSigmoid": 1}
    assert_equal(proto, found, X)


def test_hard_sigmoid_of_any_slope_and_offset() -> None:
    nodes = [node("Mul", "x s", "m"), node("Sub", "k m", "a"), node("Clip", "a zero one", "y")]
    proto = spelled(nodes, scalars(s=0.3, k=0.25))
    (made,) = (found := cleaned(proto).model).graph
    assert made.op_type == "HardSigmoid"
    assert math.isclose(made.attributes["alpha"].as_float(), -0.3, rel_tol=1e-6)
    assert_equal(proto, found, X)


def test_hard_sigmoid_read_by_others_and_hard_swish_share_their_clip() -> None:
    nodes = [node("Add", "x three", "a"), node("Clip", "a zero six", "c"), node("Div", "c six", "g")]
    nodes += [node("Mul", "g x", "s"), node("Sigmoid", "g", "t"), node("Add", "s t", "y")]
    proto = spelled(nodes)
    found = cleaned(proto).model
    assert ops(found) == {"HardSwish": 1, "HardSigmoid": 1, "Sigmoid": 1, "Add": 1}
    assert_equal(proto, found, X)


def test_a_relu6_is_a_clip_and_a_shifted_clip_is_no_hard_sigmoid() -> None:
    proto = spelled([node("Max", "x zero", "r"), node("Min", "r six", "y")])
    found = cleaned(proto).model
    assert ops(found) == {"Clip": 1}
    assert_equal(proto, found, X)
    assert ops(cleaned(spelled([node("Add", "x half", "a"), node("Clip", "a zero one", "y")])).model) == {
        "Add": 1,
        "Clip": 1,
    }


def test_clips_that_do_not_overlap_stay_two() -> None:
    proto = spelled([node("Clip", "x three six", "c"), node("Clip", "c zero one", "y")])
    found = cleaned(proto).model
    assert ops(found) == {"Clip": 2}
    assert_equal(proto, found, X)


@pytest.mark.parametrize(
    "constant", [np.float32(6), np.full((1, 4, 1), 6, np.float32), np.full((2, 1, 1, 1), 6, np.float32)]
)
def test_min_by_what_is_no_scalar_stays(constant: np.ndarray) -> None:
    proto = model([node("Min", "x k", "y")], {"x": [2, 4, 9]}, {"y": [None] * max(3, constant.ndim)}, {"k": constant})
    found = cleaned(proto).model
    assert ops(found) == ({"Clip": 1} if constant.ndim == 0 else {"Min": 1})
    assert_equal(proto, found, X)


ROOT2, ROOT_HALF, TANH = math.sqrt(2), math.sqrt(0.5), math.sqrt(2 / math.pi)


def erf_gates() -> list[list[onnx.NodeProto]]:
    return [
        [node("Div", "x root2", "e"), node("Erf", "e", "f"), node("Add", "f one", "g")],
        [node("Mul", "root_half x", "e"), node("Erf", "e", "f"), node("Add", "one f", "g")],
    ]


def halves() -> list[list[onnx.NodeProto]]:
    return [
        [node("Mul", "x g", "p"), node("Mul", "p half", "y")],
        [node("Mul", "x half", "p"), node("Mul", "p g", "y")],
        [node("Mul", "half g", "p"), node("Mul", "p x", "y")],
        [node("Mul", "g x", "p"), node("Div", "p two", "y")],
    ]


GELU = scalars(root2=ROOT2, root_half=ROOT_HALF, two=2, cubic=0.044715, slope=TANH)


@pytest.mark.parametrize("nodes", [[*gate, *half] for gate, half in itertools.product(erf_gates(), halves())])
def test_gelu_in_every_order(nodes: Nodes) -> None:
    proto = spelled(nodes, GELU)
    found = cleaned(proto).model
    assert ops(found) == {"Gelu": 1}
    assert_equal(proto, found, X)


@pytest.mark.parametrize(
    "cube",
    [
        [node("Pow", "x three", "q"), node("Mul", "q cubic", "k")],
        [node("Mul", "x x", "q"), node("Mul", "q x", "k0"), node("Mul", "cubic k0", "k")],
    ],
)
def test_gelu_by_tanh(cube: Nodes) -> None:
    gate = [
        *cube,
        node("Add", "x k", "i"),
        node("Mul", "i slope", "e"),
        node("Tanh", "e", "f"),
        node("Add", "f one", "g"),
    ]
    proto = spelled([*gate, *halves()[1]], GELU)
    (made,) = (found := cleaned(proto).model).graph
    assert (made.op_type, made.attributes["approximate"].as_string()) == ("Gelu", "tanh")
    assert_equal(proto, found, X)


def test_a_gelu_of_other_constants_is_none() -> None:
    proto = spelled([*erf_gates()[0], *halves()[0]], {**GELU, "root2": np.float32(1.4)})
    assert "Gelu" not in ops(cleaned(proto).model)


def layer_norm(square: Nodes, tail: Nodes, axes: Any) -> onnx.ModelProto:
    nodes = [node("ReduceMean", "x", "m", axes=axes), node("Sub", "x m", "d"), *square]
    nodes += [node("ReduceMean", "q", "v", axes=axes), node("Add", "v eps", "e"), node("Sqrt", "e", "s")]
    nodes += [node("Div", "d s", "z"), *tail]
    shape = ["n", 5, 8]
    return model(nodes, {"x": shape}, {"y": shape}, LAYER_NORM)


LAYER_NORM = {**scalars(eps=1e-5, two=2), "g": reals(8, seed=1), "b": reals(1, 8, seed=2), "wide": reals(5, 1, seed=3)}
SQUARES = [[node("Pow", "d two", "q")], [node("Mul", "d d", "q")]]
TAILS = {
    "scale and bias": [node("Mul", "z g", "u"), node("Add", "u b", "y")],
    "bias first": [node("Mul", "g z", "u"), node("Add", "b u", "y")],
    "scale alone": [node("Mul", "z g", "y")],
    "neither": [node("Relu", "z", "y")],
    "per row": [node("Mul", "z wide", "y")],
}


@pytest.mark.parametrize("square", SQUARES)
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("axes", [[-1], [2]])
def test_layer_norm(square: Nodes, tail: str, axes: list[int]) -> None:
    proto = layer_norm(square, TAILS[tail], axes)
    found = cleaned(proto).model
    rest = {"neither": {"Relu": 1}, "per row": {"Mul": 1}}.get(tail, {})
    assert ops(found) == {"LayerNormalization": 1, **rest}
    assert_equal(proto, found, {"x": reals(3, 5, 8)})


def test_layer_norm_over_two_axes() -> None:
    proto = layer_norm(SQUARES[0], TAILS["scale and bias"], [1, 2])
    found = cleaned(proto).model
    assert ops(found) == {"LayerNormalization": 1}
    assert_equal(proto, found, {"x": reals(3, 5, 8)})


@pytest.mark.parametrize("axes", [[1], [0]])
def test_a_mean_over_inner_axes_is_no_layer_norm(axes: list[int]) -> None:
    proto = layer_norm(SQUARES[0], TAILS["scale and bias"], axes)
    assert "LayerNormalization" not in ops(cleaned(proto).model)


def test_swish_is_marked_on_both_of_its_nodes() -> None:
    proto = spelled([node("Sigmoid", "x", "s"), node("Mul", "s x", "y")])
    found = cleaned(proto).model
    assert [(n.op_type, n.metadata_props) for n in found.graph] == [
        ("Sigmoid", {FUNCTION: "Swish"}),
        ("Mul", {FUNCTION: "Swish"}),
    ]
    assert_equal(proto, found, X)


def test_a_gate_on_another_value_is_no_swish() -> None:
    proto = spelled([node("Relu", "x", "r"), node("Sigmoid", "r", "s"), node("Mul", "s x", "y")])
    assert not any(n.metadata_props for n in cleaned(proto).model.graph)
