"""Inputs and outputs in words."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from onnx_build import model, node, port, reals

from halfeven.interop import Description, Port, describe, read_model


def test_names_types_and_shapes_in_the_models_order() -> None:
    proto = model(
        [node("Relu", "b", "y"), node("ArgMax", "a", "i", axis=1)], {"b": ["n", 3, 4], "a": [2, 3]}, {"y": ["n", 3, 4]}
    )
    proto.graph.output.append(port("i", [2, 1], TensorProto.INT64))
    assert describe(read_model(proto)) == Description(
        (Port("b", "float32", ("n", 3, 4)), Port("a", "float32", (2, 3))),
        (Port("y", "float32", ("n", 3, 4)), Port("i", "int64", (2, 1))),
    )


def test_a_port_prints_and_knows_what_fits() -> None:
    wanted = Port("x", "float32", ("n", 3, None))
    assert str(wanted) == "x: float32 (n, 3, ?)"
    assert wanted.accepts(np.zeros((5, 3, 7), np.float32))
    assert not wanted.accepts(np.zeros((5, 3, 7)))
    assert not wanted.accepts(np.zeros((5, 4, 7), np.float32))
    assert not wanted.accepts(np.zeros((5, 3), np.float32))
    assert str(Port("y", "int64", None)) == "y: int64 (?)"
    assert Port("y", "int64", None).accepts(np.zeros((5, 3), np.int64))


def test_constants_listed_as_inputs_are_none() -> None:
    proto = model([node("MatMul", "x w", "y")], {"x": [1, 3], "w": [3, 2]}, {"y": [1, 2]}, {"w": reals(3, 2)})
    assert [p.name for p in describe(read_model(proto)).inputs] == ["x"]
