"""One operator for clamping: Clip with constant scalar bounds."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from halfeven.interop.names import add_constant
from halfeven.interop.rewrite import graph_of, replace
from halfeven.interop.values import constant, given, is_op, made_by, rank, read_once, scalar

Bounds = tuple[float, float]


def unify_clips(model: ir.Model) -> int:
    """Write clamping between constants as one Clip.

    1. ``Min(x, c)``, ``Max(x, c)`` -> ``Clip(x, lo, hi)`` for a scalar constant c
    2. ``Clip(Clip(x))``, ``Clip(Relu(x))``, ``Relu(Clip(x))`` -> one Clip, where the ranges overlap
    """
    changed = 0
    for node in list(model.graph):
        changed += _from_min_max(node) or _merge(node)
    return changed


def clip_bounds(node: ir.Node | None) -> Bounds | None:
    """``(lo, hi)`` of a Clip with constant bounds or a Relu; None for anything else."""
    if node is None or not is_op(node, "Relu", "Clip"):
        return None
    if is_op(node, "Relu"):
        return 0.0, math.inf
    lo = -math.inf if given(node, 1) is None else scalar(given(node, 1))
    hi = math.inf if given(node, 2) is None else scalar(given(node, 2))
    return None if lo is None or hi is None else (lo, hi)


def _from_min_max(node: ir.Node) -> bool:
    if not is_op(node, "Min", "Max") or len(node.inputs) != 2:  # noqa: PLR2004 - a pair
        return False
    for x, c in (node.inputs, node.inputs[::-1]):
        array, axes = constant(c), rank(x)
        if constant(x) is None and array is not None and array.size == 1 and array.ndim <= (axes or 0):
            number = float(array.reshape(()))
            bounds = (-math.inf, number) if node.op_type == "Min" else (number, math.inf)
            return _write(node, x, bounds, array.dtype)
    return False


def _merge(node: ir.Node) -> bool:
    outer = clip_bounds(node)
    x = node.inputs[0] if outer else None
    inner_node = made_by(x, "Clip", "Relu")
    inner = clip_bounds(inner_node)
    if outer is None or inner is None or x is None or inner_node is None or not read_once(x) or x.dtype is None:
        return False
    lo, hi = max(outer[0], inner[0]), min(outer[1], inner[1])
    if lo > hi:
        return False
    return _write(node, inner_node.inputs[0], (lo, hi), x.dtype.numpy())


def _write(node: ir.Node, x: ir.Value | None, bounds: Bounds, dtype: np.dtype) -> bool:
    if bounds == (0.0, math.inf) and dtype.kind == "f":
        replace(node, "Relu", [x])
        return True
    graph, name = graph_of(node), node.outputs[0].name
    inputs = [x]
    for role, bound in zip(("min", "max"), bounds, strict=True):
        if math.isinf(bound):
            inputs.append(None)
        else:
            inputs.append(add_constant(graph, f"{name}_{role}", ir.tensor(np.asarray(bound, dtype))))
    replace(node, "Clip", inputs)
    return True
