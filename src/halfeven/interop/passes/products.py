"""A chain of Mul and Div by constants and values, read as ``factor * value * value ...``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from halfeven.interop.values import made_by, read_once, scalar


@dataclass(frozen=True)
class Product:
    """``factor`` times the product of ``values``."""

    factor: float
    values: tuple[ir.Value, ...]


def product_of(node: ir.Node) -> Product:
    """Read the node and the Mul and Div that feed it alone; ``x / value`` is left as one value."""
    if node.op_type == "Div":
        return _quotient(node)
    parts = [_read(value) for value in node.inputs if value is not None]
    factor, values = 1.0, ()
    for part in parts:
        factor, values = factor * part.factor, values + part.values
    return Product(factor, values)


def _quotient(node: ir.Node) -> Product:
    x, divisor = node.inputs[0], scalar(node.inputs[1])
    if x is None or not divisor:
        return Product(1.0, (node.outputs[0],))
    inner = _read(x)
    return Product(inner.factor / divisor, inner.values)


def _read(value: ir.Value) -> Product:
    number = scalar(value)
    if number is not None:
        return Product(number, ())
    producer = made_by(value, "Mul", "Div")
    if producer is None or not read_once(value):
        return Product(1.0, (value,))
    return product_of(producer)


@dataclass(frozen=True)
class Line:
    """``slope * x + offset``."""

    x: ir.Value
    slope: float
    offset: float


def lines_of(value: ir.Value) -> Iterator[Line]:
    """The value as a line through itself, and through each value before the scalar Add, Sub, Mul, Div that make it."""
    line = Line(value, 1.0, 0.0)
    yield line
    while (step := _step(line)) is not None:
        line = step
        yield line


def line_of(value: ir.Value) -> Line:
    """The value as a line through the first value of its chain of scalar Add, Sub, Mul, Div."""
    *_, line = lines_of(value)
    return line


def _step(line: Line) -> Line | None:
    """The same line through the value before, if a scalar operation makes ``line.x``."""
    node = made_by(line.x, "Add", "Sub", "Mul", "Div")
    if node is None:
        return None
    a, b = node.inputs
    left, right = scalar(a), scalar(b)
    if left is None and right is not None and a is not None:
        return _before(line, a, node.op_type, right)
    if left is not None and right is None and b is not None and node.op_type != "Div":
        if node.op_type == "Sub":
            return Line(b, -line.slope, line.slope * left + line.offset)
        return _before(line, b, node.op_type, left)
    return None


def _before(line: Line, x: ir.Value, op_type: str, number: float) -> Line | None:
    if op_type in ("Add", "Sub"):
        signed = number if op_type == "Add" else -number
        return Line(x, line.slope, line.slope * signed + line.offset)
    if op_type == "Div" and number == 0:
        return None
    return Line(x, line.slope * number if op_type == "Mul" else line.slope / number, line.offset)
