"""Files that cannot be used: each gives one line that names the file, and nothing but ModelError."""

from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from damaged import in_body, line, model, network, node, outcome, port, put
from onnx import TensorProto

from halfeven.interop import clean_up, read_model


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
