"""Nodes that hand on their input are removed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from halfeven.interop.rewrite import bypass, replace
from halfeven.interop.values import constant, given, integers, rank, scalar

INT32_MAX = 2**31 - 1  # from here on exporters write "to the end" of a Slice


def remove_no_ops(model: ir.Model) -> int:
    """Remove nodes whose output is their first input, at every value and every dynamic size.

    1. Identity; Dropout outside training; Cast to the type it has; Concat, Sum, Max, Min, Mean of one input
    2. Reshape, Flatten, Transpose, Expand, Slice, Pad, Resize that change nothing
    3. x + 0, x - 0, x * 1, x / 1, x ** 1; Clip without bounds
    """
    changed = 0
    for node in list(model.graph):
        rule = RULES.get(node.op_type)
        if node.domain != "" or rule is None or not node.inputs or not rule(node):
            continue
        if bypass(node):
            changed += 1
        elif node.op_type != "Identity":
            replace(node, "Identity", [node.inputs[0]])
            changed += 1
    return changed


def _always(node: ir.Node) -> bool:
    return len(node.outputs) == 1


def _dropout(node: ir.Node) -> bool:
    mask_unread = all(not o.uses() and not o.is_graph_output() for o in node.outputs[1:])
    training = given(node, 2)
    return mask_unread and (training is None or scalar(training) == 0)


def _cast(node: ir.Node) -> bool:
    x = node.inputs[0]
    return x is not None and x.dtype is not None and bool(x.dtype.value == node.attributes["to"].as_int())


def _one_input(node: ir.Node) -> bool:
    return len(node.inputs) == 1


def _transpose(node: ir.Node) -> bool:
    perm = node.attributes.get("perm")
    return perm is not None and list(perm.as_ints()) == list(range(len(perm.as_ints())))


def _reshape(node: ir.Node) -> bool:
    x, target = node.inputs[0], integers(given(node, 1))
    if x is None or x.shape is None or target is None or len(target) != len(x.shape):
        return False
    allow_zero = node.attributes.get_int("allowzero", 0)
    kept = [dim == want or (want == 0 and not allow_zero) for dim, want in zip(x.shape, target, strict=True)]
    return all(kept) or (sum(kept) == len(kept) - 1 and target[kept.index(False)] == -1)


def _flatten(node: ir.Node) -> bool:
    return rank(node.inputs[0]) == 2 and node.attributes.get_int("axis", 1) in (1, -1)  # noqa: PLR2004


def _expand(node: ir.Node) -> bool:
    x, target = node.inputs[0], integers(given(node, 1))
    if x is None or x.shape is None or target is None or len(target) > len(x.shape):
        return False
    dims = list(x.shape)[len(x.shape) - len(target) :]
    return all(want in (1, dim) for dim, want in zip(dims, target, strict=True))


def _slice(node: ir.Node) -> bool:
    starts, ends, steps = (integers(given(node, i)) for i in (1, 2, 4))
    if starts is None or ends is None or (given(node, 4) is not None and steps is None):
        return False
    return not any(starts) and all(end >= INT32_MAX for end in ends) and all(step == 1 for step in steps or ())


def _pad(node: ir.Node) -> bool:
    pads = integers(given(node, 1))
    return pads is not None and not any(pads)


def _resize(node: ir.Node) -> bool:
    scales = constant(given(node, 2))
    return scales is not None and scales.size > 0 and bool(np.all(scales == 1)) and given(node, 3) is None


def _neutral(number: float, *, either_side: bool) -> Callable[[ir.Node], bool]:
    def rule(node: ir.Node) -> bool:
        if either_side and _is_neutral(node.inputs[0], node.inputs[1], number):
            x, c = node.inputs[1], node.inputs[0]
            node.replace_input_with(0, x)
            node.replace_input_with(1, c)
        return _is_neutral(node.inputs[1], node.inputs[0], number)

    return rule


def _is_neutral(c: ir.Value | None, x: ir.Value | None, number: float) -> bool:
    array, axes = constant(c), rank(x)
    if array is None or array.size != 1 or array.dtype.kind not in "fiu":
        return False
    return float(array.reshape(())) == number and array.ndim <= (0 if axes is None else axes)


def _clip(node: ir.Node) -> bool:
    return all(value is None for value in node.inputs[1:])


RULES: dict[str, Callable[[ir.Node], bool]] = {
    "Identity": _always,
    "Dropout": _dropout,
    "Cast": _cast,
    **dict.fromkeys(("Concat", "Sum", "Max", "Min", "Mean"), _one_input),
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Expand": _expand,
    "Slice": _slice,
    "Pad": _pad,
    "Resize": _resize,
    "Add": _neutral(0, either_side=True),
    "Sub": _neutral(0, either_side=False),
    "Mul": _neutral(1, either_side=True),
    "Div": _neutral(1, either_side=False),
    "Pow": _neutral(1, either_side=False),
    "Clip": _clip,
}
