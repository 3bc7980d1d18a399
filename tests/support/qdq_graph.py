"""QDQ graphs built node by node, and onnxruntime with all its optimizations to run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

import halfeven as he
from halfeven.api import QuantizedModel

Array = NDArray[Any]
ELEMENT = {
    "bool": TensorProto.BOOL,
    "float32": TensorProto.FLOAT,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "uint16": TensorProto.UINT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
}


@dataclass
class Graph:
    """Nodes and constants; every method gives the name of what it adds."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    count: int = 0

    def name(self) -> str:
        """A new name."""
        self.count += 1
        return f"t{self.count}"

    def constant(self, array: ArrayLike) -> str:
        """A new initializer."""
        name = self.name()
        self.constants[name] = np.asarray(array)
        return name

    def node(self, op_type: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> str:
        """The (first) output of a new node."""
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(op_type, list(inputs), names, domain=domain, **attributes))
        return names[0]

    def params(self, p: he.AffineParams) -> tuple[str, str]:
        """Scale and zero point."""
        return self.constant(p.scale), self.constant(p.zero_point.astype(p.qtype.storage))

    def quantized(self, value: str, p: he.AffineParams) -> str:
        """``QuantizeLinear(value)``."""
        return self.node("QuantizeLinear", value, *self.params(p), **_axis(p))

    def real(self, codes: str, p: he.AffineParams) -> str:
        """``DequantizeLinear(codes)``."""
        return self.node("DequantizeLinear", codes, *self.params(p), **_axis(p))

    def qdq(self, value: str, p: he.AffineParams) -> str:
        """``DequantizeLinear(QuantizeLinear(value))`` on one pair of constants."""
        scale, zero = self.params(p)
        return self.node("DequantizeLinear", self.node("QuantizeLinear", value, scale, zero), scale, zero)

    def model(
        self,
        inputs: Mapping[str, tuple[str, Sequence[int | str]]],
        outputs: Mapping[str, str],
        opset: int = 21,
    ) -> onnx.ModelProto:
        """The model; ``inputs`` are name -> (type, shape), ``outputs`` name -> type."""
        ports = [helper.make_tensor_value_info(n, ELEMENT[t], list(s)) for n, (t, s) in inputs.items()]
        results = [helper.make_tensor_value_info(n, ELEMENT[t], None) for n, t in outputs.items()]
        stored = [numpy_helper.from_array(a, n) for n, a in self.constants.items()]
        graph = helper.make_graph(self.nodes, "g", ports, results, stored)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def _axis(p: he.AffineParams) -> dict[str, int]:
    return {} if p.axis is None else {"axis": p.axis}


def onnxruntime_outputs(
    model: onnx.ModelProto | str, feeds: Mapping[str, Array], *, optimize: bool = True
) -> dict[str, Array]:
    """Outputs by name, with all graph optimizations or with none."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    source = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, map(np.asarray, session.run(names, dict(feeds))), strict=True))


def optimized_operators(model: onnx.ModelProto, folder: Any) -> list[str]:
    """The operators that onnxruntime is left with after all its optimizations."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [n.op_type for n in onnx.load(folder / "optimized.onnx").graph.node]


def assert_every_backend_gives(
    model: QuantizedModel, feeds: Mapping[str, Array], expected: Mapping[str, Array]
) -> None:
    """Native, reference and torch give exactly these outputs."""
    for backend in ("native", "reference", "torch"):
        got = model.run(feeds, backend=backend)
        for name, array in expected.items():
            np.testing.assert_array_equal(got[name], array, err_msg=f"{name} by {backend}")
