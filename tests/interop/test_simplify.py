"""Constants, no-ops, computed shapes: what is left of a graph as exported."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.testing import assert_array_equal
from onnx import TensorProto, helper, numpy_helper
from onnx_build import INT64, Shape, assert_equal, cleaned, graph, model, node, ops, port, reals

from halfeven.interop import clean_up, read_model
from halfeven.interop.passes.fold_constants import FREE_SIZE

X4 = ["n", 3, "h", "w"]
FEED = {"x": reals(2, 3, 4, 6)}


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def between(
    op_type: str, inputs: str = "x", constants: Any = None, shape: Shape = X4, rank: int = 4, **attributes: Any
) -> Any:
    """Relu, then the operator, then Neg."""
    inputs = " ".join("relu" if name == "x" else name for name in inputs.split())
    nodes = [node("Relu", "x", "relu"), node(op_type, inputs, "found", **attributes), node("Neg", "found", "y")]
    proto = model(nodes, {"x": shape}, {"y": [None] * rank}, constants)
    return pytest.param(proto, id=f"{op_type}-{inputs}")


F = np.float32
NO_OPS = [
    between("Identity"),
    between("Dropout"),
    between("Dropout", "x r t", {"r": F(0.5), "t": np.array(False)}),
    between("Cast", to=TensorProto.FLOAT),
    *(between(op_type) for op_type in ("Sum", "Max", "Min", "Mean")),
    between("Concat", axis=1),
    between("Transpose", perm=[0, 1, 2, 3]),
    between("Reshape", "x s", {"s": integers(0, 3, 0, -1)}),
    between("Reshape", "x s", {"s": integers(0, 0, 0, 0)}),
    between("Flatten", shape=["n", 5], rank=2),
    between("Expand", "x s", {"s": integers(1, 3, 1, 1)}),
    between("Expand", "x s", {"s": integers(1)}),
    between("Slice", "x s e a", {"s": integers(0), "e": integers(2**31 - 1), "a": integers(2)}),
    between("Pad", "x s", {"s": integers(*[0] * 8)}),
    between("Resize", "x - s", {"s": np.ones(4, F)}),
    between("Add", "x k", {"k": F(0)}),
    between("Add", "k x", {"k": np.zeros((1, 1), F)}),
    between("Sub", "x k", {"k": F(0)}),
    between("Mul", "k x", {"k": F(1)}),
    between("Div", "x k", {"k": np.ones(1, F)}),
    between("Pow", "x k", {"k": F(1)}),
]
NOT_NO_OPS = [
    between("Dropout", "x r t", {"r": F(0.5), "t": np.array(True)}),
    between("Transpose", perm=[0, 1, 3, 2]),
    between("Reshape", "x s", {"s": integers(0, 3, -1, 2)}),
    between("Slice", "x s e a", {"s": integers(0), "e": integers(-1), "a": integers(2)}),
    between("Slice", "x s e a t", {"s": integers(0), "e": integers(2**31 - 1), "a": integers(2), "t": integers(2)}),
    between("Expand", "x s", {"s": integers(2, 1, 3, 1, 1)}, rank=5),
    between("Pad", "x s", {"s": integers(*[0] * 7, 1)}),
    between("Add", "x k", {"k": np.zeros((2, 1, 1, 1, 1), F)}, rank=5),
    between("Add", "x k", {"k": np.zeros((1, 1, 1, 1, 1), F)}, rank=5),
    between("Sub", "k x", {"k": F(0)}),
    between("Div", "k x", {"k": F(1)}),
    between("Mul", "x k", {"k": F(0)}),
]


@pytest.mark.parametrize("proto", NO_OPS)
def test_a_no_op_goes(proto: onnx.ModelProto) -> None:
    found = cleaned(proto).model
    assert ops(found) == {"Relu": 1, "Neg": 1}
    feed = {"x": reals(2, 5)} if len(proto.graph.input[0].type.tensor_type.shape.dim) == 2 else FEED
    assert_equal(proto, found, feed, tolerance=0)


@pytest.mark.parametrize("proto", NOT_NO_OPS)
def test_what_changes_its_input_stays(proto: onnx.ModelProto) -> None:
    assert len(cleaned(proto).model.graph) == 3


def test_a_no_op_between_input_and_output_becomes_identity() -> None:
    proto = model([node("Dropout", "x", "y")], {"x": X4}, {"y": X4})
    found = cleaned(proto).model
    assert ops(found) == {"Identity": 1}
    assert_equal(proto, found, FEED, tolerance=0)


def test_a_no_op_before_an_output_leaves_the_output_its_name() -> None:
    proto = model([node("Relu", "x", "a"), node("Identity", "a", "y")], {"x": X4}, {"y": X4})
    found = cleaned(proto).model
    assert [(n.op_type, n.outputs[0].name) for n in found.graph] == [("Relu", "y")]
    assert_equal(proto, found, FEED, tolerance=0)


def test_two_outputs_of_one_value_stay_two() -> None:
    nodes = [node("Relu", "x", "y"), node("Identity", "y", "z")]
    proto = model(nodes, {"x": X4}, {"y": X4, "z": X4})
    found = cleaned(proto).model
    assert [v.name for v in found.graph.outputs] == ["y", "z"]
    assert_equal(proto, found, FEED, tolerance=0)


def test_the_mask_of_a_dropout_survives() -> None:
    proto = model([node("Dropout", "x", "y m")], {"x": X4}, {"y": X4})
    proto.graph.output.append(port("m", X4, TensorProto.BOOL))
    assert_equal(proto, cleaned(proto).model, FEED, tolerance=0)


def test_a_cast_and_back_through_fewer_bits_stays() -> None:
    nodes = [node("Cast", "x", "h", to=TensorProto.FLOAT16), node("Cast", "h", "y", to=TensorProto.FLOAT)]
    proto = model(nodes, {"x": X4}, {"y": X4})
    found = cleaned(proto).model
    assert ops(found) == {"Cast": 2}
    assert_equal(proto, found, FEED, tolerance=0)


def constant_node(name: str, **value: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], **value)


def test_weights_behind_constant_identity_cast_transpose_become_initializers() -> None:
    weights = reals(5, 3, 1, 1)
    nodes = [
        constant_node("w0", value=numpy_helper.from_array(weights.transpose(1, 0, 2, 3).astype(np.float64))),
        node("Identity", "w0", "w1"),
        node("Transpose", "w1", "w2", perm=[1, 0, 2, 3]),
        node("Cast", "w2", "w3", to=TensorProto.FLOAT),
        node("Conv", "x w3", "y"),
    ]
    proto = model(nodes, {"x": X4}, {"y": [None] * 4})
    found = cleaned(proto).model
    assert ops(found) == {"Conv": 1}
    (kept,) = found.graph.initializers.values()
    assert kept.const_value is not None
    assert_array_equal(kept.const_value.numpy(), weights)


def test_constants_of_every_spelling() -> None:
    nodes = [
        constant_node("a", value_float=2.0),
        constant_node("b", value_floats=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        constant_node("i", value_int=1),
        constant_node("j", value_ints=[2]),
        node("Mul", "x a", "p"),
        node("Add", "p b", "q"),
        node("Concat", "j j", "e", axis=0),
        node("Gather", "q i", "g", axis=1),
        node("Unsqueeze", "g e0", "u"),
        node("Neg", "u", "y"),
    ]
    nodes.insert(4, node("Sub", "e1 e1", "e0"))
    nodes.insert(4, constant_node("e1", value_ints=[7]))
    nodes = [n for n in nodes if n.output[0] != "e"]
    proto = model(nodes, {"x": X4}, {"y": [None] * 4})
    found = cleaned(proto).model
    assert not {"Constant", "Sub"} & set(ops(found))
    assert_equal(proto, found, FEED)


def test_inputs_with_a_default_become_constants() -> None:
    proto = model([node("Conv", "x w", "y")], {"x": X4, "w": [2, 3, 1, 1]}, {"y": [None] * 4}, {"w": reals(2, 3, 1, 1)})
    found = read_model(proto)
    assert [v.name for v in found.graph.inputs] == ["x"]
    assert_equal(proto, found, FEED, tolerance=0)


def test_a_constant_that_is_an_output_stays() -> None:
    nodes = [constant_node("k", value_float=2.0), node("Relu", "x", "y")]
    proto = model(nodes, {"x": X4}, {"y": X4, "k": []})
    found = cleaned(proto).model
    assert_equal(proto, found, FEED, tolerance=0)


def test_folding_does_not_blow_up_the_model() -> None:
    nodes = [
        node("Expand", "k s", "big"),
        node("ReduceSum", "big", "r", keepdims=0),
        node("Mul", "x r", "y"),
    ]
    huge = integers(FREE_SIZE, FREE_SIZE, 16)
    proto = model(nodes, {"x": X4}, {"y": [None] * 4}, {"k": np.ones(1, F), "s": huge})
    assert ops(cleaned(proto).model)["Expand"] == 1
    unknown = model([node("Range", "a b c", "r"), node("Relu", "r", "y")], {"x": [1]}, {"y": [None]})
    unknown.graph.initializer.extend(
        numpy_helper.from_array(np.array(v, np.float32), n) for n, v in {"a": 0, "b": 1e12, "c": 1}.items()
    )
    assert ops(cleaned(unknown).model) == {"Range": 1, "Relu": 1}


def test_quantize_and_dequantize_of_constants_stay() -> None:
    nodes = [node("QuantizeLinear", "w s z", "q"), node("DequantizeLinear", "q s z", "d"), node("MatMul", "x d", "y")]
    constants = {"w": reals(3, 4), "s": F(0.1), "z": np.int8(0)}
    proto = model(nodes, {"x": ["n", 3]}, {"y": ["n", 4]}, constants)
    assert ops(cleaned(proto).model) == {"QuantizeLinear": 1, "DequantizeLinear": 1, "MatMul": 1}


def flatten_by_shape(*, batch: list[onnx.NodeProto]) -> onnx.ModelProto:
    nodes = [
        node("Relu", "x", "a"),
        node("Shape", "a", "s"),
        *batch,
        node("Concat", "b minus", "t", axis=0),
        node("Reshape", "a t", "y"),
    ]
    constants = {"zero": integers(0), "one": integers(1), "minus": integers(-1), "scalar0": np.int64(0)}
    return model(nodes, {"x": X4}, {"y": [None, None]}, constants)


@pytest.mark.parametrize(
    "batch",
    [
        [node("Slice", "s zero one zero", "b")],
        [node("Gather", "s zero", "b")],
        [node("Gather", "s scalar0", "g"), node("Unsqueeze", "g zero", "b")],
        [
            node("Cast", "s", "c", to=TensorProto.INT32),
            node("Gather", "c scalar0", "g"),
            node("Cast", "g", "h", to=INT64),
            node("Reshape", "h minus", "b"),
        ],
        [node("Slice", "s zero one", "b0"), node("Mul", "b0 one", "b")],
    ],
)
def test_a_target_computed_from_the_batch_becomes_constant_and_stays_dynamic(batch: list[onnx.NodeProto]) -> None:
    proto = flatten_by_shape(batch=batch)
    found = cleaned(proto).model
    assert ops(found) == {"Relu": 1, "Reshape": 1}
    assert_equal(proto, found, FEED, {"x": reals(5, 3, 2, 2)}, tolerance=0)


def test_several_dynamic_sizes_survive_in_a_target() -> None:
    """(n, 3, h, w) -> (n, 3, h * w) with n and the product unknown; h and w both in the target would be ambiguous."""
    nodes = [
        node("Shape", "x", "s"),
        node("Slice", "s zero two zero", "nc"),
        node("Concat", "nc minus", "t", axis=0),
        node("Reshape", "x t", "r"),
        node("Transpose", "r", "y", perm=[0, 2, 1]),
    ]
    constants = {"zero": integers(0), "two": integers(2), "minus": integers(-1)}
    proto = model(nodes, {"x": X4}, {"y": [None] * 3}, constants)
    found = cleaned(proto).model
    assert ops(found) == {"Reshape": 1, "Transpose": 1}
    assert_equal(proto, found, FEED, {"x": reals(4, 3, 3, 5)}, tolerance=0)


@pytest.mark.parametrize(("zero", "settled"), [(False, True), (True, False)])
def test_reshape_that_allows_zero(zero: bool, settled: bool) -> None:
    """With allowzero a literal 0 means no elements: only a target without one is settled."""
    nodes = [node("Shape", "x", "s", start=0, end=1), node("Concat", "s rest", "t", axis=0)]
    nodes.append(node("Reshape", "x t", "y", allowzero=1))
    shape = ["n", 0 if zero else 3, "h", "w"]
    proto = model(nodes, {"x": shape}, {"y": [None, None]}, {"rest": integers(0 if zero else -1)})
    found = cleaned(proto).model
    assert ops(found) == ({"Reshape": 1} if settled else {"Shape": 1, "Concat": 1, "Reshape": 1})
    assert_equal(proto, found, {"x": reals(2, 0 if zero else 3, 2, 2)}, tolerance=0)


def test_two_sizes_that_nothing_tells_stay_computed() -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s order", "t"),
        node("Reshape", "x t", "y"),
    ]
    proto = model(nodes, {"x": X4}, {"y": [None] * 4}, {"order": integers(2, 3, 0, 1)})
    found = cleaned(proto).model
    assert ops(found) == {"Shape": 1, "Gather": 1, "Reshape": 1}
    assert_equal(proto, found, FEED, tolerance=0)


def test_a_static_shape_chain_folds_away() -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s two", "h"),
        node("Cast", "h", "f", to=TensorProto.FLOAT),
        node("Div", "x f", "y"),
    ]
    proto = model(nodes, {"x": ["n", 3, 4, 6]}, {"y": [None] * 4}, {"two": np.int64(2)})
    found = cleaned(proto).model
    assert ops(found) == {"Div": 1}
    assert_equal(proto, found, FEED)


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax"])
def test_an_old_softmax_over_the_last_axis_is_unwrapped(op_type: str) -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Slice", "s", "b", axes=[0], starts=[0], ends=[1]),
        node("Concat", "b rest", "t", axis=0),
        node("Reshape", "x t", "r"),
        node(op_type, "r", "y", axis=2),
    ]
    proto = model(nodes, {"x": X4}, {"y": [None] * 3}, {"rest": integers(-1, 6)}, opset=9)
    found = cleaned(proto).model
    assert ops(found) == {"Reshape": 1, op_type: 1}
    assert_equal(proto, found, FEED)


def test_matmul_and_bias() -> None:
    for shape, expected in ((["n", 3], {"Gemm": 1}), (["n", "t", 3], {"MatMul": 1, "Add": 1})):
        nodes = [node("MatMul", "x w", "t", name="product"), node("Add", "b t", "y")]
        proto = model(nodes, {"x": shape}, {"y": [None] * len(shape)}, {"w": reals(3, 5), "b": reals(5)})
        found = cleaned(proto).model
        assert ops(found) == expected
        assert found.graph[0].name == "product"
        marks = [n.metadata_props.get("halfeven.bias_of") for n in found.graph if n.op_type == "Add"]
        assert marks == ["product"] * len(marks)
        assert_equal(proto, found, {"x": reals(4, *[2] * (len(shape) - 2), 3)})


@pytest.mark.parametrize("bias", [reals(4, 5), reals(1, 1, 5)])
def test_a_matmul_with_a_bias_of_more_axes_stays(bias: np.ndarray) -> None:
    nodes = [node("MatMul", "x w", "t"), node("Add", "t b", "y")]
    proto = model(nodes, {"x": [4, 3]}, {"y": [None] * bias.ndim}, {"w": reals(3, 5), "b": bias})
    found = cleaned(proto).model
    assert ops(found) == {"MatMul": 1, "Add": 1}
    assert_equal(proto, found, {"x": reals(4, 3)})


def test_the_given_model_is_not_changed() -> None:
    proto = model([node("Identity", "x", "a"), node("Relu", "a", "y")], {"x": X4}, {"y": X4})
    found = read_model(proto)
    clean_up(found)
    assert ops(found) == {"Identity": 1, "Relu": 1}


def test_cleaning_twice_changes_nothing_more() -> None:
    nodes = [node("Conv", "x w", "t"), node("Add", "t k", "u"), node("Sigmoid", "u", "s"), node("Mul", "u s", "y")]
    proto = model(nodes, {"x": X4}, {"y": [None] * 4}, {"w": reals(3, 3, 1, 1), "k": reals(3, 1, 1)})
    once = cleaned(proto).model
    twice = clean_up(once)
    assert not any(step.count for step in twice.steps)
    assert ops(twice.model) == ops(once)


def test_bodies_of_loops_stay_as_they_are() -> None:
    then = graph([node("Identity", "x", "i"), node("Relu", "i", "t")], {}, {"t": X4})
    other = graph([node("Identity", "a", "e")], {}, {"e": X4})
    nodes = [
        node("Identity", "x", "a0"),
        node("Relu", "a0", "a"),
        node("If", "c", "y", then_branch=then, else_branch=other),
    ]
    proto = model(nodes, {"x": X4}, {"y": X4})
    proto.graph.input.append(port("c", [], TensorProto.BOOL))
    found = cleaned(proto).model
    assert ops(found) == {"Relu": 1, "If": 1}
    for choice in (True, False):
        assert_equal(proto, found, {**FEED, "c": np.array(choice)}, tolerance=0)


def test_names_are_kept_or_made_unique() -> None:
    nodes = [node("Relu", "x", "a", name="r"), node("Neg", "a", "b", name="r"), node("Abs", "b", "y")]
    found = cleaned(model(nodes, {"x": X4}, {"y": X4})).model
    assert [n.name for n in found.graph] == ["r", "r_1", "y"]


def test_steps_name_what_was_done() -> None:
    proto = model([node("Identity", "x", "a"), node("Relu", "a", "y")], {"x": X4}, {"y": X4})
    done = cleaned(proto)
    assert {step.name: step.count for step in done.steps}["no-ops removed"] == 1
    assert str(done) == "no-ops removed: 1"


def test_unread_constants_go_and_dynamic_sizes_stay() -> None:
    proto = model([node("Relu", "x", "y")], {"x": X4}, {"y": [None] * 4}, {"left": reals(3)})
    found = cleaned(proto).model
    assert not found.graph.initializers
    shape = found.graph.outputs[0].shape
    assert shape is not None
    assert [d if isinstance(d, int) else d.value for d in shape] == X4
