"""Write a network down as ONNX, one node after the other, from the tensors of a state dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

OPSET = 17


class Network:
    """The nodes so far. Each is named by its layer and reads the layer's own tensors, ``<layer>.<parameter>``."""

    def __init__(self, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        self.weights = weights
        self._nodes: list[Any] = []

    def append(
        self,
        operator: str,
        value: str,
        name: str,
        parameters: tuple[str, ...] = (),
        *others: str,
        output: str | None = None,
        **attributes: Any,
    ) -> str:
        """Append a node that reads ``value``, the tensors ``name.parameter`` and ``others``; return its output."""
        from onnx import helper  # noqa: PLC0415  heavy, only where used

        produced = output or f"{name}.output"
        inputs = [value, *(f"{name}.{parameter}" for parameter in parameters), *others]
        self._nodes.append(helper.make_node(operator, inputs, [produced], name=name, **attributes))
        return produced

    def to_bytes(
        self, name: str, inputs: Mapping[str, list[Any]], outputs: Mapping[str, list[Any]], **constants: float
    ) -> bytes:
        """Return the serialized and checked model; ``inputs``, ``outputs``: shapes by name; ``constants``: scalars."""
        import onnx  # noqa: PLC0415
        from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

        used = {read for node in self._nodes for read in node.input}
        arrays = {**self.weights, **{key: np.float32(value) for key, value in constants.items()}}
        tensors = [numpy_helper.from_array(np.asarray(value), key) for key, value in arrays.items() if key in used]
        ports = [
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in side.items()]
            for side in (inputs, outputs)
        ]
        graph = helper.make_graph(self._nodes, name, *ports, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
