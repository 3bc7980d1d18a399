"""Which values of a tensor a mask pushed out: no code is meant for them, so a comparison leaves them out.

That the mask holds in integers is seen behind the Softmax: the layers from there on are compared in full.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.passes.masks import MOVES
from halfeven.numerics.params import AffineParams
from halfeven.ptq.masks import SoftmaxRead, limit_in_sums
from halfeven.ptq.operators import Role
from halfeven.ptq.placement import PlacedBlock
from halfeven.report.layers import Layer
from halfeven.report.row import representable

Array = NDArray[Any]
PushedOut = Callable[[Array], NDArray[np.bool_]]
MOVED = (*MOVES, "Identity")


def pushed_out(model: ir.Model, layers: Iterable[Layer]) -> dict[str, PushedOut]:
    """What is as good as minus infinity, by float tensor: of those that Softmax alone reads, or that are added to such.

    The criteria are those by which such values set no range in calibration: see :mod:`halfeven.ptq.masks`.
    """
    params = {layer.name: layer.params for layer in layers if layer.params is not None}
    reads: dict[str, SoftmaxRead] = {}
    limits: dict[str, float] = {}
    outputs = {*model.graph.outputs}
    for value in _backwards(model.graph):
        name, users = str(value.name), [use.node for use in value.uses()]
        if value in outputs or not users:
            continue
        found = {_read(node, params, reads) for node in users}
        if len(found) == 1 and (read := found.pop()) is not None:
            reads[name] = read
        elif (limit := min(_limit(name, node, params, reads, limits) for node in users)) > -math.inf:
            own = representable(params[name])[0] if name in params else 0.0  # what has a code counts
            limits[name] = min(limit, own)
    below: dict[str, PushedOut] = {name: partial(np.greater, np.float32(limit)) for name, limit in limits.items()}
    return below | {name: read.pushed_out for name, read in reads.items()}


def _backwards(graph: ir.Graph) -> Iterable[ir.Value]:
    """Results before operands, the model's inputs last."""
    for node in reversed(graph):
        yield from node.outputs
    yield from graph.inputs


def _read(node: ir.Node, params: Mapping[str, AffineParams], reads: Mapping[str, SoftmaxRead]) -> SoftmaxRead | None:
    """How Softmax reads the operand of a node, be it through moves; None if another reads it, or in float32."""
    name = str(node.outputs[0].name)
    if node.op_type == "Softmax" and name in params:
        return SoftmaxRead(node.attributes.get_int("axis", -1), params[name].qtype.levels)
    if node.op_type not in MOVED or name not in reads:
        return None
    axis = _axis_before(node, reads[name].axis)
    return None if axis is None else replace(reads[name], axis=axis)


def _axis_before(node: ir.Node, axis: int) -> int | None:
    """The operand's axis of the rows that lie along ``axis`` of the result; None where rows are cut or not known."""
    before, after = node.inputs[0], node.outputs[0]
    if before is None or before.shape is None or after.shape is None or not len(before.shape):
        return None
    if node.op_type == "Transpose":
        order = node.attributes.get_ints("perm", tuple(reversed(range(len(before.shape)))))
        return int(order[axis])
    if node.op_type == "Identity":
        return axis
    last = axis in (-1, len(after.shape) - 1)
    whole = isinstance(before.shape[-1], int) and before.shape[-1] == after.shape[-1]
    return -1 if last and whole and node.op_type in ("Reshape", "Flatten", "Squeeze", "Unsqueeze") else None


def _limit(
    name: str,
    node: ir.Node,
    params: Mapping[str, AffineParams],
    reads: Mapping[str, SoftmaxRead],
    limits: Mapping[str, float],
) -> float:
    """Below which a value that is added to scores makes every sum the lowest code; minus infinity if it is not."""
    result = str(node.outputs[0].name)
    if node.op_type in MOVED:
        return limits.get(result, -math.inf)
    if node.op_type != "Add" or result not in reads:
        return -math.inf
    operands = tuple(str(v.name) for v in node.inputs if v is not None)
    block = PlacedBlock((str(node.name),), node.op_type, Role.ARITHMETIC, operands, (), (result,))
    seen = {n: representable(params[n]) for n in (*operands, result) if n in params}
    return limit_in_sums({name}, [block], seen)[0]
