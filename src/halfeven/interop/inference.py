"""Shapes of a model in memory, by the onnx package's inference."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from halfeven.interop.lines import model_error, one_line

SMALL_BYTES = 1024  # constants up to this are shown to the inference: shapes, axes, scales


def infer_shapes(model: ir.Model) -> int:
    """Write inferred types and shapes on the values of the graph; return how many became better known.

    Weights are shown to the inference by type and shape alone, so the size of the model does not matter.

    Raises
    ------
    ModelError
        If the inference finds a contradiction.
    """
    try:
        inferred = onnx.shape_inference.infer_shapes(light_proto(model), data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise model_error(f"shapes contradict each other: {one_line(error)}") from None
    found = {value.name: value for value in (*inferred.graph.value_info, *inferred.graph.output)}
    values = (value for node in model.graph for value in node.outputs)
    return sum(_learn(value, found[value.name]) for value in values if value.name in found)


def light_proto(model: ir.Model) -> onnx.ModelProto:
    """The model with its large initializers replaced by graph inputs of their type and shape."""
    proto = bare_proto(model)
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is None or value.is_graph_input():
            continue
        if tensor.nbytes > SMALL_BYTES:
            port = onnx.helper.make_tensor_value_info(value.name, tensor.dtype.value, list(tensor.shape))
            proto.graph.input.append(port)
        else:
            proto.graph.initializer.append(ir.serde.serialize_tensor(tensor))
            proto.graph.initializer[-1].name = value.name
    return proto


def bare_proto(model: ir.Model) -> onnx.ModelProto:
    """The model without its initializers, whose names its nodes still read."""
    proto = onnx.ModelProto(ir_version=model.ir_version)
    proto.opset_import.extend(onnx.helper.make_opsetid(d, v) for d, v in model.opset_imports.items())
    proto.functions.extend(ir.serde.serialize_function(function) for function in model.functions.values())
    graph = proto.graph
    graph.name = "graph"
    graph.node.extend(ir.serde.serialize_node(node) for node in model.graph)
    graph.input.extend(ir.serde.serialize_value(value) for value in model.graph.inputs)
    graph.output.extend(ir.serde.serialize_value(value) for value in model.graph.outputs)
    known = (value for node in model.graph for value in node.outputs if value.type is not None)
    graph.value_info.extend(ir.serde.serialize_value(value) for value in known if not value.is_graph_output())
    return proto


def _learn(value: ir.Value, found: onnx.ValueInfoProto) -> bool:
    if not found.type.HasField("tensor_type"):
        return False
    before = (value.dtype, value.shape)
    if value.dtype is None and found.type.tensor_type.elem_type:
        value.dtype = ir.DataType(found.type.tensor_type.elem_type)
    if found.type.tensor_type.HasField("shape"):
        dims = [_dim(d) for d in found.type.tensor_type.shape.dim]
        if value.shape is None:
            value.shape = ir.Shape(dims)
        elif len(value.shape) == len(dims):
            value.shape = ir.Shape([_better(old, new) for old, new in zip(value.shape, dims, strict=True)])
    return before != (value.dtype, value.shape)


def _dim(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    kind = dim.WhichOneof("value")
    return None if kind is None else getattr(dim, kind)


def _better(old: int | ir.SymbolicDim, new: int | str | None) -> int | str | None:
    if isinstance(old, int) or isinstance(new, int):
        return old if isinstance(old, int) else new
    return old.value or new
