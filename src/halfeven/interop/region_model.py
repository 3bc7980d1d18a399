"""Some nodes of a graph as a model of its own, with new input shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.qdq import OPSET


def region_model(
    nodes: Sequence[ir.Node],
    inputs: Mapping[str, tuple[int, ...]],
    output: str,
    constants: Mapping[str, NDArray[Any]],
) -> bytes:
    """The serialized model of ``nodes``, in order: float32 inputs of the shapes given, one float32 output.

    ``constants`` replace values of the same names.
    """
    ports = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape) for n, shape in inputs.items()]
    result = onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
    initializers = [onnx.numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()]
    graph = onnx.helper.make_graph([ir.to_proto(n) for n in nodes], "region", ports, [result], initializers)
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    return bytes(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
