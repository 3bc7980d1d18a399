"""MatMul and the constant added to it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from halfeven.interop.marks import BIAS_OF
from halfeven.interop.names import add_constant
from halfeven.interop.passes.affine import Channels, per_channel
from halfeven.interop.passes.linear import linear_of
from halfeven.interop.rewrite import graph_of, replace
from halfeven.interop.values import Array, constant, is_op, made_by, rank, read_once


def join_matmul_bias(model: ir.Model) -> int:
    """Join a MatMul by constant weights with the constant a column that is added to it.

    1. ``MatMul(x, W) + b`` with x of rank 2 for certain -> ``Gemm(x, W, b)``
    2. of another or unknown rank: both stay, and the Add carries the mark ``halfeven.bias_of`` = name of the MatMul
    """
    return sum(_join(node) for node in list(model.graph) if is_op(node, "Add"))


def _join(node: ir.Node) -> bool:
    for x, c in (node.inputs, node.inputs[::-1]):
        linear = linear_of(made_by(x, "MatMul"))
        array = constant(c)
        if linear is None or array is None or x is None or not read_once(x):
            continue
        axes = linear.outputs
        bias = per_channel(array, Channels(axes.count, -1, axes.rank))
        if bias is None:
            continue
        if rank(linear.node.inputs[0]) == 2:  # noqa: PLR2004 - what Gemm takes
            return _as_gemm(node, linear.node, np.broadcast_to(bias, (axes.count,)), array)
        return _mark(node, linear.node)
    return False


def _as_gemm(node: ir.Node, matmul: ir.Node, bias: Array, like: Array) -> bool:
    value = add_constant(graph_of(node), f"{node.outputs[0].name}_bias", ir.tensor(bias.astype(like.dtype)))
    made = replace(node, "Gemm", [*matmul.inputs, value])
    graph_of(made).remove(matmul, safe=True)
    made.name = matmul.name
    return True


def _mark(node: ir.Node, matmul: ir.Node) -> bool:
    if node.metadata_props.get(BIAS_OF) == matmul.name or not matmul.name:
        return False
    node.metadata_props[BIAS_OF] = matmul.name
    return True
