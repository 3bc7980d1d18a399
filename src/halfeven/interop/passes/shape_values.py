"""Shapes computed from shapes: followed through symbols, so that Reshape and Expand get constant targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from halfeven.interop.names import add_constant
from halfeven.interop.values import constant, given, is_op

Dim = int | str | None  # a size, a symbol, or unknown

INTEGERS = (ir.DataType.INT64, ir.DataType.INT32)
LONGEST = 64  # integers: nobody's shape is longer


@dataclass(frozen=True)
class Sizes:
    """What is known of a small integer tensor."""

    dims: tuple[Dim, ...]
    is_scalar: bool = False


Known = dict[ir.Value, Sizes]


def settle_shapes(model: ir.Model) -> int:
    """Give Reshape a constant target where its computed one only repeats sizes of the input; learn output shapes.

    1. ``Shape(x)[2]`` -> a constant, where that size is static
    2. ``Reshape(x, Concat(Shape(x)[0:2], [-1]))`` -> ``Reshape(x, [0, 0, -1])``: dynamic sizes stay dynamic
    3. the output of Reshape, Expand and ConstantOfShape has as many axes as its target has entries
    """
    known: Known = {}
    changed = 0
    for node in list(model.graph):
        sizes = _evaluate(node, known)
        if sizes is not None and len(sizes.dims) <= LONGEST:
            known[node.outputs[0]] = sizes
            changed += _settle_value(node, sizes)
        if is_op(node, "Reshape"):
            changed += _settle_reshape(node, _look_up(given(node, 1), known))
        elif is_op(node, "Expand", "ConstantOfShape"):
            target = given(node, 1 if node.op_type == "Expand" else 0)
            changed += _learn_rank(node, _look_up(target, known))
    return changed


def _look_up(value: ir.Value | None, known: Known) -> Sizes | None:
    array = constant(value)
    if array is not None and array.dtype.kind in "iu" and array.ndim <= 1 and array.size <= LONGEST:
        return Sizes(tuple(int(v) for v in array.reshape(-1)), array.ndim == 0)
    return None if value is None else known.get(value)


def _evaluate(node: ir.Node, known: Known) -> Sizes | None:
    if node.domain != "" or len(node.outputs) != 1:
        return None
    if node.op_type == "Shape":
        return _shape(node)
    rule = RULES.get(node.op_type)
    inputs = [_look_up(value, known) for value in node.inputs]
    return rule(node, inputs) if rule is not None and inputs and inputs[0] is not None else None


def _shape(node: ir.Node) -> Sizes | None:
    x = node.inputs[0]
    if x is None or x.shape is None:
        return None
    dims = tuple(d if isinstance(d, int) else d.value for d in x.shape)
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", len(dims))
    return Sizes(dims[start:end])


def _same(node: ir.Node, inputs: list[Sizes | None]) -> Sizes | None:
    to = node.attributes.get_int("to", ir.DataType.INT64.value)
    return inputs[0] if to in [dtype.value for dtype in INTEGERS] else None


def _gather(_node: ir.Node, inputs: list[Sizes | None]) -> Sizes | None:
    data, index = inputs
    if data is None or index is None or data.is_scalar or not all(isinstance(i, int) for i in index.dims):
        return None
    picked = [data.dims[i] for i in index.dims if isinstance(i, int) and -len(data.dims) <= i < len(data.dims)]
    return Sizes(tuple(picked), index.is_scalar) if len(picked) == len(index.dims) else None


def _slice(_node: ir.Node, inputs: list[Sizes | None]) -> Sizes | None:
    bounds = [None if s is None or len(s.dims) != 1 else s.dims[0] for s in inputs[1:]]
    steps = bounds[3] if len(bounds) > 3 else 1  # noqa: PLR2004 - starts, ends, axes, steps
    data = inputs[0]
    if data is None or not isinstance(bounds[0], int) or not isinstance(bounds[1], int) or not isinstance(steps, int):
        return None
    return Sizes(data.dims[bounds[0] : bounds[1] : steps]) if steps else None


def _concat(_node: ir.Node, inputs: list[Sizes | None]) -> Sizes | None:
    if any(s is None or s.is_scalar for s in inputs):
        return None
    return Sizes(tuple(d for s in inputs if s is not None for d in s.dims))


def _reranked(node: ir.Node, inputs: list[Sizes | None]) -> Sizes | None:
    data, shape = inputs[0], node.outputs[0].shape
    if data is None:
        return None
    if shape is not None:
        return Sizes(data.dims, len(shape) == 0) if len(shape) <= 1 else None
    if node.op_type == "Squeeze" and len(data.dims) == 1:
        return Sizes(data.dims, is_scalar=True)
    return Sizes(data.dims) if node.op_type == "Unsqueeze" and data.is_scalar else None


def _arithmetic(symbol: str, apply: Callable[[int, int], int]) -> Callable[[ir.Node, list[Sizes | None]], Sizes | None]:
    def one(a: Dim, b: Dim) -> Dim:
        if isinstance(a, int) and isinstance(b, int):
            return apply(a, b) if symbol != "/" or b != 0 else None
        return None if a is None or b is None else f"({a}{symbol}{b})"

    def rule(_node: ir.Node, inputs: list[Sizes | None]) -> Sizes | None:
        a, b = inputs
        if a is None or b is None or (len(a.dims) != len(b.dims) and 1 not in (len(a.dims), len(b.dims))):
            return None
        count = max(len(a.dims), len(b.dims))
        left, right = (s.dims * count if len(s.dims) == 1 else s.dims for s in (a, b))
        return Sizes(tuple(map(one, left, right)), a.is_scalar and b.is_scalar)

    return rule


RULES: dict[str, Callable[[ir.Node, list[Sizes | None]], Sizes | None]] = {
    "Identity": _same,
    "Cast": _same,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Squeeze": _reranked,
    "Unsqueeze": _reranked,
    "Reshape": _reranked,
    "Add": _arithmetic("+", lambda a, b: a + b),
    "Sub": _arithmetic("-", lambda a, b: a - b),
    "Mul": _arithmetic("*", lambda a, b: a * b),
    "Div": _arithmetic("/", lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)),  # toward zero
}


def _settle_value(node: ir.Node, sizes: Sizes) -> bool:
    y = node.outputs[0]
    if not y.uses() or y.is_graph_output() or y.dtype not in INTEGERS or node.graph is None:
        return False
    bounds = np.iinfo(y.dtype.numpy())
    if not all(isinstance(d, int) and bounds.min <= d <= bounds.max for d in sizes.dims):
        return False
    array = np.asarray(sizes.dims, y.dtype.numpy())
    tensor = ir.tensor(array.reshape(()) if sizes.is_scalar else array)
    y.replace_all_uses_with(add_constant(node.graph, f"{y.name}_value", tensor))
    return True


def _settle_reshape(node: ir.Node, target: Sizes | None) -> bool:
    x, y = node.inputs[0], node.outputs[0]
    if target is None or target.is_scalar or x is None:
        return False
    if node.attributes.get_int("allowzero", 0) and 0 in target.dims:  # there 0 means none, not the input's own
        return False
    sizes: list[Dim] = [d if isinstance(d, int) else d.value for d in x.shape or ()]
    entries = [_entry(want, sizes[i] if i < len(sizes) else None) for i, want in enumerate(target.dims)]
    learned = y.shape is None
    if learned:
        y.shape = ir.Shape(_output_dims(target.dims, sizes))
    if constant(node.inputs[1]) is not None or sum(e == -1 for e in entries) > 1 or node.graph is None:
        return learned
    shape = ir.tensor(np.asarray(entries, np.int64))
    node.replace_input_with(1, add_constant(node.graph, f"{y.name}_shape", shape))
    node.attributes.pop("allowzero", None)
    return True


def _entry(want: Dim, own: Dim) -> int:
    """The constant that asks for the same size: itself, 0 for the input's own, -1 for what is left over."""
    if isinstance(want, int):
        return want
    return 0 if want is not None and want == own else -1


def _output_dims(target: tuple[Dim, ...], sizes: list[Dim]) -> list[Dim]:
    def dim(i: int, want: Dim) -> Dim:
        if want == 0:
            return sizes[i] if i < len(sizes) else None
        return None if want == -1 else want

    return [dim(i, want) for i, want in enumerate(target)]


def _learn_rank(node: ir.Node, target: Sizes | None) -> bool:
    y = node.outputs[0]
    if target is None or target.is_scalar or y.shape is not None:
        return False
    if is_op(node, "ConstantOfShape"):
        y.shape = ir.Shape([d if not isinstance(d, int) or d >= 0 else None for d in target.dims])
        return True
    x = node.inputs[0]
    if x is None or x.shape is None:
        return False
    y.shape = ir.Shape([None] * max(len(x.shape), len(target.dims)))
    return True
