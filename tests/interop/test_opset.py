"""Conversion to opset 21: every operator that changed since opset 9 computes what it did, in onnxruntime."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper
from onnx_build import INT64, graph, model, node, port, reals, run

from halfeven.errors import ModelError
from halfeven.interop import read_model, to_bytes
from halfeven.interop.opset.adapters import ADAPTERS

Nodes = list[onnx.NodeProto]
X = {"x": ["n", 3, "h", "w"]}
Y = {"y": [None, None, None, None]}


def one(op_type: str, inputs: str, opset: int, constants: Any = None, rank: int = 4, **attributes: Any) -> Any:
    made = model([node(op_type, inputs, "y", **attributes)], X, {"y": [None] * rank}, constants, opset)
    return pytest.param(made, id=f"{op_type}-{opset}-{'-'.join(attributes)}-{len(constants or ())}")


def scales(*values: float) -> dict[str, np.ndarray]:
    return {"s": np.array(values, np.float32)}


CASES = [
    one("Clip", "x", 9, min=-0.5, max=0.5),
    one("Clip", "x", 10, max=0.5),
    one("Clip", "x", 9),
    one("Pad", "x", 9, pads=[0, 0, 1, 1, 0, 0, 0, 2], value=1.5),
    one("Pad", "x", 10, pads=[0, 0, 1, 1, 0, 0, 0, 2], mode="reflect"),
    one("Slice", "x", 9, axes=[2, 3], starts=[1, 0], ends=[3, -1]),
    one("Slice", "x", 9, starts=[0, 0, 1], ends=[2, 2, 3]),
    one("Upsample", "x s", 9, scales(1, 1, 2, 3), mode="nearest"),
    one("Upsample", "x s", 9, scales(1, 1, 2, 3), mode="linear"),
    one("Resize", "x s", 10, scales(1, 1, 1.5, 2), mode="nearest"),
    one("Resize", "x s", 10, scales(1, 1, 0.5, 0.6), mode="nearest"),
    one("Resize", "x s", 10, scales(1, 1, 1.5, 0.5), mode="linear"),
    one("Resize", "x s", 10, scales(1, 1, 1.5, 2)),
    one("Resize", "x r s", 11, {"r": np.zeros(0, np.float32), **scales(1, 1, 1.5, 2)}, mode="linear"),
    one(
        "Resize",
        "x r e z",
        11,
        {"r": np.zeros(0, np.float32), "e": np.zeros(0, np.float32), "z": np.array([2, 3, 7, 5])},
        mode="cubic",
    ),
    one("Softmax", "x", 9),
    one("Softmax", "x", 11, axis=2),
    one("Softmax", "x", 11, axis=3),
    one("Softmax", "x", 12, axis=-1),
    one("LogSoftmax", "x", 12, axis=1),
    one("Hardmax", "x", 11, axis=1),
    one("Squeeze", "x", 11, rank=3, axes=[0]),
    one("Unsqueeze", "x", 11, rank=6, axes=[0, -1]),
    one("ReduceSum", "x", 11, rank=2, axes=[1, -1], keepdims=0),
    one("ReduceSum", "x", 11, rank=0, keepdims=0),
    *(
        one(f"Reduce{name}", "x", opset, rank=4, axes=[-1, 1])
        for opset, name in zip(
            (9, 11, 13, 17, 9, 11, 13, 17, 12),
            ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"),
            strict=True,
        )
    ),
    one("ReduceMean", "x", 17, keepdims=1),
    one("Dropout", "x", 9, ratio=0.3),
    one("Dropout", "x", 10),
    one("BatchNormalization", "x s s s s", 9, scales(1, 2, 3)),
    one("AveragePool", "x", 9, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    one("MaxPool", "x", 9, kernel_shape=[2, 2]),
    one("RoiAlign", "x r b", 10, {"r": np.array([[0, 0, 3, 3]], np.float32), "b": np.array([0])}, output_height=2),
    one("GridSample", "x g", 16, {"g": np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 2, 4, 2)}, mode="bicubic"),
    one("GridSample", "x g", 16, {"g": np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 2, 4, 2)}),
    one("Cast", "x", 9, to=TensorProto.FLOAT),
]


def feed(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    x = (
        reals(1, 3, 6, 10)
        if any(n.op_type in ("Squeeze", "GridSample") for n in proto.graph.node)
        else reals(2, 3, 4, 6)
    )
    return {"x": np.abs(x) if any("Log" in n.op_type for n in proto.graph.node) else x}


@pytest.mark.parametrize("proto", CASES)
def test_a_converted_operator_computes_the_same(proto: onnx.ModelProto) -> None:
    found = read_model(proto)
    assert found.opset_imports[""] == 21
    onnx.checker.check_model(onnx.load_from_string(to_bytes(found)), full_check=True)
    for before, after in zip(run(proto, feed(proto)), run(found, feed(proto)), strict=True):
        assert before.size > 0
        assert_allclose(after, before, rtol=2e-6, atol=1e-6)


def test_split_by_sizes_and_into_equal_parts() -> None:
    nodes = [node("Split", "x", "a b", axis=3, split=[2, 4]), node("Split", "b", "c d", axis=-1)]
    proto = model(nodes, X, {name: [None] * 4 for name in "acd"}, opset=11)
    for before, after in zip(
        run(proto, {"x": reals(2, 3, 4, 6)}), run(read_model(proto), {"x": reals(2, 3, 4, 6)}), strict=True
    ):
        assert_array_equal(after, before)


def test_top_k_takes_k_as_an_input() -> None:
    proto = model([node("TopK", "x", "y i", k=2)], X, Y, opset=9)
    proto.graph.output.append(port("i", [None] * 4, INT64))
    for before, after in zip(
        run(proto, {"x": reals(2, 3, 4, 6)}), run(read_model(proto), {"x": reals(2, 3, 4, 6)}), strict=True
    ):
        assert_array_equal(after, before)


def test_scatter_becomes_scatter_elements() -> None:
    constants = {"i": np.array([[1, 3]]), "u": np.ones((1, 2), np.float32)}
    proto = model([node("Scatter", "x i u", "y", axis=1)], {"x": [1, 5]}, {"y": [1, 5]}, constants, opset=9)
    found = read_model(proto)
    assert [n.op_type for n in found.graph] == ["ScatterElements"]
    assert_array_equal(run(found, {"x": reals(1, 5)})[0], run(proto, {"x": reals(1, 5)})[0])


def test_dft_of_opset_17_transforms_axis_1_by_default() -> None:
    proto = model([node("DFT", "x", "y")], {"x": [1, 5, 4, 1]}, {"y": [1, 5, 4, 2]}, opset=17)
    x = reals(1, 5, 4, 1)
    expected = np.fft.fft(x[..., 0], axis=1)
    y = run(read_model(proto), {"x": x})[0]
    assert_allclose(y[..., 0] + 1j * y[..., 1], expected, rtol=1e-5, atol=1e-5)


def test_bodies_of_if_are_converted() -> None:
    then = graph([node("Squeeze", "u", "t", axes=[0])], {}, {"t": [None] * 4})
    other = graph([node("ReduceSum", "u", "e", axes=[0], keepdims=0)], {}, {"e": [None] * 4})
    nodes = [node("Unsqueeze", "x", "u", axes=[0]), node("If", "c", "y", then_branch=then, else_branch=other)]
    proto = model(nodes, X, Y, opset=11)
    proto.graph.input.append(port("c", [], TensorProto.BOOL))
    found = read_model(proto)
    for choice in (True, False):
        given = {"x": reals(2, 3, 4, 6), "c": np.array(choice)}
        assert_array_equal(run(found, given)[0], run(proto, given)[0])


def test_functions_of_the_file_are_converted_and_inlined() -> None:
    made = helper.make_function(
        "mine",
        "Halve",
        ["a"],
        ["b"],
        [node("ReduceMean", "a", "m", axes=[1]), node("Sub", "a m", "b")],
        [helper.make_opsetid("", 17)],
    )
    proto = model([node("Halve", "x", "y", domain="mine")], X, Y, opset=17)
    proto.opset_import.append(helper.make_opsetid("mine", 1))
    proto.functions.append(made)
    found = read_model(proto)
    assert not found.functions
    assert [n.op_type for n in found.graph] == ["ReduceMean", "Sub"]
    assert_array_equal(run(found, {"x": reals(2, 3, 4, 6)})[0], run(proto, {"x": reals(2, 3, 4, 6)})[0])


def test_a_newer_opset_is_kept() -> None:
    newest = min(23, onnx.defs.onnx_opset_version())
    assert read_model(model([node("Relu", "x", "y")], X, Y, opset=newest)).opset_imports[""] == newest


def test_metadata_and_names_survive() -> None:
    proto = model([node("Clip", "x", "y", name="keep", min=0.0)], X, Y, opset=9)
    helper.set_model_props(proto, {"characters": "abc"})
    found = read_model(proto)
    assert found.metadata_props == {"characters": "abc"}
    assert [n.name for n in found.graph] == ["keep"]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            model([node("BatchNormalization", "x s s s s", "y m v n w")], X, {**Y, "m": [3]}, scales(1, 2, 3), 9),
            "training",
        ),
        (model([node("Resize", "x s", "y")], X, Y, scales(1, 1, 2, 0.5), 10), "shrinks"),
    ],
)
def test_what_opset_21_cannot_say_is_refused(made: onnx.ModelProto, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read_model(made)
    assert caught.value.node == "y"


def test_every_operator_whose_signature_changed_has_an_adapter() -> None:
    """From opset 9 to 21: an input or attribute that went away, or an operator that was renamed."""
    changed = set()
    history: dict[str, list[onnx.defs.OpSchema]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            history.setdefault(schema.name, []).append(schema)
    for name, schemas in history.items():
        schemas.sort(key=lambda s: s.since_version)
        for old, new in itertools.pairwise(schemas):
            if 9 < new.since_version <= 21 and (set(old.attributes) - set(new.attributes) or new.deprecated):
                changed.add((name, new.since_version))
    changed = {(name, 11 if name == "Scatter" else since) for name, since in changed}
    assert changed <= set(ADAPTERS)


def test_the_model_stays_checked_after_conversion_of_everything_at_once() -> None:
    nodes = [
        node("Clip", "x", "a", min=0.0, max=6.0),
        node("Unsqueeze", "a", "b", axes=[0]),
        node("Squeeze", "b", "c", axes=[0]),
        node("Softmax", "c", "y", axis=2),
    ]
    found = read_model(model(nodes, X, Y, opset=10))
    assert isinstance(found, ir.Model)
    assert all(n.name for n in found.graph)
    assert not any(n.op_type == "Constant" for n in found.graph)
