"""Graphs that mean nothing: each gives one line that names the file and the node, and nothing but ModelError."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from damaged import in_body, line, model, network, node, outcome, port, put
from onnx import TensorProto, helper, numpy_helper

from halfeven.errors import ModelError
from halfeven.interop import read_model


def cyclic() -> onnx.ModelProto:
    return model([node("Add", "x b", "a", name="one"), node("Relu", "a", "b", name="two"), node("Neg", "b", "y")])


def with_domain(domain: str, *, imported: bool) -> onnx.ModelProto:
    made = model([node("Frobnicate", "x", "y", name="odd", domain=domain)])
    if imported:
        made.opset_import.append(helper.make_opsetid(domain, 1))
    return made


RELU = [node("Relu", "x", "y")]


def _left_out() -> onnx.ModelProto:
    return model([helper.make_node("Min", ["x", "", "x"], ["y"], name="m")])


def _without_outputs() -> onnx.ModelProto:
    made = model(RELU)
    del made.graph.output[:]
    return made


def _two_opsets() -> onnx.ModelProto:
    made = model(RELU)
    made.opset_import.append(helper.make_opsetid("", 16))
    return made


def _no_opset() -> onnx.ModelProto:
    made = model(RELU)
    del made.opset_import[:]
    return made


def _initializer_twice() -> onnx.ModelProto:
    made = model([node("Add", "x w", "y")], constants={"w": np.ones(8, np.float32)})
    made.graph.initializer.append(made.graph.initializer[0])
    return made


def _without_shape() -> onnx.ModelProto:
    made = model(RELU)
    made.graph.input[0].type.tensor_type.ClearField("shape")
    return made


def _without_type() -> onnx.ModelProto:
    made = model(RELU)
    made.graph.input[0].ClearField("type")
    return made


def _sequence_input() -> onnx.ModelProto:
    sequence = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None)
    return model([node("SequenceAt", "x i", "y")], inputs=[sequence], constants={"i": np.array(0)})


def _sparse() -> onnx.ModelProto:
    made = model([node("Add", "x w", "y")], inputs=[port("x"), port("w", [8])])
    values = numpy_helper.from_array(np.ones(1, np.float32), "w2")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "w2_indices")
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [8]))
    return made


def _recursive() -> onnx.ModelProto:
    made = model([node("F", "x", "y", domain="d")])
    body = [node("F", "a", "b", domain="d")]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("d", 1)]
    made.opset_import.append(imports[1])
    made.functions.append(helper.make_function("d", "F", ["a"], ["b"], body, imports))
    return made


def _zero_step() -> onnx.ModelProto:
    zero = {name: np.array([0]) for name in ("s", "e", "a", "t")}
    return model(
        [node("Slice", "w s e a t", "v"), node("Add", "x v", "y")], constants={"w": np.ones(8, np.float32), **zero}
    )


GRAPHS: dict[str, tuple[onnx.ModelProto, str, str | None]] = {
    "no nodes": (model([]), "has no nodes", None),
    "no outputs": (_without_outputs(), "has no outputs", None),
    "missing input": (model([node("Conv", "x w", "y", name="stem")]), "node 'stem' (Conv) reads 'w'", "stem"),
    "missing input, unnamed": (model([node("Add", "x z", "y")]), "node 'y' (Add) reads 'z'", "y"),
    "missing input in a body": (in_body(node("Relu", "zz", "t")), "reads 'zz'", "t"),
    "missing output": (model(RELU, outputs=[port("z")]), "the output 'z' is produced by no node", None),
    "cycle": (cyclic(), "in a circle: ", None),
    "own input": (model([node("Add", "x y", "y", name="self")]), "in a circle: self -> self", "self"),
    "unknown operator": (model([node("Convv", "x", "y", name="typo")]), "is 'Conv' meant?", "typo"),
    "unknown operator in a body": (in_body(node("Relux", "x", "t")), "is 'Relu' meant?", "t"),
    "operator of a later opset": (model([node("Gelu", "x", "y")]), "exists from opset 20 on", "y"),
    "operator of an earlier opset": (model([node("Upsample", "x x", "y")]), "deprecated in opset 17", "y"),
    "unknown domain": (with_domain("acme.ai", imported=True), "unknown domain 'acme.ai'", "odd"),
    "domain not imported": (with_domain("acme.ai", imported=False), "does not import", "odd"),
    "unknown contrib operator": (with_domain("com.microsoft", imported=True), "'com.microsoft'", "odd"),
    "opset 8": (model(RELU, opset=8), "uses opset 8", None),
    "opset 0": (model(RELU, opset=0), "uses opset 0", None),
    "opset of the future": (model(RELU, opset=999), "install a newer onnx", None),
    "two opsets": (_two_opsets(), "names two versions", None),
    "no opset": (_no_opset(), "names none", None),
    "value twice": (
        model([node("Relu", "x", "y"), node("Abs", "x", "y")]),
        "the name 'y' is given to 2 values",
        None,
    ),
    "value named as the input": (model([node("Relu", "x", "x")], outputs=[port("x")]), "'x' is given", None),
    "input twice": (model(RELU, inputs=[port("x"), port("x")]), "given to 2 inputs", None),
    "output twice": (model(RELU, outputs=[port("y"), port("y")]), "given to 2 outputs", None),
    "initializer twice": (_initializer_twice(), "given to 2 initializers", None),
    "initializer without name": (model(RELU, constants={"": np.zeros(1)}), "has no name", None),
    "output declared smaller": (model(RELU, outputs=[port("y", [1, 3, 8, 7])]), "(8) vs (7)", "y"),
    "output declared flatter": (model(RELU, outputs=[port("y", [1, 3])]), "rank", "y"),
    "output of another type": (model(RELU, outputs=[port("y", [1, 3, 8, 8], 7)]), "type", None),
    "matrices that do not fit": (
        model([node("MatMul", "x w", "y", name="product")], constants={"w": np.ones((9, 2), np.float32)}),
        "Incompatible dimensions",
        "product",
    ),
    "types that do not fit": (
        model([node("Add", "x w", "y", name="sum")], constants={"w": np.ones(8, np.int64)}),
        "inconsistent type",
        "sum",
    ),
    "required input left out": (_left_out(), "leaves out its input 2", "m"),
    "unknown attribute": (model([node("Relu", "x", "y", name="r", alpha=1.0)]), "alpha", "r"),
    "missing attribute": (model([node("Concat", "x x", "y", name="c")]), "axis", "c"),
    "too many inputs": (model([node("Relu", "x x", "y", name="r")]), "input size", "r"),
    "input without shape": (_without_shape(), "the input 'x' has no shape", None),
    "input that is a sequence": (_sequence_input(), "the input 'x' is not a tensor", None),
    "input without type": (_without_type(), "", None),
    "sparse weights": (_sparse(), "sparse tensor", None),
    "recursive function": (_recursive(), "", None),
    "division by zero among constants": (_zero_step(), "", None),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_that_means_nothing_names_its_culprit(name: str, tmp_path: Path) -> None:
    made, words, culprit = GRAPHS[name]
    path = put(tmp_path, made.SerializeToString())
    assert words in line(path)
    assert line(made).startswith("the given model")
    with pytest.raises(ModelError) as caught:
        read_model(path)
    if culprit is not None:
        assert caught.value.node == culprit


OPERATORS = (
    "Conv",
    "BatchNormalization",
    "Relu",
    "Clip",
    "Add",
    "Mul",
    "Div",
    "Reshape",
    "Softmax",
    "Dropout",
    "MatMul",
)
NUMBERS = (0, 1, -1, 2, 100, -(2**63), 2**63 - 1)


def twisted(proto: onnx.ModelProto, chance: np.random.Generator) -> onnx.ModelProto:
    """The model with one operator, operand, attribute, constant or declared shape put wrong."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    graph = made.graph
    names = [name for n in graph.node for name in n.output] + [t.name for t in graph.initializer] + ["x", ""]
    victim = graph.node[chance.integers(len(graph.node))]
    choice = chance.integers(6)
    if choice == 0:
        victim.op_type = str(chance.choice(OPERATORS))
    elif choice == 1 and victim.input:
        victim.input[chance.integers(len(victim.input))] = str(chance.choice(names))
    elif choice == 2:
        victim.input.append(str(chance.choice(names)))
    elif choice == 3:
        del victim.input[-1:]
    elif choice == 4:
        for attribute in victim.attribute:
            attribute.i = NUMBERS[chance.integers(len(NUMBERS))]
            attribute.ints[:] = [NUMBERS[chance.integers(len(NUMBERS))] for _ in attribute.ints]
    else:
        constant = graph.initializer[chance.integers(len(graph.initializer))]
        array = numpy_helper.to_array(constant).reshape(-1).copy()
        array[chance.integers(array.size)] = chance.choice([0, 1, 100])
        shapes = [(-1,), (1, -1), (-1, 1, 1), constant.dims]
        constant.CopyFrom(numpy_helper.from_array(array.reshape(shapes[chance.integers(4)]), constant.name))
    return made


def test_twisted_graphs_give_a_model_or_one_line(tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    proto, lines = network(), []
    for _ in range(250):
        made = twisted(twisted(proto, chance), chance)
        lines.append(outcome(put(tmp_path, made.SerializeToString())))
    assert "" in lines
    assert len(set(lines)) > 20
    assert all("\n" not in text and len(text) < 600 for text in lines)
