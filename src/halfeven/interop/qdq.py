"""QuantizeLinear and DequantizeLinear nodes, made from AffineParams and read back into them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.errors import ModelError, ParameterError
from halfeven.interop.lines import model_error
from halfeven.interop.opset import WORKING_OPSET
from halfeven.interop.values import constant, given, is_op, rank
from halfeven.numerics import qtype as qtypes
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import QType

OPSET = WORKING_OPSET
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
DEFAULT_AXIS = 1
DATA_TYPES = {
    qtypes.int4: ir.DataType.INT4,
    qtypes.uint4: ir.DataType.UINT4,
    qtypes.int8: ir.DataType.INT8,
    qtypes.uint8: ir.DataType.UINT8,
    qtypes.int16: ir.DataType.INT16,
    qtypes.uint16: ir.DataType.UINT16,
    qtypes.int32: ir.DataType.INT32,
}
QTYPES = {dtype: qtype for qtype, dtype in DATA_TYPES.items()}
PACKED = {qtypes.int4: ml_dtypes.int4, qtypes.uint4: ml_dtypes.uint4}


def data_type(qtype: QType) -> ir.DataType:
    """The ONNX type of codes of a qtype."""
    return DATA_TYPES[qtype]


def qtype_of(dtype: ir.DataType | None) -> QType | None:
    """The qtype of codes of an ONNX type; None where it has none (float8, int2, ...)."""
    return None if dtype is None else QTYPES.get(dtype)


def codes_tensor(codes: NDArray[Any], qtype: QType, name: str) -> ir.Tensor:
    """Codes, one an element, as an ONNX tensor; 4-bit codes are packed two a byte when the file is written."""
    # reshape: ascontiguousarray makes a list of a number, and onnxruntime's fused operators want a number
    stored = np.ascontiguousarray(codes).reshape(np.shape(codes)).astype(PACKED.get(qtype, qtype.storage))
    return ir.tensor(stored, dtype=DATA_TYPES[qtype], name=name)


def codes_value(codes: NDArray[Any], qtype: QType, name: str) -> ir.Value:
    """Constant codes as a value, to be registered in a graph (:func:`insert`) and dequantized."""
    return _initializer(codes_tensor(codes, qtype, name), name)


def quantize_linear(value: ir.Value, params: AffineParams, name: str | None = None) -> ir.Node:
    """Make the QuantizeLinear of ``value`` (float32); it stands in no graph yet: :func:`insert`.

    Its output is ``<name>_quantized``, its constants ``<name>_scale`` and ``<name>_zero_point``; ``name`` is the
    value's own if left out.
    """
    label = name or str(value.name)
    if params.qtype is qtypes.int32:
        raise ParameterError(f"'{label}': QuantizeLinear makes no int32 codes: quantize the constant and store codes")
    node = ir.node(QUANTIZE, _operands(value, params, label), _attributes(params), name=f"{label}_quantize")
    _describe(node.outputs[0], f"{label}_quantized", DATA_TYPES[params.qtype], value.shape)
    return node


def dequantize_linear(codes: ir.Value, params: AffineParams, name: str | None = None) -> ir.Node:
    """Make the DequantizeLinear of ``codes`` (of ``params.qtype``); it stands in no graph yet: :func:`insert`.

    Its output is ``<name>_dequantized``, the other names are those of :func:`quantize_linear`.
    """
    label = name or str(codes.name)
    node = ir.node(DEQUANTIZE, _operands(codes, params, label), _attributes(params), name=f"{label}_dequantize")
    _describe(node.outputs[0], f"{label}_dequantized", ir.DataType.FLOAT, codes.shape)
    return node


def insert(graph: ir.Graph, node: ir.Node, *, before: ir.Node | None = None) -> ir.Value:
    """Put a node of this module into the graph, with its constants, before another (or at the end); its output.

    A Q and a DQ of one tensor share their constants: those whose name is already there are taken from the graph.
    """
    for index, value in enumerate(node.inputs):
        if value is None or value.const_value is None or value.graph is graph:
            continue
        there = graph.initializers.get(value.name)
        if there is None:
            graph.register_initializer(value)
        elif _same(there, value):
            node.replace_input_with(index, there)
        else:
            raise model_error(f"the graph has another constant named '{value.name}': give the node another name")
    if before is None:
        graph.append(node)
    else:
        graph.insert_before(before, node)
    return node.outputs[0]


def read_quantize(node: ir.Node) -> AffineParams:
    """Scale, zero point, qtype, axis (counted from the front) and block size of a Quantize- or DequantizeLinear.

    A missing zero point is 0; the codes are then of ``output_dtype``, or uint8 (Quantize), or of the input's type
    (Dequantize). One scale, as a number or as a list of one, is a scale of the whole tensor.

    Raises
    ------
    ModelError
        If scale or zero point are not constant, or not what an AffineParams can hold.
    """
    if not is_op(node, QUANTIZE, DEQUANTIZE):
        raise model_error(f"node '{node.name}' is a {node.op_type}, and a QuantizeLinear was expected", node=node.name)
    scale, qtype = _constant(node, 1, "scale"), _qtype(node)
    zero = np.zeros(scale.shape, np.int32) if given(node, 2) is None else _constant(node, 2, "zero point")
    if scale.dtype != np.float32:
        raise _error(node, f"its scale is {scale.dtype}, and float32 was expected: convert the model to float32")
    axis, block = _axis(node, scale)
    if axis is None:
        scale, zero = scale.reshape(()), zero.reshape(())
    try:
        return AffineParams(scale, zero.astype(np.int32), qtype, axis, block)
    except ParameterError as error:
        raise _error(node, str(error)) from None


def _operands(value: ir.Value, params: AffineParams, label: str) -> list[ir.Value]:
    scale = _initializer(ir.tensor(np.array(params.scale), name=f"{label}_scale"), f"{label}_scale")
    name = f"{label}_zero_point"
    return [value, scale, _initializer(codes_tensor(params.zero_point, params.qtype, name), name)]


def _initializer(tensor: ir.Tensor, name: str) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(tensor.shape), const_value=tensor)


def _attributes(params: AffineParams) -> dict[str, int]:
    attributes = {} if params.axis is None else {"axis": params.axis}
    return attributes if params.block_size is None else {**attributes, "block_size": params.block_size}


def _describe(value: ir.Value, name: str, dtype: ir.DataType, shape: ir.Shape | None) -> None:
    value.name, value.dtype, value.shape = name, dtype, shape


def _same(a: ir.Value, b: ir.Value) -> bool:
    x, y = a.const_value, b.const_value
    return x is not None and y is not None and x.dtype == y.dtype and np.array_equal(x.numpy(), y.numpy())


def _error(node: ir.Node, problem: str) -> ModelError:
    return model_error(f"node '{node.name}' ({node.op_type}): {problem}", node=node.name)


def _constant(node: ir.Node, index: int, role: str) -> NDArray[Any]:
    array = constant(given(node, index))
    if array is None:
        raise _error(node, f"its {role} is computed while the model runs, and a constant was expected: fix the ranges")
    return array


def _qtype(node: ir.Node) -> QType:
    zero = given(node, 2)
    if zero is not None:
        dtype = zero.dtype if zero.const_value is None else zero.const_value.dtype
    elif node.op_type == DEQUANTIZE:
        codes = node.inputs[0]
        dtype = None if codes is None else codes.dtype
    else:
        dtype = ir.DataType(node.attributes.get_int("output_dtype", 0) or ir.DataType.UINT8.value)
    found = qtype_of(dtype)
    if found is None:
        known = ", ".join(q.name for q in DATA_TYPES)
        raise _error(node, f"its codes are {dtype.name if dtype else 'of unknown type'}, and {known} are read")
    return found


def _axis(node: ir.Node, scale: NDArray[Any]) -> tuple[int | None, int | None]:
    block = node.attributes.get_int("block_size", 0)
    if scale.size == 1 and not block:
        return None, None
    axis = node.attributes.get_int("axis", DEFAULT_AXIS)
    axes = next((r for r in map(rank, (node.inputs[0], node.outputs[0])) if r is not None), None)
    if axes is None and axis < 0:
        raise _error(node, f"axis {axis} counts from the end of a tensor of unknown rank: infer shapes first")
    if axes is not None and not -axes <= axis < axes:
        raise _error(node, f"axis {axis} does not exist in a tensor of {axes} axes: export it again")
    return axis % axes if axes is not None else axis, block or None
