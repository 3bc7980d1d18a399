"""One rule a file: from an operator between DequantizeLinear and QuantizeLinear to instructions.

A rule is a function ``(Site) -> list[Instruction]``; it raises NotLowered with the reason where the operator, as it
stands, has no integer form. ``RULES`` is the one list of them.
"""

from __future__ import annotations

from collections.abc import Callable

from halfeven.ir.instructions import Instruction
from halfeven.lower import functions
from halfeven.lower.rules import (
    add,
    batch_norm,
    concat,
    conv,
    conv_transpose,
    div,
    extreme,
    gemm,
    matmul,
    mean,
    move,
    mul,
    normalize,
    pad,
    pool,
    prelu,
    resize,
    softmax,
    split,
    unary,
    where,
)
from halfeven.lower.site import Site

Rule = Callable[[Site], list[Instruction]]

RULES: dict[str, Rule] = {
    "Add": add.lower,
    "AveragePool": pool.lower_average,
    "BatchNormalization": batch_norm.lower,
    "Concat": concat.lower,
    "Conv": conv.lower,
    "ConvTranspose": conv_transpose.lower,
    "DepthToSpace": move.lower_depth_to_space,
    "Div": div.lower,
    "Expand": move.lower_expand,
    "Flatten": move.lower_flatten,
    "Gather": move.lower_gather,
    "Gemm": gemm.lower,
    "GlobalAveragePool": mean.lower_global,
    "GlobalMaxPool": extreme.lower_global,
    "GroupNormalization": normalize.lower_group,
    "Identity": move.lower_identity,
    "InstanceNormalization": normalize.lower_instance,
    "LayerNormalization": normalize.lower_layer,
    "MatMul": matmul.lower,
    "Max": extreme.lower_pair,
    "MaxPool": pool.lower_max,
    "Min": extreme.lower_pair,
    "Mul": mul.lower,
    "PRelu": prelu.lower,
    "Pad": pad.lower,
    "ReduceMax": extreme.lower_reduce_max,
    "ReduceMean": mean.lower_reduce,
    "ReduceMin": extreme.lower_reduce_min,
    "ReduceSum": mean.lower_sum,
    "Reshape": move.lower_reshape,
    "Resize": resize.lower,
    "Slice": move.lower_slice,
    "Softmax": softmax.lower,
    "SpaceToDepth": move.lower_space_to_depth,
    "Split": split.lower,
    "Squeeze": move.lower_squeeze,
    "Sub": add.lower,
    "Tile": move.lower_tile,
    "Transpose": move.lower_transpose,
    "Unsqueeze": move.lower_unsqueeze,
    "Where": where.lower,
    **dict.fromkeys(functions.FUNCTIONS, unary.lower),
}
