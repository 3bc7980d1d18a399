"""What Where chooses by: truth values are codes 0 and 1, so "and" is the smaller of two and "any" the largest."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from halfeven.interop.values import given, is_op
from halfeven.ir.instructions import Instruction
from halfeven.ir.select import Extreme
from halfeven.lower.rules import RULES
from halfeven.lower.site import NotLowered, Operand, Site, constant_of, rank_of
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile
from halfeven.numerics.qtype import uint8

TRUTH = AffineParams(scale=1.0, qtype=uint8)
OF_TWO = {"And": False, "Or": True}
ALIKE = (
    "Expand",
    "Flatten",
    "Gather",
    "ReduceMax",
    "ReduceMin",
    "Reshape",
    "Slice",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)
"""What moves or compares codes of one scale does so to truth values."""


@dataclass(frozen=True)
class _Condition(Site):
    """An operator on truth values as a rule for codes sees it."""

    def operand(self, index: int) -> Operand:
        """The truth values at input ``index``."""
        value = given(self.node, index)
        if value is None:
            raise NotLowered(f"its input {index} is missing")
        return Operand(str(value.name), TRUTH, constant_of(value), rank_of(value))


def lower_condition(node: ir.Node, profile: Profile) -> list[Instruction] | None:
    """Instructions of an operator from truth values to truth values; None where it is none, or has no integer form."""
    if not is_op(node, *OF_TWO, *ALIKE) or node.outputs[0].dtype != ir.DataType.BOOL:
        return None
    y = str(node.outputs[0].name)
    if node.op_type in OF_TWO:
        a, b = (str(v.name) for v in node.inputs if v is not None)
        return [Extreme(node.name or y, a, b, y, OF_TWO[node.op_type])]
    try:
        return RULES[node.op_type](_Condition(node, None, y, TRUTH, None, None, profile))
    except NotLowered:
        return None
