"""One-input functions that several operators spell out, with no codes between: ``x * sigmoid(x)``, ``(x + 3) / 6``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from halfeven.lower.functions import FUNCTIONS, Function, Reals
from halfeven.lower.site import NotLowered, Operand, Site, operand_of, real_constant

MOST_NODES = 32

BINARY: dict[str, Callable[[Reals, Reals], Reals]] = {
    "Add": np.add,
    "Div": np.divide,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mul": np.multiply,
    "Pow": np.power,
    "PRelu": lambda x, slope: np.where(x < 0, slope * x, x),
    "Sub": np.subtract,
}


@dataclass(frozen=True)
class Composed:
    """``function(DQ(codes))``; ``codes`` is None for a constant."""

    codes: Operand | None
    function: Function
    nodes: int = 0
    axes: int = 0  # of the constants: more than the codes have would add axes to the result


def compose(site: Site) -> tuple[Operand, Function]:
    """The site's operator as a float64 function of the one tensor of codes that it depends on.

    Raises
    ------
    NotLowered
        If it depends on two, or on values that are not quantized.
    """
    found = _compute(site, site.node, site.result)
    if found.codes is None:
        raise NotLowered("its operands are constant")
    if found.axes > (1 if found.codes.rank is None else found.codes.rank):
        raise NotLowered(f"a constant of {found.axes} axes adds axes to its result")
    return found.codes, found.function


def _compute(site: Site, node: ir.Node, result: int) -> Composed:
    values = [v for v in node.inputs if v is not None]
    if node.op_type in FUNCTIONS and values and result == 0:
        inner = _read(site, values[0])
        outer = FUNCTIONS[node.op_type](replace(site, node=node))
        return Composed(inner.codes, lambda x: outer(inner.function(x)), inner.nodes + 1, inner.axes)
    combined = _read(site, values[0])
    for value in values[1:]:
        combined = _combine(BINARY[node.op_type], combined, _read(site, value))
    return combined


def _combine(operator: Callable[[Reals, Reals], Reals], a: Composed, b: Composed) -> Composed:
    if a.codes is not None and b.codes is not None and a.codes.name != b.codes.name:
        raise NotLowered("it mixes two tensors, of which at least one is not quantized")
    if a.nodes + b.nodes > MOST_NODES:
        raise NotLowered(f"more than {MOST_NODES} operators without codes lead to it")
    codes = b.codes if a.codes is None else a.codes
    both: Function = lambda x: np.asarray(operator(a.function(x), b.function(x)))  # noqa: E731
    return Composed(codes, both, a.nodes + b.nodes + 1, max(a.axes, b.axes))


def _read(site: Site, value: ir.Value) -> Composed:
    number = real_constant(value, site.profile)
    if number is not None and number.size == 1:
        single = number.reshape(())
        return Composed(None, lambda _x: single, axes=number.ndim)
    node = value.producer()
    if node is not None and node.domain in ("", "ai.onnx") and (node.op_type in FUNCTIONS or node.op_type in BINARY):
        return _compute(site, node, value.index() or 0)
    operand = operand_of(value, site.profile)
    if not operand.per_tensor:
        raise NotLowered(f"its input '{value.name}' has one scale a channel")
    return Composed(operand, lambda x: x)
