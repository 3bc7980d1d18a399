"""The checker and the shape inference of the onnx package, run without the weight bytes."""

from __future__ import annotations

import re
from collections.abc import Callable

import onnx
from onnx import TensorProto

from halfeven.interop.lines import model_error, one_line
from halfeven.interop.structure import node_label

SMALL_BYTES = 1024  # tensors up to this stay in the light copy: shapes, axes and scales that inference reads


def check_standard(model: onnx.ModelProto, source: str) -> list[onnx.ValueInfoProto]:
    """Run onnx.checker and strict shape inference; return the inferred types and shapes of the graph's values.

    Both run on a copy without large tensors, so models of any size pass, external data included.

    Raises
    ------
    ModelError
        With the checker's or the inference's finding in one line that names the node.
    """
    light = light_copy(model)
    checker, inference = onnx.checker.ValidationError, onnx.shape_inference.InferenceError
    _run(lambda: onnx.checker.check_model(light), checker, source, "is not valid ONNX")
    inferred = _run(
        lambda: onnx.shape_inference.infer_shapes(light, check_type=True, strict_mode=True),
        inference,
        source,
        "contradicts itself in its types or shapes",
    )
    return [*inferred.graph.value_info, *inferred.graph.output]


def light_copy(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every node named and each large tensor replaced by a graph input of its type and shape."""
    light = onnx.ModelProto()
    for field, value in model.ListFields():
        if field.name in ("graph", "training_info"):
            continue
        if field.message_type is None:
            setattr(light, field.name, value)
        else:
            getattr(light, field.name).MergeFrom(value)
    _copy_graph(model.graph, light.graph)
    return light


def _copy_graph(graph: onnx.GraphProto, light: onnx.GraphProto) -> None:
    light.name = graph.name or "graph"
    light.value_info.extend(graph.value_info)
    light.input.extend(graph.input)
    # onnxruntime runs outputs of unknown rank, which the checker refuses: it sees the graph without them
    light.output.extend(v for v in graph.output if v.type.tensor_type.HasField("shape"))
    inputs = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if _is_small(tensor):
            light.initializer.append(tensor)
        elif tensor.name not in inputs:
            light.input.append(_port(tensor.name, tensor))
    for node in graph.node:
        tensor = node.attribute[0].t if node.op_type == "Constant" and len(node.attribute) == 1 else None
        if tensor is not None and tensor.ByteSize() and not _is_small(tensor) and node.output:
            light.input.append(_port(node.output[0], tensor))
        else:
            light.node.append(node)
            light.node[-1].name = node_label(node)


def _is_small(tensor: TensorProto) -> bool:
    return bool(tensor.data_location != TensorProto.EXTERNAL and tensor.ByteSize() <= SMALL_BYTES)


def _port(name: str, tensor: TensorProto) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims))


def _run(step: Callable[[], onnx.ModelProto], errors: type[Exception], source: str, verdict: str) -> onnx.ModelProto:
    try:
        return step()
    except (errors, RuntimeError, ValueError) as error:
        text = re.sub(r"\[\w*InferenceError\] ?|Inference error\(s\): |==> Context: ", "", str(error))
        node = re.search(r"(?:node name|Name): ?([^,)]+?)(?: OpType|[,)])", text)
        name = node.group(1) if node else None
        message = f"{source}: {verdict}: {one_line(text)}: export it again"
        raise model_error(message, source=source, node=name) from None
