"""BatchNormalization, scales and biases beside linear operators: gone, or simpler, with the same outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_build import assert_equal, cleaned, model, node, ops, reals

Constants = dict[str, np.ndarray]


def statistics(count: int, seed: int = 1) -> Constants:
    """Parameters of a BatchNormalization: g, b, m, v."""
    chance = np.random.default_rng(seed)
    draw = {"g": chance.uniform(-2, 2, count), "b": chance.normal(size=count), "m": chance.normal(size=count)}
    return {name: a.astype(np.float32) for name, a in {**draw, "v": chance.uniform(0.1, 2, count)}.items()}


def batch_norm(inputs: str, output: str) -> onnx.NodeProto:
    return node("BatchNormalization", f"{inputs} g b m v", output, epsilon=1e-3)


def linear(op_type: str, weights: np.ndarray, bias: int = 0, **attributes: Any) -> tuple[onnx.NodeProto, Constants]:
    """``x -> t`` by constant weights, with a bias of that many entries."""
    inputs = "x w c" if bias else "x w"
    return node(op_type, inputs, "t", **attributes), {"w": weights, **({"c": reals(bias, seed=5)} if bias else {})}


IMAGE = ["n", 4, "h", "w"]
AFTER = {
    "conv": (*linear("Conv", reals(6, 4, 3, 3)), IMAGE, 6),
    "conv with bias": (*linear("Conv", reals(6, 4, 1, 1), bias=6, pads=[1, 1, 0, 2]), IMAGE, 6),
    "grouped conv": (*linear("Conv", reals(6, 2, 3, 3), group=2, strides=[2, 2]), IMAGE, 6),
    "depthwise conv": (*linear("Conv", reals(4, 1, 3, 3), group=4, dilations=[2, 1]), IMAGE, 4),
    "1-d conv": (*linear("Conv", reals(5, 4, 3)), ["n", 4, "w"], 5),
    "3-d conv": (*linear("Conv", reals(5, 4, 1, 2, 1)), ["n", 4, 2, 3, 4], 5),
    "transposed conv": (*linear("ConvTranspose", reals(4, 6, 2, 2), strides=[2, 2]), IMAGE, 6),
    "grouped transposed conv": (*linear("ConvTranspose", reals(4, 3, 3, 3), bias=6, group=2), IMAGE, 6),
    "gemm": (*linear("Gemm", reals(4, 6)), ["n", 4], 6),
    "gemm with everything": (*linear("Gemm", reals(6, 4), bias=6, transB=1, alpha=0.5, beta=3.0), ["n", 4], 6),
}


def example(shape: list[Any]) -> dict[str, np.ndarray]:
    sizes = {"n": 2, "h": 7, "w": 9}
    return {"x": reals(*(sizes.get(d, d) for d in shape), seed=3)}


@pytest.mark.parametrize("name", AFTER)
def test_batch_norm_behind_a_linear_operator_folds(name: str) -> None:
    first, constants, shape, channels = AFTER[name]
    proto = model([first, batch_norm("t", "y")], {"x": shape}, {"y": None}, {**constants, **statistics(channels)})
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    found = cleaned(proto).model
    assert ops(found) == {first.op_type: 1}
    assert_equal(proto, found, example(shape))


@pytest.mark.parametrize("name", AFTER)
@pytest.mark.parametrize("op_type", ["Mul", "Div", "Add", "Sub"])
def test_a_constant_a_channel_folds(name: str, op_type: str) -> None:
    first, constants, shape, channels = AFTER[name]
    constant = np.random.default_rng(8).uniform(0.5, 2, channels).astype(np.float32)
    constants = {**constants, "k": constant.reshape(-1, *[1] * (len(shape) - 2))}
    proto = model([first, node(op_type, "t k", "y")], {"x": shape}, {"y": [None] * len(shape)}, constants)
    found = cleaned(proto).model
    assert ops(found) == {first.op_type: 1}
    assert_equal(proto, found, example(shape))


@pytest.mark.parametrize("op_type", ["Mul", "Add", "Sub"])
def test_the_constant_may_stand_first(op_type: str) -> None:
    nodes = [node("Conv", "x w", "t"), node(op_type, "k t", "y")]
    proto = model(nodes, {"x": IMAGE}, {"y": [None] * 4}, {"w": reals(6, 4, 1, 1), "k": reals(1, 6, 1, 1, seed=4)})
    found = cleaned(proto).model
    assert ops(found) == {"Conv": 1}
    assert_equal(proto, found, example(IMAGE))


def test_a_bias_behind_reshape_folds() -> None:
    nodes = [node("Conv", "x w", "t"), node("Reshape", "k s", "r"), node("Add", "t r", "y")]
    constants = {"w": reals(6, 4, 1, 1), "k": reals(6), "s": np.array([1, -1, 1, 1])}
    proto = model(nodes, {"x": IMAGE}, {"y": [None] * 4}, constants)
    found = cleaned(proto).model
    assert ops(found) == {"Conv": 1}
    assert_equal(proto, found, example(IMAGE))


def test_chains_fold_into_one_operator() -> None:
    nodes = [
        node("Conv", "x w", "t", pads=[1, 1, 1, 1]),
        node("Add", "t k", "u"),
        node("Mul", "u two", "p"),
        batch_norm("p", "q"),
        node("Sub", "q two", "y"),
    ]
    constants = {"w": reals(6, 4, 3, 3), "k": reals(6, 1, 1), "two": np.float32(2), **statistics(6)}
    proto = model(nodes, {"x": IMAGE}, {"y": [None] * 4}, constants)
    found = cleaned(proto).model
    assert ops(found) == {"Conv": 1}
    assert_equal(proto, found, example(IMAGE))


BEFORE = {
    "conv without padding": (node("Conv", "t w c", "y"), {"w": reals(6, 4, 3, 3), "c": reals(6)}, IMAGE),
    "grouped conv": (node("Conv", "t w", "y", group=2), {"w": reals(6, 2, 3, 3)}, IMAGE),
    "gemm": (node("Gemm", "t w", "y"), {"w": reals(4, 6)}, ["n", 4]),
    "transposed gemm": (node("Gemm", "t w c", "y", transB=1), {"w": reals(6, 4), "c": reals(6)}, ["n", 4]),
}


@pytest.mark.parametrize("name", BEFORE)
def test_batch_norm_before_a_linear_operator_folds(name: str) -> None:
    last, constants, shape = BEFORE[name]
    proto = model(
        [batch_norm("x", "t"), last], {"x": shape}, {"y": [None] * len(shape)}, {**constants, **statistics(4)}
    )
    found = cleaned(proto).model
    assert ops(found) == {last.op_type: 1}
    assert_equal(proto, found, example(shape))


@pytest.mark.parametrize("op_type", ["ConvTranspose", "Conv"])
def test_a_scale_passes_a_padded_convolution(op_type: str) -> None:
    weights = reals(4, 4, 3, 3)
    nodes = [node("Mul", "x k", "t"), node(op_type, "t w", "y", pads=[1, 1, 1, 1])]
    proto = model(nodes, {"x": IMAGE}, {"y": [None] * 4}, {"w": weights, "k": reals(4, 1, 1, seed=9)})
    found = cleaned(proto).model
    assert ops(found) == {op_type: 1}
    assert_equal(proto, found, example(IMAGE))


def test_a_shift_stays_before_padding() -> None:
    nodes = [batch_norm("x", "t"), node("Conv", "t w", "y", pads=[1, 1, 1, 1])]
    proto = model(nodes, {"x": IMAGE}, {"y": [None] * 4}, {"w": reals(6, 4, 3, 3), **statistics(4)})
    found = cleaned(proto).model
    assert ops(found) == {"Conv": 2}
    assert [n.attributes.get_int("group", 1) for n in found.graph] == [4, 1]
    assert_equal(proto, found, example(IMAGE))


def test_batch_norm_before_two_readers_folds_into_both_or_none() -> None:
    both = [batch_norm("x", "t"), node("Conv", "t w", "y"), node("Conv", "t u", "z")]
    constants = {"w": reals(6, 4, 1, 1), "u": reals(2, 4, 2, 2), **statistics(4)}
    outputs = {"y": [None] * 4, "z": [None] * 4}
    found = cleaned(model(both, {"x": IMAGE}, outputs, constants)).model
    assert ops(found) == {"Conv": 2}
    assert_equal(model(both, {"x": IMAGE}, outputs, constants), found, example(IMAGE))
    mixed = [batch_norm("x", "t"), node("Conv", "t w", "y"), node("Relu", "t", "z")]
    del constants["u"]
    proto = model(mixed, {"x": IMAGE}, outputs, constants)
    found = cleaned(proto).model
    assert ops(found) == {"Conv": 2, "Relu": 1}
    assert_equal(proto, found, example(IMAGE))


def test_weights_of_two_operators_are_not_changed_under_the_other() -> None:
    nodes = [node("Conv", "x w", "t"), batch_norm("t", "y"), node("Conv", "x w", "z")]
    proto = model(nodes, {"x": IMAGE}, {"y": [None] * 4, "z": [None] * 4}, {"w": reals(6, 4, 1, 1), **statistics(6)})
    found = cleaned(proto).model
    assert ops(found) == {"Conv": 2}
    assert_equal(proto, found, example(IMAGE))


def test_a_convolution_read_twice_keeps_its_batch_norm() -> None:
    nodes = [node("Conv", "x w", "t"), batch_norm("t", "u"), node("Add", "t u", "y")]
    proto = model(nodes, {"x": IMAGE}, {"y": [None] * 4}, {"w": reals(4, 4, 1, 1), **statistics(4)})
    found = cleaned(proto).model
    assert ops(found) == {"Conv": 2, "Add": 1}
    assert_equal(proto, found, example(IMAGE))


def test_batch_norm_of_rank_2_becomes_mul_and_add() -> None:
    proto = model([batch_norm("x", "y")], {"x": ["n", 4]}, {"y": ["n", 4]}, statistics(4))
    found = cleaned(proto).model
    assert ops(found) == {"Mul": 1, "Add": 1}
    assert_equal(proto, found, {"x": reals(3, 4)})


def test_training_and_broken_statistics_stay() -> None:
    broken = {**statistics(4), "v": np.full(4, -1, np.float32)}
    nodes = [node("Conv", "x w", "t"), batch_norm("t", "y")]
    proto = model(nodes, {"x": IMAGE}, {"y": [None] * 4}, {"w": reals(4, 4, 1, 1), **broken})
    assert ops(cleaned(proto).model) == {"Conv": 1, "BatchNormalization": 1}


def test_a_scale_beyond_float32_stays() -> None:
    huge = {**statistics(4), "g": np.full(4, 3e38, np.float32), "v": np.full(4, 1e-3, np.float32)}
    for nodes in ([batch_norm("x", "y")], [node("Conv", "x w", "t"), batch_norm("t", "y")]):
        constants = {**huge, **({"w": reals(4, 4, 1, 1)} if len(nodes) > 1 else {})}
        found = cleaned(model(nodes, {"x": IMAGE}, {"y": [None] * 4}, constants)).model
        assert ops(found)["BatchNormalization"] == 1


@pytest.mark.parametrize("constant", [reals(1, 6, 1, 7), reals(7), reals(2, 1, 1, 1, 1), reals(2, 1, 1, 1)])
def test_constants_that_are_not_one_a_channel_stay(constant: np.ndarray) -> None:
    nodes = [node("Conv", "x w", "t"), node("Add", "t k", "y")]
    shape = [2, 4, 7, 7]
    rank = max(4, constant.ndim)
    proto = model(nodes, {"x": shape}, {"y": [None] * rank}, {"w": reals(6, 4, 1, 1), "k": constant})
    found = cleaned(proto).model
    assert ops(found) == {"Conv": 1, "Add": 1}
    assert_equal(proto, found, {"x": reals(*shape)})


def test_a_constant_minus_the_output_and_no_division_by_zero() -> None:
    nodes = [node("Conv", "x w", "t"), node("Sub", "k t", "y")]
    proto = model(nodes, {"x": IMAGE}, {"y": [None] * 4}, {"w": reals(6, 4, 1, 1), "k": reals(6, 1, 1)})
    found = cleaned(proto).model
    assert ops(found) == {"Conv": 1}
    assert_equal(proto, found, example(IMAGE))
    nodes = [node("Conv", "x w", "t"), node("Div", "t k", "y")]
    zero = np.array([1, 0, 2, 3, 4, 5], np.float32).reshape(6, 1, 1)
    assert ops(cleaned(model(nodes, {"x": IMAGE}, {"y": [None] * 4}, {"w": reals(6, 4, 1, 1), "k": zero})).model) == {
        "Conv": 1,
        "Div": 1,
    }


def test_half_precision_weights_stay_half_precision() -> None:
    half = np.float16
    nodes = [node("Cast", "x", "h", to=onnx.TensorProto.FLOAT16), node("Conv", "h w", "t"), batch_norm("t", "u")]
    constants = {"w": reals(6, 4, 1, 1).astype(half), **{k: v.astype(half) for k, v in statistics(6).items()}}
    nodes.append(node("Cast", "u", "y", to=onnx.TensorProto.FLOAT))
    proto = model(nodes, {"x": IMAGE}, {"y": [None] * 4}, constants)
    found = cleaned(proto).model
    assert ops(found) == {"Cast": 2, "Conv": 1}
    assert {v.dtype.name for v in found.graph.initializers.values() if v.dtype} == {"FLOAT16"}
    assert_equal(proto, found, example(IMAGE), tolerance=5e-3)


def test_the_operator_keeps_its_name_and_the_value_that_of_the_last() -> None:
    first = node("Conv", "x w", "t", name="stem")
    nodes = [first, batch_norm("t", "normed"), node("Relu", "normed", "y", name="act")]
    found = cleaned(model(nodes, {"x": IMAGE}, {"y": [None] * 4}, {"w": reals(6, 4, 1, 1), **statistics(6)})).model
    assert [(n.name, n.outputs[0].name) for n in found.graph] == [("stem", "normed"), ("act", "y")]


@settings(max_examples=40)
@given(st.data())
def test_any_chain_of_constants_computes_the_same(data: st.DataObject) -> None:
    channels = data.draw(st.integers(1, 4))
    name = "x"
    nodes, constants = [], {}
    for i in range(data.draw(st.integers(1, 6))):
        kind = data.draw(st.sampled_from(["Conv", "Mul", "Add", "Sub", "Div", "BatchNormalization", "Relu"]))
        new = f"v{i}"
        if kind == "Conv":
            pads = [data.draw(st.integers(0, 1))] * 4
            constants[f"w{i}"] = reals(channels, channels, 1, 1, seed=i)
            nodes.append(node("Conv", f"{name} w{i}", new, pads=pads))
        elif kind == "Relu":
            nodes.append(node("Relu", name, new))
        elif kind == "BatchNormalization":
            constants |= {f"{k}{i}": v for k, v in statistics(channels, seed=i).items()}
            nodes.append(node(kind, f"{name} g{i} b{i} m{i} v{i}", new))
            constants[f"v{i}"] = constants.pop(f"v{i}")
            nodes[-1].input[4] = f"var{i}"
            constants[f"var{i}"] = constants.pop(f"v{i}")
        else:
            shape = data.draw(st.sampled_from([(), (1,), (channels, 1, 1), (1, channels, 1, 1)]))
            constants[f"k{i}"] = np.random.default_rng(i).uniform(0.5, 2, shape).astype(np.float32)
            order = [name, f"k{i}"] if kind == "Div" or data.draw(st.booleans()) else [f"k{i}", name]
            nodes.append(node(kind, " ".join(order), new))
        name = new
    nodes.append(node("Neg", name, "y"))
    proto = model(nodes, {"x": ["n", channels, "h", "w"]}, {"y": [None] * 4}, constants)
    found = cleaned(proto).model
    assert "BatchNormalization" not in ops(found)
    assert_equal(proto, found, {"x": reals(2, channels, 3, 5)}, tolerance=2e-5)
