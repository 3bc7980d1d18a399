"""Masks of attention as a choice by a condition, and without the guards that exporters put behind Softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx_ir as ir

from halfeven.interop.names import add_constant
from halfeven.interop.rewrite import bypass, graph_of, replace
from halfeven.interop.values import constant, made_by, rank, read_once, scalar

ABSORBS = -(2.0**100)  # to a number as low, float32 adds nothing: x + k = k for |x| < 2^75
MOVES = ("Expand", "Flatten", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze")


def settle_masks(model: ir.Model) -> int:
    """Rewrite what masks attention; exact where scores are finite.

    1. ``Where(Not(c), a, b)`` -> ``Where(c, b, a)``
    2. ``Move(Where(c, 0, k))`` of two numbers -> ``Where(Move(c), 0, k)``
    3. ``x + Where(c, 0, k)`` -> ``Where(c, x, k)`` for k of ``-2^100`` and less, such as -inf
    4. ``Where(IsNaN(p), 0, p)``, ``p = Softmax(s)``, by which a row without any score is 0 and not NaN (PyTorch): p
       where no row is so; for ``s = Where(c, x, -inf)``, ``Where(any of c in the row, p, 0)`` with float32's lowest
       number for -inf, which gives the same p in other rows and no NaN in this one
    """
    return sum(_settle(node) for node in list(model.graph) if node.domain == "")


def _settle(node: ir.Node) -> bool:
    if node.op_type == "Where":
        return _swap(node) or _unguard(node)
    if node.op_type == "Add":
        return _choose(node)
    return node.op_type in MOVES and _move_condition(node)


def _swap(node: ir.Node) -> bool:
    inverse = made_by(node.inputs[0], "Not")
    if inverse is None:
        return False
    for index, value in enumerate((inverse.inputs[0], node.inputs[2], node.inputs[1])):
        node.replace_input_with(index, value)
    return True


def _is_mask(where: ir.Node | None) -> bool:
    """Whether it chooses between two numbers that have no more axes than its condition."""
    if where is None:
        return False
    condition, *numbers = where.inputs
    axes = rank(condition)
    arrays = [constant(v) for v in numbers]
    return axes is not None and all(a is not None and a.size == 1 and a.ndim <= axes for a in arrays)


def _move_condition(node: ir.Node) -> bool:
    where = made_by(node.inputs[0], "Where")
    if where is None or not _is_mask(where) or len(node.outputs) != 1:
        return False
    moved = ir.node(node.op_type, [where.inputs[0], *node.inputs[1:]], dict(node.attributes))
    moved.outputs[0].dtype, moved.outputs[0].shape = ir.DataType.BOOL, node.outputs[0].shape
    graph_of(node).insert_before(node, moved)
    replace(node, "Where", [moved.outputs[0], *where.inputs[1:]])
    return True


def _choose(node: ir.Node) -> bool:
    for x, mask in (node.inputs, node.inputs[::-1]):
        where = made_by(mask, "Where")
        if where is None or not _is_mask(where):
            continue
        first, second = (scalar(v) for v in where.inputs[1:])
        if first == 0 and second is not None and second <= ABSORBS:
            replace(node, "Where", [where.inputs[0], x, where.inputs[2]])
            return True
        if second == 0 and first is not None and first <= ABSORBS:
            replace(node, "Where", [where.inputs[0], where.inputs[1], x])
            return True
    return False


def _unguard(node: ir.Node) -> bool:
    test, zero, p = node.inputs
    nan, softmax = made_by(test, "IsNaN"), made_by(p, "Softmax")
    if nan is None or softmax is None or nan.inputs[0] is not p or scalar(zero) != 0:
        return False
    axis, axes = softmax.attributes.get_int("axis", -1), rank(p)
    if axes is None:
        return False
    some = _some_score(node, softmax.inputs[0], axis - axes if axis >= 0 else axis)
    if some is True:
        bypass(replace(node, "Identity", [p]))
    elif some is not None:
        replace(node, "Where", [some.value, zero, p] if some.inverted else [some.value, p, zero])
    return some is not None


@dataclass(frozen=True)
class _Rows:
    """Which rows have a score that is finite: those where ``value`` holds, or does not."""

    value: ir.Value | None
    inverted: bool


def _some_score(node: ir.Node, scores: ir.Value | None, axis: int) -> _Rows | Literal[True] | None:
    """The rows along ``axis`` (counted from the end) that have one; True for all of them, None where it is unknown."""
    add, where = made_by(scores, "Add"), made_by(scores, "Where")
    if add is not None:
        index = next((k for k, v in enumerate(add.inputs) if constant(v) is not None), None)
        return None if index is None else _rows_of_sum(node, add, index, axis)
    if where is None or any(_is_masked(v) for v in where.inputs[1:]):
        return None
    high, low = (scalar(v) for v in where.inputs[1:])
    if -np.inf not in (low, high):
        return None if low is None and high is None else True
    _lift(node, where, 2 if low == -np.inf else 1)
    if (known := constant(where.inputs[0])) is not None:
        return _constant_rows(node, known if low == -np.inf else ~known, axis)
    if low == -np.inf:
        return _Rows(_along(node, where.inputs[0], axis, "ReduceMax"), inverted=False)
    return _Rows(_along(node, where.inputs[0], axis, "ReduceMin"), inverted=True)


def _is_masked(scores: ir.Value | None) -> bool:
    """Whether another mask has been there before."""
    before = made_by(scores, "Where", "Add")
    if before is None or before.op_type == "Where":
        return before is not None
    return any(a is not None and not np.isfinite(a).all() for a in map(constant, before.inputs))


def _rows_of_sum(node: ir.Node, add: ir.Node, index: int, axis: int) -> _Rows | Literal[True]:
    mask = np.asarray(constant(add.inputs[index]))
    rows = _constant_rows(node, np.isfinite(mask), axis)
    if rows is not True:
        _lift(node, add, index)
    return rows


def _lift(guard: ir.Node, node: ir.Node, index: int) -> None:
    """Put float32's lowest number in the place of -inf in a constant input, where Softmax alone reads the result."""
    array = np.asarray(constant(node.inputs[index]))
    if array.dtype == np.float32 and read_once(node.outputs[0]):
        low = ir.tensor(np.maximum(array, np.finfo(np.float32).min))
        node.replace_input_with(index, add_constant(graph_of(node), f"{guard.outputs[0].name}_low", low))


def _constant_rows(node: ir.Node, chosen: np.ndarray, axis: int) -> _Rows | Literal[True]:
    some = chosen.any(axis=axis, keepdims=True) if chosen.ndim >= -axis else chosen
    if some.all():
        return True
    return _Rows(add_constant(graph_of(node), f"{node.outputs[0].name}_rows", ir.tensor(some)), inverted=False)


def _along(node: ir.Node, condition: ir.Value | None, axis: int, operator: str) -> ir.Value | None:
    """The condition of all in a row together (of truth values the largest is "any", the least "all")."""
    axes = rank(condition)
    if condition is None or (axes is not None and axes < -axis):
        return condition  # it is one along the row
    graph = graph_of(node)
    along = add_constant(graph, f"{node.outputs[0].name}_axes", ir.tensor(np.array([axis], np.int64)))
    made = ir.node(operator, [condition, along], {"keepdims": 1})
    made.outputs[0].dtype = ir.DataType.BOOL
    graph.insert_before(node, made)
    return made.outputs[0]
