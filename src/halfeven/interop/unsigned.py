"""The same quantized model with unsigned activations: other runtimes have their fast kernels for those."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import onnx
from onnx import numpy_helper

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
SHIFT = 128


def unsigned_activations(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """``q + 128`` in uint8 for each int8 code q between a QuantizeLinear and its DequantizeLinear nodes: equal reals.

    None where there is no such pair. Codes that anything else reads, or that leave the model, stay.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    zeros = {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.data_type == onnx.TensorProto.INT8}
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    given_out = {output.name for output in graph.output}
    shifted: dict[str, str] = {}
    for node in graph.node:
        pair = [node, *readers[node.output[0]]] if node.op_type == QUANTIZE else []
        if len(pair) < 2 or node.output[0] in given_out or not all(_signed(n, zeros) for n in pair):  # noqa: PLR2004
            continue
        if all(n.op_type == DEQUANTIZE for n in pair[1:]):
            for n in pair:
                n.input[2] = shifted.setdefault(n.input[2], f"{n.input[2]}_unsigned")
    for old, new in shifted.items():
        zero = (zeros[old].astype(np.int16) + SHIFT).astype(np.uint8)
        graph.initializer.append(numpy_helper.from_array(zero, new))
    del graph.value_info[:]  # which name the old types
    return changed if shifted else None


def _signed(node: onnx.NodeProto, zeros: dict[str, np.ndarray]) -> bool:
    return len(node.input) > 2 and node.input[2] in zeros  # noqa: PLR2004
