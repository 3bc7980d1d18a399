"""What integers do to each operator: the one table that placement reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import onnx_ir as ir

from halfeven.interop.passes.masks import ABSORBS
from halfeven.interop.values import constant, given, is_op, scalar
from halfeven.lower.functions import FUNCTIONS
from halfeven.ptq.refusals import (
    refuse_axes,
    refuse_bounds,
    refuse_conv,
    refuse_divisor,
    refuse_factor,
    refuse_gemm,
    refuse_max_pool,
    refuse_normalization,
    refuse_pad,
    refuse_power,
    refuse_resize,
    refuse_single,
)

Check = Callable[[ir.Node], "str | None"]


class Role(Enum):
    """How an operator's result gets its codes."""

    PRODUCT = "an integer sum of products with a constant weight, rescaled to a scale of its own"
    ARITHMETIC = "computed from the operands' codes, on a scale of its own"
    FUNCTION = "looked up for each code, on a scale of its own"
    MOVE = "the operand's codes, on the operand's scale"
    JOIN = "the operands' codes side by side, on one scale"


def _never(_node: ir.Node) -> None:
    """No reason against it."""


@dataclass(frozen=True)
class Operator:
    """One line of the table.

    Attributes
    ----------
    role : see there.
    operands : how many of the first inputs carry codes; None for all. Of a PRODUCT the weight is the second, of Where
        the condition the first: see :func:`carriers`.
    clamps : whether a Relu or Clip behind it needs no codes between: it narrows the range of codes.
    refusal : the reason why this node, as it stands, stays in float32; None if it does not.
    """

    role: Role
    operands: int | None = 1
    clamps: bool = False
    refusal: Check = _never


_MOVES = (
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "Identity",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)

_NORMALIZATIONS = ("GroupNormalization", "InstanceNormalization", "LayerNormalization")

OPERATORS: dict[str, Operator] = {
    "Conv": Operator(Role.PRODUCT, clamps=True, refusal=refuse_conv),
    "ConvTranspose": Operator(Role.PRODUCT, clamps=True, refusal=refuse_conv),
    "Gemm": Operator(Role.PRODUCT, clamps=True, refusal=refuse_gemm),
    "MatMul": Operator(Role.ARITHMETIC, operands=2, clamps=True),  # by a constant matrix: PRODUCT, see operator_of
    "Add": Operator(Role.ARITHMETIC, operands=2, clamps=True),
    "Sub": Operator(Role.ARITHMETIC, operands=2, clamps=True),
    "Mul": Operator(Role.ARITHMETIC, operands=2, clamps=True),
    "Div": Operator(Role.ARITHMETIC, operands=2, clamps=True),  # by a constant, see operator_of
    "PRelu": Operator(Role.ARITHMETIC, clamps=True, refusal=refuse_factor),
    "AveragePool": Operator(Role.ARITHMETIC, clamps=True),
    "GlobalAveragePool": Operator(Role.ARITHMETIC, clamps=True),
    "Max": Operator(Role.ARITHMETIC, operands=None, clamps=True, refusal=refuse_single),
    "Min": Operator(Role.ARITHMETIC, operands=None, clamps=True, refusal=refuse_single),
    "ReduceMean": Operator(Role.ARITHMETIC, clamps=True, refusal=refuse_axes),
    "ReduceSum": Operator(Role.ARITHMETIC, clamps=True, refusal=refuse_axes),
    "Where": Operator(Role.ARITHMETIC, operands=3, clamps=True),  # but for masks, see operator_of
    "Softmax": Operator(Role.ARITHMETIC),
    **dict.fromkeys(_NORMALIZATIONS, Operator(Role.ARITHMETIC, clamps=True, refusal=refuse_normalization)),
    **dict.fromkeys(FUNCTIONS, Operator(Role.FUNCTION)),
    "Clip": Operator(Role.FUNCTION, refusal=refuse_bounds),
    "Pow": Operator(Role.FUNCTION, refusal=refuse_power),
    **dict.fromkeys(_MOVES, Operator(Role.MOVE)),
    "GlobalMaxPool": Operator(Role.MOVE),
    "ReduceMax": Operator(Role.MOVE, refusal=refuse_axes),
    "ReduceMin": Operator(Role.MOVE, refusal=refuse_axes),
    "MaxPool": Operator(Role.MOVE, refusal=refuse_max_pool),
    "Pad": Operator(Role.MOVE, refusal=refuse_pad),
    "Resize": Operator(Role.MOVE, refusal=refuse_resize),  # but for mode linear, see operator_of
    "Concat": Operator(Role.JOIN, operands=None),
}

_MATRIX = Operator(Role.PRODUCT, clamps=True, refusal=refuse_conv)
_SCALED = Operator(Role.ARITHMETIC, clamps=True, refusal=refuse_divisor)
_INTERPOLATED = Operator(Role.ARITHMETIC, clamps=True, refusal=refuse_resize)
_MASKED = Operator(Role.MOVE, operands=3)


def operator_of(node: ir.Node) -> Operator | None:
    """The node's line of the table; None for an operator without an integer form."""
    if node.domain not in ("", "ai.onnx"):
        return None
    if is_op(node, "MatMul"):
        weight = constant(given(node, 1))
        return _MATRIX if weight is not None and weight.ndim == 2 else OPERATORS["MatMul"]  # noqa: PLR2004
    if is_op(node, "Div") and constant(given(node, 1)) is not None:
        return _SCALED
    if is_op(node, "Resize") and node.attributes.get_string("mode", "nearest") == "linear":
        return _INTERPOLATED
    if is_op(node, "Where") and any(_needs_no_code(v) for v in node.inputs[1:]):
        return _MASKED
    return OPERATORS.get(node.op_type)


def _needs_no_code(value: ir.Value | None) -> bool:
    """Whether a number is a code of every scale: 0, or so low that it is the least."""
    number = scalar(value)
    return number is not None and (number == 0 or number <= ABSORBS)


def carriers(node: ir.Node, operator: Operator) -> list[ir.Value | None]:
    """The inputs that carry codes; of Where neither the condition nor a single number that it chooses."""
    values = list(node.inputs[: operator.operands])
    if not is_op(node, "Where"):
        return values
    return [v for v in values[1:] if scalar(v) is None]


def weight_axis(node: ir.Node) -> int:
    """The axis of a product's weight along which its output channels lie."""
    if is_op(node, "Gemm"):
        return 0 if node.attributes.get_int("transB", 0) else 1
    return 0 if is_op(node, "Conv") else 1  # ConvTranspose (C, O / group, ...), MatMul (K, N)
