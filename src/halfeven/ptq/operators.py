"""What integers do to each operator: the one table that placement reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
import onnx_ir as ir

from halfeven.interop.values import constant, given, is_op
from halfeven.lower.functions import FUNCTIONS

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
    operands : how many of the first inputs carry codes; None for all. Of a PRODUCT the weight is the second.
    clamps : whether a Relu or Clip behind it needs no codes between: it narrows the range of codes.
    refusal : the reason why this node, as it stands, stays in float32; None if it does not.
    """

    role: Role
    operands: int | None = 1
    clamps: bool = False
    refusal: Check = _never


def _refuse_conv(node: ir.Node) -> str | None:
    return _needs_constant(node, 1, "weight") or _needs_constant(node, 2, "bias")


def _refuse_gemm(node: ir.Node) -> str | None:
    attributes = node.attributes
    if attributes.get_int("transA", 0):
        return "its first operand is transposed (transA)"
    if attributes.get_float("alpha", 1.0) != 1 or (given(node, 2) and attributes.get_float("beta", 1.0) != 1):
        return "its alpha or beta is not 1"
    return _refuse_conv(node) or _refuse_gemm_bias(node)


def _refuse_gemm_bias(node: ir.Node) -> str | None:
    weight, bias = constant(given(node, 1)), constant(given(node, 2))
    if weight is None or bias is None:
        return None
    columns = weight.shape[0 if node.attributes.get_int("transB", 0) else 1]
    last = bias.shape[-1] if bias.ndim else 1
    return None if bias.size == last and last in (1, columns) else "its bias is not one value a column"


def _needs_constant(node: ir.Node, index: int, what: str) -> str | None:
    value = given(node, index)
    if value is None:
        return None
    array = constant(value)
    if array is None:
        return f"its {what} ('{value.name}') is not constant"
    return None if np.isfinite(array).all() else f"its {what} ('{value.name}') holds NaN or infinite values"


def _refuse_pad(node: ir.Node) -> str | None:
    mode = node.attributes.get_string("mode", "constant")
    if mode != "constant" or given(node, 2) is None:
        return None
    fill = constant(given(node, 2))
    return None if fill is not None and not fill.any() else "it pads with another constant than 0"


def _refuse_resize(node: ir.Node) -> str | None:
    mode = node.attributes.get_string("mode", "nearest")
    return None if mode == "nearest" else f"its mode '{mode}' mixes values"


def _refuse_max_pool(node: ir.Node) -> str | None:
    indices = node.outputs[1] if len(node.outputs) > 1 else None
    return "its indices are read" if indices is not None and indices.uses() else None


def _refuse_bounds(node: ir.Node) -> str | None:
    return _needs_bound(node, 1) or _needs_bound(node, 2)


def _needs_bound(node: ir.Node, index: int) -> str | None:
    value = given(node, index)
    return None if value is None or constant(value) is not None else f"its bound '{value.name}' is not constant"


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

OPERATORS: dict[str, Operator] = {
    "Conv": Operator(Role.PRODUCT, clamps=True, refusal=_refuse_conv),
    "ConvTranspose": Operator(Role.PRODUCT, clamps=True, refusal=_refuse_conv),
    "Gemm": Operator(Role.PRODUCT, clamps=True, refusal=_refuse_gemm),
    "MatMul": Operator(Role.ARITHMETIC, operands=2, clamps=True),  # by a constant matrix: PRODUCT, see operator_of
    "Add": Operator(Role.ARITHMETIC, operands=2, clamps=True),
    "Sub": Operator(Role.ARITHMETIC, operands=2, clamps=True),
    "Mul": Operator(Role.ARITHMETIC, operands=2, clamps=True),
    "AveragePool": Operator(Role.ARITHMETIC, clamps=True),
    "GlobalAveragePool": Operator(Role.ARITHMETIC, clamps=True),
    "ReduceMean": Operator(Role.ARITHMETIC, clamps=True),
    "Softmax": Operator(Role.ARITHMETIC),
    **dict.fromkeys(FUNCTIONS, Operator(Role.FUNCTION)),
    "Clip": Operator(Role.FUNCTION, refusal=_refuse_bounds),
    **dict.fromkeys(_MOVES, Operator(Role.MOVE)),
    "MaxPool": Operator(Role.MOVE, refusal=_refuse_max_pool),
    "Pad": Operator(Role.MOVE, refusal=_refuse_pad),
    "Resize": Operator(Role.MOVE, refusal=_refuse_resize),
    "Concat": Operator(Role.JOIN, operands=None),
}

_MATRIX = Operator(Role.PRODUCT, clamps=True, refusal=_refuse_conv)


def operator_of(node: ir.Node) -> Operator | None:
    """The node's line of the table; None for an operator without an integer form."""
    if node.domain not in ("", "ai.onnx"):
        return None
    if is_op(node, "MatMul"):
        weight = constant(given(node, 1))
        return _MATRIX if weight is not None and weight.ndim == 2 else OPERATORS["MatMul"]  # noqa: PLR2004
    return OPERATORS.get(node.op_type)


def weight_axis(node: ir.Node) -> int:
    """The axis of a product's weight along which its output channels lie."""
    if is_op(node, "Gemm"):
        return 0 if node.attributes.get_int("transB", 0) else 1
    return 0 if is_op(node, "Conv") else 1  # ConvTranspose (C, O / group, ...), MatMul (K, N)
