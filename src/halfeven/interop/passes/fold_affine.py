"""BatchNormalization, scales and biases folded into the Conv, ConvTranspose, Gemm or MatMul beside them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from halfeven.interop.passes.affine import Affine, affine_of
from halfeven.interop.passes.linear import Linear, linear_of
from halfeven.interop.rewrite import absorb, bypass
from halfeven.interop.values import is_op, read_once

ARITHMETIC = ("Mul", "Div", "Add", "Sub")


def fold_batch_norm(model: ir.Model) -> int:
    """Fold BatchNormalization into the linear operator that feeds it, or else into those that read it.

    1. ``BN(W x + b)`` -> ``(s W) x + (s b + t)`` with ``s = gamma / sqrt(var + eps)``, ``t = beta - mean s``
    2. ``W BN(x) + b`` -> ``(W s) x + (W t + b)``, where no padding would make the shift differ at the edge
    """
    nodes = [node for node in model.graph if is_op(node, "BatchNormalization")]
    return sum(_fold_back(node) or _fold_forward(node) for node in nodes)


def fold_scale_and_bias(model: ir.Model) -> int:
    """Fold Mul, Div, Add, Sub by a constant a channel, as :func:`fold_batch_norm` does.

    1. ``c * (W x + b)`` -> ``(c W) x + c b``; ``(W x + b) + c`` -> ``W x + (b + c)``
    2. ``W (c x) + b`` -> ``(W c) x + b``
    """
    nodes = [node for node in model.graph if is_op(node, *ARITHMETIC)]
    return sum(_fold_back(node) or _fold_forward(node) for node in nodes)


def _fold_back(node: ir.Node) -> bool:
    for x in node.inputs[:1] if is_op(node, "BatchNormalization") else node.inputs:
        linear = linear_of(x.producer()) if x is not None and read_once(x) else None
        affine = affine_of(node, x, linear.outputs) if linear is not None else None
        if linear is None or affine is None or (is_op(linear.node, "MatMul") and affine.shift.any()):
            continue
        w, b = linear.output_weights(affine.scale), linear.b * affine.scale + affine.shift
        if not _fits(linear, w, b):
            continue
        linear.write(w, b)
        absorb(node, into=linear.node)
        return True
    return False


def _fold_forward(node: ir.Node) -> bool:
    y = node.outputs[0]
    readers = [linear_of(use.node) if use.idx == 0 else None for use in y.uses()]
    if y.is_graph_output() or not readers:
        return False
    for x in node.inputs[:1] if is_op(node, "BatchNormalization") else node.inputs:
        pairs = [(r, affine_of(node, x, r.inputs)) for r in readers if r is not None]
        edits = [_forward(linear, affine) for linear, affine in pairs]
        if len(edits) == len(readers) and all(edit is not None for edit in edits) and _take_input(node, x):
            for (linear, _), edit in zip(pairs, edits, strict=True):
                if edit is not None:
                    linear.write(*edit)
            return True
    return False


def _forward(linear: Linear, affine: Affine | None) -> tuple[np.ndarray, np.ndarray] | None:
    if affine is None or (affine.shift.any() and not _edge_free(linear.node)):
        return None
    w = linear.input_weights(affine.scale)
    b = linear.b + linear.response(affine.shift) if affine.shift.any() else linear.b
    return (w, b) if _fits(linear, w, b) else None


def _edge_free(node: ir.Node) -> bool:
    """Whether every output sees the whole kernel, so that a constant on the input is one on the output."""
    if node.op_type == "Gemm":
        return True
    no_pads = not any(node.attributes.get_ints("pads", ()))
    return (
        node.op_type == "Conv" and no_pads and node.attributes.get_string("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    )


def _take_input(node: ir.Node, x: ir.Value | None) -> bool:
    """Let the readers of ``node`` read ``x``."""
    if x is None:
        return False
    if node.inputs[0] is not x:
        node.replace_input_with(0, x)
    return bypass(node)


def _fits(linear: Linear, w: np.ndarray, b: np.ndarray) -> bool:
    largest = float(np.finfo(linear.dtype).max)
    return all(np.abs(part).max(initial=0) <= largest for part in (w, b))
