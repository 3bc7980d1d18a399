"""One rule a file: from an operator between DequantizeLinear and QuantizeLinear to instructions.

A rule is a function ``(Site) -> list[Instruction]``; it raises NotLowered with the reason where the operator, as it
stands, has no integer form. ``RULES`` is the one list of them.
"""

from __future__ import annotations

from collections.abc import Callable

from halfeven.ir.instructions import Instruction
from halfeven.lower import functions
from halfeven.lower.rules import add, concat, conv, gemm, matmul, mean, move, mul, pool, softmax, unary
from halfeven.lower.site import Site

Rule = Callable[[Site], list[Instruction]]

RULES: dict[str, Rule] = {
    "Add": add.lower,
    "AveragePool": pool.lower_average,
    "Concat": concat.lower,
    "Conv": conv.lower,
    "Flatten": move.lower_flatten,
    "Gemm": gemm.lower,
    "GlobalAveragePool": mean.lower_global,
    "Identity": move.lower_identity,
    "MatMul": matmul.lower,
    "MaxPool": pool.lower_max,
    "Mul": mul.lower,
    "ReduceMean": mean.lower_reduce,
    "Reshape": move.lower_reshape,
    "Softmax": softmax.lower,
    "Sub": add.lower,
    "Transpose": move.lower_transpose,
    **dict.fromkeys(functions.FUNCTIONS, unary.lower),
}
