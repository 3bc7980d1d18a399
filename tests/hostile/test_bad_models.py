"""Models that cannot be used: each gives one line that names the file and the node, and nothing but ModelError."""

from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from halfeven.errors import ModelError
from halfeven.interop import clean_up, read_model

Nodes = list[onnx.NodeProto]


def node(op_type: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs.split(), outputs.split(), **attributes)


def port(name: str, shape: Any = (1, 3, 8, 8), dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: Nodes, inputs: Any = None, outputs: Any = None, constants: Any = None, opset: int = 17
) -> onnx.ModelProto:
    initializers = [numpy_helper.from_array(a, name) for name, a in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", inputs or [port("x")], outputs or [port("y", [None] * 4)], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def network() -> onnx.ModelProto:
    """A few layers, a subgraph, weights: what a real file is made of."""
    chance = np.random.default_rng(0)
    constants = {
        "w1": chance.normal(size=(8, 3, 3, 3)).astype(np.float32),
        "w2": chance.normal(size=(8, 8, 3, 3)).astype(np.float32),
        "c": np.array(True),
        **{name: chance.uniform(0.5, 1, 8).astype(np.float32) for name in "sbmv"},
    }
    then = helper.make_graph([node("Relu", "b2", "t")], "then", [], [port("t", None)])
    other = helper.make_graph([node("Abs", "b2", "e")], "else", [], [port("e", None)])
    for body in (then, other):
        body.output[0].type.tensor_type.shape.dim.extend([onnx.TensorShapeProto.Dimension()] * 4)
    nodes = [
        node("Conv", "x w1", "a1", name="first", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "a1 s b m v", "b1", name="normed"),
        node("Conv", "b1 w2", "b2", name="second"),
        node("If", "c", "y", name="choice", then_branch=then, else_branch=other),
    ]
    return model(nodes, constants=constants)


def line(source: Any, *, about: str = "") -> str:
    """The one line that reading this ends in; ``about`` is what it must name."""
    with pytest.raises(ModelError) as caught:
        clean_up(read_model(source))
    message = str(caught.value)
    assert "\n" not in message
    assert 20 < len(message) < 500
    assert ":" in message
    assert about in message
    if isinstance(source, Path):
        assert message.startswith(str(source))
        assert caught.value.source == str(source)
    return message


def outcome(path: Path) -> str:
    """The one line, or nothing where the file can be read after all; any other exception fails the test."""
    try:
        clean_up(read_model(path))
    except ModelError as error:
        return str(error)
    return ""


# -- files that are no models --------------------------------------------------------------------------------------


def put(folder: Path, data: bytes) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(data)
    return path


def test_no_such_file_a_folder_a_file_as_a_folder(tmp_path: Path) -> None:
    assert "no such file" in line(tmp_path / "none.onnx")
    assert "is a folder" in line(tmp_path)
    assert "no such file" in line(put(tmp_path, b"x") / "inside.onnx")
    assert "cannot be read" in outcome(Path("\0.onnx"))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.onnx")
    assert "not a regular file" in line(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"hello, this is a recipe\n", "a text file"),
        ("ir_version: 8\n".encode("utf-16"), "not an ONNX model"),
        (b'{"model": "json"}', "a text file"),
        ("ein Gr\u00fc\u00dfwort".encode(), "a text file"),
        (b"\x00" * 64, "not an ONNX model"),
        (b"\xff" * 64, "not an ONNX model"),
        (b"PK\x03\x04" + b"\x00" * 60, "zip archive"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1c\x00\x00\x00TFL3\x00\x00", "TensorFlow Lite"),
        (gzip.compress(b"x" * 100, mtime=0), "gzip"),
        (pickle.dumps({"weights": [1, 2]}, protocol=2), "pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x08\x08", "truncated or damaged"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "truncated or damaged"),
    ],
    ids=range(15),
)
def test_what_is_not_onnx_is_called_by_its_name(tmp_path: Path, data: bytes, words: str) -> None:
    assert words in line(put(tmp_path, data))


def test_a_model_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    data = network().SerializeToString()
    sampled = np.random.default_rng(1).integers(4, len(data), 60)
    for cut in sorted({1, 2, 3, 10, len(data) - 1, len(data) - 2, len(data) // 2, *sampled.tolist()}):
        line(put(tmp_path, data[:cut]))


def flipped(data: bytes, count: int, chance: np.random.Generator) -> bytes:
    broken = np.frombuffer(data, np.uint8).copy()
    broken[chance.integers(0, len(data), count)] = chance.integers(0, 256, count)
    return broken.tobytes()


def test_flipped_bytes_give_a_model_or_one_line(tmp_path: Path) -> None:
    data, chance = network().SerializeToString(), np.random.default_rng(2)
    lines = [outcome(put(tmp_path, flipped(data, chance.integers(1, 5), chance))) for _ in range(150)]
    assert any(lines)
    assert all("\n" not in text and len(text) < 600 for text in lines)


def test_damaged_names_and_structure_give_a_model_or_one_line(tmp_path: Path) -> None:
    """Flips among the bytes of the graph alone, weights left out, so that nearly every one matters."""
    proto = network()
    del proto.graph.initializer[:]
    for name, shape in {"w1": [8, 3, 3, 3], "w2": [8, 8, 3, 3], "s": [8], "b": [8], "m": [8], "v": [8]}.items():
        proto.graph.input.append(port(name, shape))
    proto.graph.input.append(port("c", [], TensorProto.BOOL))
    data, chance = proto.SerializeToString(), np.random.default_rng(3)
    lines = [outcome(put(tmp_path, flipped(data, 1, chance))) for _ in range(300)]
    assert any(lines)
    assert all("\n" not in text and len(text) < 600 for text in lines)


def test_bytes_of_nothing_in_particular(tmp_path: Path) -> None:
    chance = np.random.default_rng(4)
    for size in (1, 7, 64, 1000, 20000):
        line(put(tmp_path, chance.bytes(size)))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    """A graph in a node in a graph, 200 times."""

    def field(number: int, inside: bytes) -> bytes:
        size, length = len(inside), bytearray()
        while size > 0x7F:
            length.append(0x80 | size & 0x7F)
            size >>= 7
        return bytes([number << 3 | 2]) + bytes([*length, size]) + inside

    graph = b""
    for _ in range(200):
        graph = field(1, field(5, field(6, graph)))  # GraphProto.node, NodeProto.attribute, AttributeProto.g
    assert "damaged" in line(put(tmp_path, b"\x08\x08" + field(7, graph)))


# -- graphs that mean nothing --------------------------------------------------------------------------------------


def cyclic() -> onnx.ModelProto:
    return model([node("Add", "x b", "a", name="one"), node("Relu", "a", "b", name="two"), node("Neg", "b", "y")])


def in_body(body: onnx.NodeProto) -> onnx.ModelProto:
    graphs = [helper.make_graph([body], "body", [], [port("t", [None] * 4)]) for _ in range(2)]
    made = node("If", "c", "y", then_branch=graphs[0], else_branch=graphs[1])
    return model([made], constants={"c": np.array(True)})


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


# -- tensors that lie ----------------------------------------------------------------------------------------------


def tensor(**fields: Any) -> TensorProto:
    return TensorProto(name="w", data_type=TensorProto.FLOAT, **fields)


def external(location: str = "w.bin", **info: object) -> TensorProto:
    made = tensor(dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **info}.items():
        made.external_data.add(key=key, value=str(value))
    return made


LIES = {
    "exabytes": (tensor(dims=[2**40, 2**20], raw_data=b"1234"), "but holds 4"),
    "a product beyond 64 bits": (tensor(dims=[2**62, 2**62, 2**62], raw_data=b""), "but holds 0"),
    "negative": (tensor(dims=[-4], raw_data=b"1" * 16), "cannot be negative"),
    "too few bytes": (tensor(dims=[5], raw_data=b"1" * 16), "20 bytes, but holds 16"),
    "too many bytes": (tensor(dims=[3], raw_data=b"1" * 16), "12 bytes, but holds 16"),
    "too few values": (tensor(dims=[3], float_data=[1, 2]), "3 values, but holds 2"),
    "values of another type": (tensor(dims=[3], int64_data=[1, 2, 3]), "3 values, but holds 0"),
    "nothing at all": (tensor(dims=[3]), "but holds 0"),
    "unknown type": (TensorProto(name="w", data_type=99, dims=[1], raw_data=b"1"), "unknown data type 99"),
    "no type": (TensorProto(name="w", dims=[1], raw_data=b"1"), "no data type"),
}


@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("where", ["initializer", "constant", "body"])
def test_a_tensor_that_is_not_what_it_declares(name: str, where: str, tmp_path: Path) -> None:
    lie, words = LIES[name]
    if where == "initializer":
        made = model([node("Add", "x w", "y")])
        made.graph.initializer.append(lie)
    elif where == "constant":
        made = model([node("Constant", "", "w", value=lie), node("Add", "x w", "y")])
    else:
        made = in_body(node("Constant", "", "t", value=lie))
    assert words in line(put(tmp_path, made.SerializeToString()))


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (external(), "does not exist"),
        (external("missing/w.bin"), "does not exist"),
        (external("../../../../etc/passwd"), "outside the model's own folder"),
        (external("/etc/passwd"), "outside the model's own folder"),
        (external(""), "outside the model's own folder"),
        (external("."), "does not exist"),
        (external("short.bin"), "does not hold so many bytes"),
        (external("long.bin", offset=10**9), "does not hold so many bytes"),
        (external("long.bin", offset=-4), "does not hold so many bytes"),
        (external("long.bin", length=12), "does not hold so many bytes"),
        (external("long.bin", offset="many"), "does not hold so many bytes"),
        (external("away.bin"), "outside the model's own folder"),
        (external("hard.bin"), "hard links"),
    ],
)
def test_external_data_that_is_not_there(lie: TensorProto, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    (folder / "short.bin").write_bytes(bytes(8))
    (folder / "long.bin").write_bytes(bytes(64))
    (folder / "away.bin").symlink_to(tmp_path / "secret.bin")
    os.link(tmp_path / "secret.bin", folder / "hard.bin")
    made = model([node("Add", "x w", "y")], inputs=[port("x", [4])], outputs=[port("y", [4])])
    made.graph.initializer.append(lie)
    assert words in line(put(folder, made.SerializeToString()), about="w")


def test_external_data_of_a_model_in_memory_has_no_folder() -> None:
    made = model([node("Add", "x w", "y")], inputs=[port("x", [4])], outputs=[port("y", [4])])
    made.graph.initializer.append(external())
    assert "pass the path of the .onnx file" in line(made)


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b"stem", b"first_output", b"Relu", b"input_x", b"height"])
def test_a_name_that_is_not_utf8(name: bytes, tmp_path: Path) -> None:
    made = model(
        [node("Abs", "input_x", "first_output", name="stem"), node("Relu", "first_output", "y")],
        inputs=[port("input_x", [1, 3, "height", 8])],
    )
    data = made.SerializeToString().replace(name, b"\xff\xfe" + name[2:])
    message = line(put(tmp_path, data))
    assert "UTF-8" in message or "truncated or damaged" in message


def test_an_attribute_that_is_not_utf8() -> None:
    made = model([node("MaxPool", "x", "y", kernel_shape=[1, 1], auto_pad=b"\xff\xfe")])
    assert "UTF-8" in line(made)


@pytest.mark.parametrize("name", ["", " ", "a/b:c", "\u540d\u524d", "new\nline", "x" * 5000, "'; drop"])
def test_odd_names_are_only_names(name: str) -> None:
    made = model([node("Relu", "x", "y", name=name), node("Neg", "y", "z")], outputs=[port("z", [None] * 4)])
    assert [n.op_type for n in clean_up(read_model(made)).model.graph] == ["Relu", "Neg"]


# -- valid files of graphs nobody would make -----------------------------------------------------------------------

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
