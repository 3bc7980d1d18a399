"""Conv, ConvTranspose, Gemm and MatMul with constant weights: what scaling their outputs or inputs does to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from halfeven.interop.names import add_constant
from halfeven.interop.passes.affine import F64, Channels, per_channel
from halfeven.interop.rewrite import graph_of
from halfeven.interop.values import Array, constant, given, is_op, is_real, rank

LINEAR = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class Linear:
    """A linear operator with weights ``w`` and bias ``b`` (0-d or one an output channel), in float64."""

    node: ir.Node
    w: F64
    b: F64
    dtype: np.dtype

    @property
    def outputs(self) -> Channels:
        """Its output channels."""
        if self.node.op_type == "Conv":
            return Channels(self.w.shape[0], 1, self.w.ndim)
        if self.node.op_type == "ConvTranspose":
            return Channels(self.w.shape[1] * _group(self.node), 1, self.w.ndim)
        if self.node.op_type == "Gemm":
            return Channels(self.w.shape[0 if _transposed(self.node) else 1], 1, 2)
        return Channels(self.w.shape[-1], -1, rank(self.node.outputs[0]))

    @property
    def inputs(self) -> Channels:
        """Its input channels."""
        if self.node.op_type == "Conv":
            return Channels(self.w.shape[1] * _group(self.node), 1, self.w.ndim)
        if self.node.op_type == "ConvTranspose":
            return Channels(self.w.shape[0], 1, self.w.ndim)
        if self.node.op_type == "Gemm":
            return Channels(self.w.shape[1 if _transposed(self.node) else 0], 1, 2)
        return Channels(self.w.shape[-2], -1, rank(self.node.inputs[0]))

    def output_weights(self, scale: F64) -> F64:
        """Weights whose output is ``scale`` times as large."""
        if scale.ndim == 0:
            return self.w * scale
        if self.node.op_type == "Conv" or _transposed(self.node):
            return self.w * _column(scale, self.w.ndim)
        if self.node.op_type == "ConvTranspose":
            groups = _group(self.node)
            w = self.w.reshape(groups, -1, *self.w.shape[1:])
            return (w * scale.reshape(groups, 1, -1, *[1] * (self.w.ndim - 2))).reshape(self.w.shape)
        return self.w * scale

    def input_weights(self, scale: F64) -> F64:
        """Weights that do the same with an input ``1 / scale`` times as large."""
        if scale.ndim == 0 or _transposed(self.node):
            return self.w * scale
        if self.node.op_type == "Conv":
            groups = _group(self.node)
            w = self.w.reshape(groups, -1, *self.w.shape[1:])
            return (w * scale.reshape(groups, 1, -1, *[1] * (self.w.ndim - 2))).reshape(self.w.shape)
        return self.w * _column(scale, self.w.ndim)

    def response(self, shift: F64) -> F64:
        """What a constant ``shift`` a channel on the input adds to the output, where no edge cuts the kernel."""
        count = self.inputs.count
        if self.node.op_type == "Gemm":
            w = self.w.T if _transposed(self.node) else self.w
            return np.asarray(np.broadcast_to(shift, (count,)) @ w)
        if self.node.op_type == "MatMul":
            return np.asarray(np.broadcast_to(shift, (count,)) @ self.w)
        weighted = self.input_weights(np.broadcast_to(shift, (count,)))
        return np.asarray(weighted.reshape(self.w.shape[0], -1).sum(axis=1))

    def write(self, w: F64, b: F64) -> None:
        """Give the node these weights and this bias; other readers of the old ones keep them."""
        graph, name = graph_of(self.node), self.node.outputs[0].name
        old = self.node.inputs[1]
        label = old.name if old is not None and old.name else f"{name}_weight"
        self.node.replace_input_with(1, add_constant(graph, label, ir.tensor(w.astype(self.dtype))))
        if self.node.op_type == "Gemm":
            self.node.attributes.pop("alpha", None)
            self.node.attributes.pop("beta", None)
        if self.node.op_type != "MatMul" and (b.any() or given(self.node, 2) is not None):
            self._write_bias(graph, b)

    def _write_bias(self, graph: ir.Graph, b: F64) -> None:
        bias = np.ascontiguousarray(np.broadcast_to(b, (self.outputs.count,))).astype(self.dtype)
        old = given(self.node, 2)
        label = old.name if old is not None and old.name else f"{self.node.outputs[0].name}_bias"
        self.node.resize_inputs(3)
        self.node.replace_input_with(2, add_constant(graph, label, ir.tensor(bias)))


def linear_of(node: ir.Node | None) -> Linear | None:
    """Read the node as a linear operator with constant, finite weights (and bias); None for anything else."""
    if node is None or not is_op(node, *LINEAR):
        return None
    w = constant(given(node, 1))
    if w is None or not is_real(w) or w.ndim < 2 or (is_op(node, "Gemm", "MatMul") and w.ndim != 2):  # noqa: PLR2004
        return None
    if _group(node) < 1 or w.shape[0] % _group(node):
        return None
    alpha = node.attributes.get_float("alpha", 1.0) if node.op_type == "Gemm" else 1.0
    bias = _bias(node, w)
    if bias is None:
        return None
    return Linear(node, w.astype(np.float64) * alpha, bias, w.dtype)


def _bias(node: ir.Node, w: Array) -> F64 | None:
    value = given(node, 2)
    if value is None or node.op_type == "MatMul":
        return np.zeros(())
    array = constant(value)
    if array is None or not is_real(array):
        return None
    if node.op_type != "Gemm":
        count = w.shape[0] if node.op_type == "Conv" else w.shape[1] * _group(node)
        return array.astype(np.float64) if array.shape == (count,) else None
    beta = node.attributes.get_float("beta", 1.0)
    found = per_channel(array, Channels(w.shape[0 if _transposed(node) else 1], 1, 2))
    return None if found is None else found * beta


def _group(node: ir.Node) -> int:
    return int(node.attributes.get_int("group", 1))


def _transposed(node: ir.Node) -> bool:
    return node.op_type == "Gemm" and bool(node.attributes.get_int("transB", 0))


def _column(scale: F64, ndim: int) -> F64:
    return scale.reshape(-1, *[1] * (ndim - 1))
