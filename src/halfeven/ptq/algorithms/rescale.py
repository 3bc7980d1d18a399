"""Write one factor a channel set into a float graph: what a tensor of the set holds is divided by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.marks import RESCALED
from halfeven.interop.names import add_constant
from halfeven.interop.passes.linear import Linear
from halfeven.interop.rewrite import graph_of
from halfeven.interop.values import constant, given, rank
from halfeven.ptq.algorithms.channels import ChannelSets, Shift

F64 = NDArray[np.float64]


def rescale(sets: ChannelSets, factors: F64) -> None:
    """Divide every tensor by the factors of its channels' sets; weights, biases and constants take them up.

    Parameters
    ----------
    factors : (sets.count,), by root, powers of two where the function is to stay to the last bit; 1 for the fixed set.
    """
    for linear in sets.linears:
        x, s_out = sets.read_by(linear), factors[sets.roots(linear.node.outputs[0])]
        s_in = np.ones(linear.inputs.count) if x is None else factors[x]
        if (s_in != 1).any() or (s_out != 1).any():
            w = replace(linear, w=linear.input_weights(s_in)).output_weights(1 / s_out)
            linear.write(w, np.broadcast_to(linear.b, s_out.shape) / s_out)
    for node in sets.norms:
        _rescale_norm(node, factors[sets.roots(node.outputs[0])])
    for shift in sets.shifts:
        _rescale_shift(sets, shift, factors)
    for value, axis in sets.axes.items():
        if (factors[sets.roots(value)] != 1).any() and axis.ids.size:
            value.metadata_props[RESCALED] = "yes"


def _rescale_norm(node: ir.Node, s: F64) -> None:
    """``(gamma / s) n + beta / s``."""
    for index in (1, 2):
        array = constant(given(node, index))
        if array is not None and (s != 1).any():
            _replace_constant(node, index, array / s)


def _rescale_shift(sets: ChannelSets, shift: Shift, factors: F64) -> None:
    y = shift.node.outputs[0]
    s = factors[sets.roots(y)]
    if (s != 1).any():
        behind = (rank(y) or 1) - 1 - sets.axes[y].axis
        _replace_constant(shift.node, shift.index, (shift.constant / s).reshape(-1, *[1] * behind))


def _replace_constant(node: ir.Node, index: int, array: F64) -> None:
    old = node.inputs[index]
    was = constant(old)
    if old is not None and was is not None:
        tensor = ir.tensor(np.ascontiguousarray(array.astype(was.dtype)))
        node.replace_input_with(index, add_constant(graph_of(node), str(old.name), tensor))


def columns(sets: ChannelSets) -> Iterator[tuple[Linear, NDArray[np.int64], F64]]:
    """Of each product that reads sets: itself, the sets, and :func:`magnitudes`."""
    for linear in sets.linears:
        roots = sets.read_by(linear)
        if roots is not None:
            yield linear, roots, magnitudes(linear)


def magnitudes(linear: Linear) -> F64:
    """``max |w|`` over the kernel, (outputs, inputs); 0 where they are in different groups."""
    outputs, inputs = linear.outputs.count, linear.inputs.count
    group = int(linear.node.attributes.get_int("group", 1)) if linear.node.op_type in ("Conv", "ConvTranspose") else 1
    w = np.abs(linear.w)
    if linear.node.op_type == "Gemm":
        return w if linear.node.attributes.get_int("transB", 0) else w.T
    if linear.node.op_type == "MatMul":
        return w.T
    flat = w.reshape(*w.shape[:2], -1).max(axis=2)
    blocks = flat.reshape(group, -1, flat.shape[1])  # Conv: outputs by inputs; ConvTranspose: the other way round
    if linear.node.op_type == "ConvTranspose":
        blocks = blocks.transpose(0, 2, 1)
    dense = np.zeros((group, outputs // group, group, inputs // group))
    for g in range(group):
        dense[g, :, g] = blocks[g]
    return dense.reshape(outputs, inputs)
