"""BatchNormalization that found no neighbour to fold into."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from halfeven.interop.names import add_constant
from halfeven.interop.passes.affine import Affine, Channels, affine_of
from halfeven.interop.rewrite import graph_of, replace
from halfeven.interop.values import constant, is_op, rank

SPATIAL_RANKS = (3, 4, 5)


def rewrite_batch_norm(model: ir.Model) -> int:
    """Write a BatchNormalization that stands alone by simpler operators.

    1. rank 3 to 5: a depthwise 1x1 Conv, one multiply and one add a channel in one operator
    2. rank 2: Mul and Add by constants
    3. another or unknown rank, or statistics that are not constant: it stays
    """
    return sum(_rewrite(node) for node in list(model.graph) if is_op(node, "BatchNormalization"))


def _rewrite(node: ir.Node) -> bool:
    x, gamma, axes = node.inputs[0], constant(node.inputs[1]), rank(node.inputs[0])
    if x is None or gamma is None or axes is None:
        return False
    affine = affine_of(node, x, Channels(gamma.size, 1, axes))
    if affine is None or axes not in (2, *SPATIAL_RANKS) or not _fits(affine, gamma.dtype):
        return False
    if axes in SPATIAL_RANKS:
        _as_depthwise(node, affine, axes, gamma.dtype)
    else:
        _as_mul_add(node, affine, gamma.dtype)
    return True


def _fits(affine: Affine, dtype: np.dtype) -> bool:
    largest = float(np.finfo(dtype).max)
    return all(np.abs(part).max(initial=0) <= largest for part in (affine.scale, affine.shift))


def _as_depthwise(node: ir.Node, affine: Affine, axes: int, dtype: np.dtype) -> None:
    graph, name = graph_of(node), node.outputs[0].name
    w = affine.scale.reshape(-1, *[1] * (axes - 1)).astype(dtype)
    inputs = [
        affine.x,
        add_constant(graph, f"{name}_weight", ir.tensor(w)),
        add_constant(graph, f"{name}_bias", ir.tensor(affine.shift.astype(dtype))),
    ]
    replace(node, "Conv", inputs, {"group": w.shape[0], "kernel_shape": [1] * (axes - 2)})


def _as_mul_add(node: ir.Node, affine: Affine, dtype: np.dtype) -> None:
    graph, name = graph_of(node), node.outputs[0].name
    scale = add_constant(graph, f"{name}_scale", ir.tensor(affine.scale.astype(dtype)))
    shift = add_constant(graph, f"{name}_shift", ir.tensor(affine.shift.astype(dtype)))
    product = ir.node("Mul", [affine.x, scale], name=f"{node.name}_scale")
    product.outputs[0].name = f"{name}_scaled"
    graph.insert_before(node, product)
    replace(node, "Add", [product.outputs[0], shift])
