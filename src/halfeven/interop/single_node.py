"""One node as a model of its own, for running it alone in float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.qdq import OPSET
from halfeven.interop.rewrite import bodies


def reads(node: ir.Node) -> list[ir.Value]:
    """What a node needs: its inputs, then what the graphs inside it (of If, Loop, Scan) take from around them."""
    needed = dict.fromkeys(v for v in node.inputs if v is not None)
    for body in bodies(node):
        own = {*body.inputs, *body.initializers.values(), *(v for n in body.all_nodes() for v in n.outputs)}
        own |= {v for part in body.subgraphs() for v in (*part.inputs, *part.initializers.values())}
        taken = (v for n in body.all_nodes() for v in n.inputs if v is not None and v not in own)
        needed |= dict.fromkeys((*taken, *(v for v in body.outputs if v not in own)))
    return list(needed)


def single_node_model(node: ir.Node, constants: Mapping[str, NDArray[Any]]) -> bytes:
    """The serialized model: ``constants`` become initializers, the other inputs and all outputs keep their names."""
    proto = ir.to_proto(node)
    inputs = [_info(v) for v in reads(node) if v.name not in constants]
    outputs = [_info(v) for v in node.outputs if v.name]
    initializers = [onnx.numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()]
    graph = onnx.helper.make_graph([proto], "part", inputs, outputs, initializers)
    domains = {node.domain or "": node.version or 1}
    domains[""] = max(OPSET, node.graph.opset_imports.get("", OPSET) if isinstance(node.graph, ir.Graph) else OPSET)
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in domains.items()]
    return bytes(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def _info(value: ir.Value) -> onnx.ValueInfoProto:
    kind = onnx.TensorProto.FLOAT if value.dtype is None else int(value.dtype)
    return onnx.helper.make_tensor_value_info(str(value.name), kind, None)
