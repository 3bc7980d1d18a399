"""Spelled-out HardSwish and HardSigmoid, in any order of their factors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from halfeven.interop.passes.clips import clip_bounds
from halfeven.interop.passes.products import Product, lines_of, product_of
from halfeven.interop.rewrite import replace
from halfeven.interop.values import is_op, rank

RELATIVE = 5e-6  # exporters write 1/6 with six digits


def recognise_hard_swish(model: ir.Model) -> int:
    """Put HardSwish and HardSigmoid in the place of the operators that spell them out.

    1. ``x * clip(x + 3, 0, 6) / 6``, with Div or Mul by 1/6 anywhere in the product -> HardSwish
    2. ``x * HardSigmoid(x, 1/6, 1/2)`` -> HardSwish
    3. ``clip(x + b, 0, c) / c`` -> ``HardSigmoid(x, 1/c, b/c)``; ``clip(a x + b, 0, 1)`` -> ``HardSigmoid(x, a, b)``
    """
    changed = 0
    for node in reversed(list(model.graph)):  # the outermost product first
        y = node.outputs[0]
        if not y.uses() and not y.is_graph_output():
            continue
        if is_op(node, "Mul", "Div"):
            changed += _replace(node, product_of(node))
        elif is_op(node, "Clip"):
            changed += _replace(node, Product(1.0, (y,)))
    return changed


@dataclass(frozen=True)
class Gate:
    """``height * clip(alpha x + beta, 0, 1)``."""

    x: ir.Value
    alpha: float
    beta: float
    height: float


def _replace(node: ir.Node, product: Product) -> bool:
    for i, value in enumerate(product.values):
        rest = [*product.values[:i], *product.values[i + 1 :]]
        gates = [g for g in _gates(value) if _close(product.factor * g.height, 1)]
        for gate in gates:
            known = rank(gate.x) is not None and rank(gate.x) == rank(node.outputs[0])
            if known and len(rest) == 1 and rest[0] is gate.x and _close(gate.alpha, 1 / 6) and _close(gate.beta, 0.5):
                replace(node, "HardSwish", [gate.x])
                return True
        if gates and not rest and rank(gates[-1].x) is not None and rank(gates[-1].x) == rank(node.outputs[0]):
            replace(node, "HardSigmoid", [gates[-1].x], {"alpha": gates[-1].alpha, "beta": gates[-1].beta})
            return True
    return False


def _gates(value: ir.Value) -> list[Gate]:
    """The value as a gate on each value of the chain of scalar operations before its clip."""
    node = value.producer()
    if node is None or not node.inputs or node.inputs[0] is None:
        return []
    if is_op(node, "HardSigmoid"):
        alpha, beta = node.attributes.get_float("alpha", 0.2), node.attributes.get_float("beta", 0.5)
        return [Gate(node.inputs[0], alpha, beta, 1.0)]
    lo, hi = clip_bounds(node) or (0.0, math.inf)
    if lo != 0 or not 0 < hi < math.inf:
        return []
    _, *lines = lines_of(node.inputs[0])
    # clip(x + b, 0, 1) is better left a bias and a clip
    return [Gate(line.x, line.slope / hi, line.offset / hi, hi) for line in lines if line.slope != hi]


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=RELATIVE)
