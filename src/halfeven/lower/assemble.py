"""Put instructions together into a Program: tensors, constant operands, and the boundary."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.qdq import read_quantize
from halfeven.ir.instructions import Dequantize, Instruction, Quantize, operands, results
from halfeven.ir.program import Port, Program, Shape, Tensor
from halfeven.lower.site import constant_of, operand_of
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


def assemble(model: ir.Model, profile: Profile, instructions: list[Instruction], name: str) -> Program:
    """The Program of these instructions, with its tensors, constants and boundary."""
    graph = model.graph
    known = _params(graph)
    constants = _constants(graph, instructions, profile)
    values = {str(v.name): v for node in graph for v in node.outputs} | {str(v.name): v for v in graph.inputs}
    names = {n for i in instructions for n in (*operands(i), *results(i))}
    tensors = {n: _tensor(n, values.get(n), known.get(n)) for n in sorted(names)}
    inputs = tuple(_input(v, instructions, known) for v in graph.inputs)
    outputs = tuple(_output(v, instructions, known) for v in graph.outputs)
    return Program(name, profile, inputs, outputs, tensors, constants, tuple(instructions))


def _params(graph: ir.Graph) -> dict[str, AffineParams]:
    """Of each tensor of codes: what it was made with, or where no node made it, what it is read with."""
    known: dict[str, AffineParams] = {}
    for node in graph:
        if node.op_type == QUANTIZE:
            known[str(node.outputs[0].name)] = read_quantize(node)
        elif node.op_type == DEQUANTIZE and node.inputs[0] is not None:
            known.setdefault(str(node.inputs[0].name), read_quantize(node))
    return known


def _constants(graph: ir.Graph, instructions: list[Instruction], profile: Profile) -> dict[str, NDArray[Any]]:
    """Codes and values that instructions read and none writes: constant operands."""
    written = {n for i in instructions for n in results(i)} | {str(v.name) for v in graph.inputs}
    read = {n for i in instructions for n in operands(i)} - written
    found: dict[str, NDArray[Any]] = {}
    for node in graph:
        if node.op_type == DEQUANTIZE:
            operand = operand_of(node.outputs[0], profile)
            if operand.name in read and operand.constant is not None:
                found[operand.name] = operand.constant
    handed_out = {str(v.name) for v in graph.outputs}
    for name in sorted((read | handed_out) & set(graph.initializers) - set(found)):
        value = constant_of(graph.initializers[name])
        if value is not None:
            found[name] = value
    return found


def _tensor(name: str, value: ir.Value | None, params: AffineParams | None) -> Tensor:
    dtype = np.dtype(np.float32) if value is None or value.dtype is None else np.dtype(value.dtype.numpy())
    return Tensor(name, params.qtype.storage if params else dtype, _shape(value), params)


def _shape(value: ir.Value | None) -> Shape | None:
    if value is None or value.shape is None:
        return None
    return tuple(n if isinstance(n, int) else str(n.value or "?") for n in value.shape)


def _input(value: ir.Value, instructions: list[Instruction], known: dict[str, AffineParams]) -> Port:
    name = str(value.name)
    if _is_codes(value, known):
        return Port(name, _shape(value), known[name].qtype.storage, name, known[name])
    readers = [i for i in instructions if name in operands(i)]
    tensor = _tensor(name, value, None)
    if len(readers) == 1 and isinstance(readers[0], Quantize):
        return Port(name, tensor.shape, tensor.dtype, readers[0].y, readers[0].params)
    return Port(name, tensor.shape, tensor.dtype, None, None)


def _is_codes(value: ir.Value, known: dict[str, AffineParams]) -> bool:
    """Whether the model itself takes or gives these codes, one an element of its own type."""
    params = known.get(str(value.name))
    return params is not None and value.dtype is not None and params.qtype.storage == value.dtype.numpy()


def _output(value: ir.Value, instructions: list[Instruction], known: dict[str, AffineParams]) -> Port:
    name = str(value.name)
    if _is_codes(value, known):
        return Port(name, _shape(value), known[name].qtype.storage, name, known[name])
    tensor = _tensor(name, value, None)
    for i in instructions:
        if isinstance(i, Dequantize) and i.y == name:
            return Port(name, tensor.shape, tensor.dtype, i.x, i.params)
    return Port(name, tensor.shape, tensor.dtype, None, None)
