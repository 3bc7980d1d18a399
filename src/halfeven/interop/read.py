"""An ONNX file -> a checked model at the working opset."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from halfeven.interop.check import check_standard
from halfeven.interop.dims import name_dynamic_dims
from halfeven.interop.lines import model_error, one_line
from halfeven.interop.names import name_nodes
from halfeven.interop.operators import check_operators, shorten_domains
from halfeven.interop.opset import convert_opset
from halfeven.interop.parse import parse_model
from halfeven.interop.passes.constants import lift_constants
from halfeven.interop.structure import check_structure
from halfeven.interop.tensors import check_tensors

IN_MEMORY = "the given model"

LOADED_BYTES = 1 << 30


def read_model(path: str | os.PathLike[str] | onnx.ModelProto) -> ir.Model:
    """Load, check and bring to opset 21 an ONNX model of opset 9 or later (above 21 it keeps its own).

    External data is loaded up to 1 GiB, else mapped. Functions of the file's own are inlined, constants are
    initializers, every node has a name, unknown sizes of inputs get one symbol each, and inferred shapes stand on
    every value. A given ModelProto is left as it is.

    Raises
    ------
    ModelError
        In one line that names the file and the node: no such file, not ONNX, truncated, an empty graph, an input that
        nothing produces, an unknown operator or opset, a name given twice, a tensor that is not what it declares,
        shapes that contradict each other.
    """
    if isinstance(path, onnx.ModelProto):
        proto = onnx.ModelProto()
        proto.CopyFrom(path)
        return _read(proto, IN_MEMORY, None)
    return _read(parse_model(path), os.fspath(path), Path(path).parent)


def _read(proto: onnx.ModelProto, source: str, base_dir: Path | None) -> ir.Model:
    check_structure(proto, source)
    shorten_domains(proto)
    check_operators(proto, source)
    _refuse_sparse(proto, source)
    check_tensors(proto, source, base_dir)
    name_dynamic_dims(proto.graph)
    _keep_inferred(proto.graph, check_standard(proto, source))
    model = _to_ir(proto, source, base_dir)
    _load_external(model)
    name_nodes(model)
    convert_opset(model, source)
    model = _inline(model, source)
    lift_constants(model)
    _hold_arrays(model)
    return model


def _refuse_sparse(proto: onnx.ModelProto, source: str) -> None:
    sparse = [t.values.name for t in proto.graph.sparse_initializer]
    sparse += [n.output[0] for n in proto.graph.node if any(a.HasField("sparse_tensor") for a in n.attribute)]
    if sparse:
        raise model_error(f"{source}: '{sparse[0]}' is a sparse tensor: export it as a dense one", source=source)


def _keep_inferred(graph: onnx.GraphProto, inferred: list[onnx.ValueInfoProto]) -> None:
    """Let outputs and inner values carry their inferred types; an output may also be an input or a constant."""
    known = {value.name: value for value in inferred}
    given = {value.name: value for value in graph.input}
    for tensor in graph.initializer:
        port = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        given.setdefault(tensor.name, port)
    for output in graph.output:
        found = known.pop(output.name, None) or given.get(output.name)
        if found is not None:
            declared = output.type.tensor_type.elem_type
            output.type.CopyFrom(found.type)
            if declared and not found.type.tensor_type.elem_type:  # behind an operator that no inference knows
                output.type.tensor_type.elem_type = declared
    del graph.value_info[:]
    graph.value_info.extend(known.values())


def _load_external(model: ir.Model) -> None:
    """Bring external data into memory, so that a part of the model can be run from bytes in any working folder."""
    stored = [v.const_value for g in (model.graph, *model.graph.subgraphs()) for v in g.initializers.values()]
    if sum(t.nbytes for t in stored if isinstance(t, ir.ExternalTensor)) <= LOADED_BYTES:
        ir.external_data.load_to_model(model)


def _hold_arrays(model: ir.Model) -> None:
    """Let initializers hold arrays instead of messages, of which each look at the values would make a copy."""
    for graph in (model.graph, *model.graph.subgraphs()):
        for value in graph.initializers.values():
            tensor = value.const_value
            if isinstance(tensor, ir.TensorProtoTensor) and tensor.dtype != ir.DataType.STRING:
                value.const_value = ir.Tensor(tensor.numpy(), tensor.dtype, shape=tensor.shape, name=tensor.name)


def _to_ir(proto: onnx.ModelProto, source: str, base_dir: Path | None) -> ir.Model:
    try:
        model = ir.from_proto(proto)
    except (ir.serde.SerdeError, ValueError, TypeError, RuntimeError) as error:
        reason = one_line(error.__cause__ or error)
        raise model_error(f"{source}: cannot be understood: {reason}", source=source) from None
    if base_dir is not None:
        ir.external_data.set_base_dir(model.graph, base_dir)
    return model


def _inline(model: ir.Model, source: str) -> ir.Model:
    if not model.functions:
        return model
    try:
        return InlinePass()(model).model
    except (ir.passes.PassError, ir.passes.PreconditionError, ValueError) as error:
        reason = one_line(error.__cause__ or error)
        raise model_error(f"{source}: its functions cannot be inlined: {reason}", source=source) from None
