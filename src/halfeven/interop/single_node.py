"""One node as a model of its own, for running it alone in float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.qdq import OPSET


def single_node_model(node: ir.Node, constants: Mapping[str, NDArray[Any]]) -> bytes:
    """The serialized model: ``constants`` become initializers, the other inputs and all outputs keep their names."""
    proto = ir.to_proto(node)
    inputs = [_info(v) for v in node.inputs if v is not None and v.name not in constants]
    unique = {info.name: info for info in inputs}
    outputs = [_info(v) for v in node.outputs if v.name]
    initializers = [onnx.numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()]
    graph = onnx.helper.make_graph([proto], "part", list(unique.values()), outputs, initializers)
    domains = {node.domain or "": node.version or 1}
    domains[""] = OPSET
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in domains.items()]
    return bytes(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def _info(value: ir.Value) -> onnx.ValueInfoProto:
    kind = onnx.TensorProto.FLOAT if value.dtype is None else int(value.dtype)
    return onnx.helper.make_tensor_value_info(str(value.name), kind, None)
