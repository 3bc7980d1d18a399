"""Models to damage, and the one line that reading them must end in."""

from __future__ import annotations

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


def put(folder: Path, data: bytes) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(data)
    return path


def in_body(body: onnx.NodeProto) -> onnx.ModelProto:
    graphs = [helper.make_graph([body], "body", [], [port("t", [None] * 4)]) for _ in range(2)]
    made = node("If", "c", "y", then_branch=graphs[0], else_branch=graphs[1])
    return model([made], constants={"c": np.array(True)})
