"""ONNX's quantization operators by ``halfeven``'s arithmetic: what each node means, in calls of the package.

Nodes of other operators run in the onnx package's own evaluator, so that functions expanded into nodes can run too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

import halfeven as he

PROFILE = "onnxruntime"  # what the nodes mean
QTYPES = {"int4": he.int4, "uint4": he.uint4, "int8": he.int8, "uint8": he.uint8, "int16": he.int16,
          "uint16": he.uint16, "int32": he.int32}  # fmt: skip

Inputs = Sequence[Any]


class Unmapped(Exception):  # noqa: N818  a finding, not a failure
    """The node uses what the package does not have."""


def qtype_of(dtype: np.dtype[Any]) -> he.QType:
    """The codes that an array of that type holds."""
    if dtype.name not in QTYPES:
        raise Unmapped(f"no qtype is stored as {dtype.name}")
    return QTYPES[dtype.name]


def params(scale: Any, zero_point: Any, qtype: he.QType, axis: int, block_size: int = 0) -> he.AffineParams:
    """Parameters from a node's scale and zero point: one for the tensor, a channel each, or a block each."""
    zero = np.zeros((), np.int64) if zero_point is None else np.asarray(zero_point).astype(np.int64)
    scale = np.asarray(scale)
    if block_size:
        return he.AffineParams(scale, zero, qtype, axis=axis, block_size=block_size)
    if scale.size == 1 and zero.size == 1:
        return he.AffineParams(scale.reshape(()), zero.reshape(()), qtype)
    return he.AffineParams(*np.broadcast_arrays(scale, zero), qtype, axis=axis)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def quantize_linear(node: onnx.NodeProto, inputs: Inputs) -> list[Any]:
    """``QuantizeLinear(x, scale, zero_point)``."""
    a = attributes(node)
    x, scale, zero = (*inputs, None)[:3]
    default = helper.tensor_dtype_to_np_dtype(a.get("output_dtype") or onnx.TensorProto.UINT8)
    dtype = default if zero is None else zero.dtype
    p = params(scale, zero, qtype_of(dtype), a.get("axis", 1), a.get("block_size", 0))
    return [he.quantize(x, p, PROFILE).astype(dtype)]


def dequantize_linear(node: onnx.NodeProto, inputs: Inputs) -> list[Any]:
    """``DequantizeLinear(x, scale, zero_point)``."""
    a = attributes(node)
    x, scale, zero = (*inputs, None)[:3]
    qtype = qtype_of(x.dtype)
    p = params(scale, zero, qtype, a.get("axis", 1), a.get("block_size", 0))
    return [he.dequantize(x.astype(qtype.storage), p)]


def dynamic_quantize_linear(node: onnx.NodeProto, inputs: Inputs) -> list[Any]:  # noqa: ARG001
    """Scale and zero point in float32, as the operator defines them, then ``QuantizeLinear``."""
    (x,) = inputs
    lo, hi = np.minimum(np.float32(0), x.min()), np.maximum(np.float32(0), x.max())
    scale = (hi - lo) / np.float32(255)
    zero = np.clip(np.rint(-lo / scale), 0, 255).astype(np.uint8)
    return [he.quantize(x, he.AffineParams(scale, zero, he.uint8), PROFILE), scale, zero]


def q_linear_matmul(node: onnx.NodeProto, inputs: Inputs) -> list[Any]:  # noqa: ARG001
    """``QLinearMatMul(a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)``."""
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = inputs
    pa = params(a_scale, a_zero, qtype_of(a.dtype), -2)
    pb = params(b_scale, b_zero, qtype_of(b.dtype), -1)
    return [he.quantized_matmul(a, pa, b, pb, params(y_scale, y_zero, qtype_of(y_zero.dtype), -1), profile=PROFILE)]


def window(node: onnx.NodeProto) -> dict[str, Any]:
    """Stride, padding, dilation and groups of a convolution."""
    a = attributes(node)
    if a.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise Unmapped("auto_pad")
    return {
        "stride": a.get("strides", [1, 1]), "padding": a.get("pads", [0, 0, 0, 0]),
        "dilation": a.get("dilations", [1, 1]), "groups": a.get("group", 1),
    }  # fmt: skip


def q_linear_conv(node: onnx.NodeProto, inputs: Inputs) -> list[Any]:
    """``QLinearConv(x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias)``."""
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias = (*inputs, None)[:9]
    px, pw = params(x_scale, x_zero, qtype_of(x.dtype), 1), params(w_scale, w_zero, qtype_of(w.dtype), 0)
    out = params(y_scale, y_zero, qtype_of(y_zero.dtype), 1)
    return [he.quantized_conv2d(x, px, w, pw, out, bias, **window(node), profile=PROFILE)]


SUM = he.AffineParams(1.0, 0, he.int32)  # with every scale 1, M = 1: the result is the sum itself


def mat_mul_integer(node: onnx.NodeProto, inputs: Inputs) -> list[Any]:  # noqa: ARG001
    """``MatMulInteger(a, b, a_zero, b_zero)``: the int32 sum."""
    a, b, a_zero, b_zero = (*inputs, None, None)[:4]
    pa, pb = (params(1.0, z, qtype_of(q.dtype), -1) for q, z in ((a, a_zero), (b, b_zero)))
    return [he.quantized_matmul(a, pa, b, pb, SUM)]


def conv_integer(node: onnx.NodeProto, inputs: Inputs) -> list[Any]:
    """``ConvInteger(x, w, x_zero, w_zero)``: the int32 sum."""
    x, w, x_zero, w_zero = (*inputs, None, None)[:4]
    px, pw = (params(1.0, z, qtype_of(q.dtype), 0) for q, z in ((x, x_zero), (w, w_zero)))
    return [he.quantized_conv2d(x, px, w, pw, SUM, **window(node))]


OPERATORS: dict[str, Callable[[onnx.NodeProto, Inputs], list[Any]]] = {
    "QuantizeLinear": quantize_linear,
    "DequantizeLinear": dequantize_linear,
    "DynamicQuantizeLinear": dynamic_quantize_linear,
    "QLinearMatMul": q_linear_matmul,
    "QLinearConv": q_linear_conv,
    "MatMulInteger": mat_mul_integer,
    "ConvInteger": conv_integer,
}


def evaluate_by_package(node: onnx.NodeProto, opset: int, values: dict[str, Any]) -> list[Any]:
    """The outputs of one node, by the onnx package's evaluator."""
    named = [helper.make_tensor_value_info(n, onnx.TensorProto.UNDEFINED, None) for n in (*node.input, *node.output)]
    graph = helper.make_graph([node], "one", named[: len(node.input)], named[len(node.input) :])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return list(ReferenceEvaluator(model).run(None, {name: values[name] for name in node.input}))


def evaluate(node: onnx.NodeProto, opset: int, values: dict[str, Any]) -> list[Any]:
    """The outputs of one node."""
    if node.op_type in OPERATORS:
        return OPERATORS[node.op_type](node, [values[name] if name else None for name in node.input])
    return evaluate_by_package(node, opset, values)


def run(model: onnx.ModelProto, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a model."""
    values = dict(zip((i.name for i in model.graph.input), inputs, strict=False))
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    for node in model.graph.node:
        values |= dict(zip(node.output, evaluate(node, opset, values), strict=True))
    return [values[o.name] for o in model.graph.output]
