"""Spelled-out Gelu, exact and by tanh."""

from __future__ import annotations

import math

import onnx_ir as ir

from halfeven.interop.passes.products import line_of, product_of
from halfeven.interop.rewrite import replace
from halfeven.interop.values import is_op, made_by, rank, scalar

RELATIVE = 1e-5  # constants such as 0.7978846 and 1.4142 have few digits
TANH_SLOPE = math.sqrt(2 / math.pi)
CUBIC = 0.044715


def recognise_gelu(model: ir.Model) -> int:
    """Put Gelu in the place of the operators that spell it out, in any order of the factors.

    1. ``x / 2 * (1 + erf(x / sqrt 2))`` -> ``Gelu(x)``
    2. ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`` -> ``Gelu(x, approximate="tanh")``
    """
    changed = 0
    for node in reversed(list(model.graph)):
        if is_op(node, "Mul", "Div") and (node.outputs[0].uses() or node.outputs[0].is_graph_output()):
            changed += _replace(node)
    return changed


def _replace(node: ir.Node) -> bool:
    product = product_of(node)
    if len(product.values) != 2:  # noqa: PLR2004 - x and its gate
        return False
    for x, gate in (product.values, product.values[::-1]):
        line = line_of(gate)
        inner = made_by(line.x, "Erf", "Tanh")
        if inner is None or not _close(line.slope, line.offset) or not _close(product.factor * line.slope, 0.5):
            continue
        kind = _kind(inner, x)
        if kind is not None and rank(x) is not None and rank(x) == rank(node.outputs[0]):
            replace(node, "Gelu", [x], {"approximate": kind})
            return True
    return False


def _kind(inner: ir.Node, x: ir.Value) -> str | None:
    if inner.inputs[0] is None:
        return None
    line = line_of(inner.inputs[0])
    if is_op(inner, "Erf"):
        return "none" if line.x is x and line.offset == 0 and _close(line.slope, math.sqrt(0.5)) else None
    return "tanh" if line.offset == 0 and _close(line.slope, TANH_SLOPE) and _is_cubic(line.x, x) else None


def _is_cubic(value: ir.Value, x: ir.Value) -> bool:
    """Whether the value is ``x + 0.044715 x^3``."""
    add = made_by(value, "Add")
    if add is None:
        return False
    for own, cube in (add.inputs, add.inputs[::-1]):
        node = made_by(cube, "Mul")
        if own is not x or node is None:
            continue
        product = product_of(node)
        if _close(product.factor, CUBIC) and (product.values == (x, x, x) or _is_power(product.values, x)):
            return True
    return False


def _is_power(values: tuple[ir.Value, ...], x: ir.Value) -> bool:
    node = made_by(values[0], "Pow") if len(values) == 1 else None
    return node is not None and node.inputs[0] is x and scalar(node.inputs[1]) == 3  # noqa: PLR2004 - the cube


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=RELATIVE)
