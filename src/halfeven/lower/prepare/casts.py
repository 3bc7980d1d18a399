"""Small integers cast to floats are codes of scale 1: ``Cast(q) = 1 (q - 0)``, exactly."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from halfeven.interop.names import add_constant
from halfeven.interop.qdq import DEQUANTIZE, qtype_of
from halfeven.interop.rewrite import replace
from halfeven.interop.values import constant, is_op

CODE_BITS = 16


def casts_are_codes(model: ir.Model) -> int:
    """``Cast(q, float)`` of 8 and 16-bit integers -> ``DequantizeLinear(q, 1)``; return how many there were.

    A model whose input is an image of bytes is integers from there on.
    """
    count = 0
    for node in list(model.graph):
        x = node.inputs[0] if is_op(node, "Cast") else None
        qtype = None if x is None or constant(x) is not None else qtype_of(x.dtype)
        to_float = x is not None and node.attributes["to"].as_int() == ir.DataType.FLOAT.value
        if x is None or x.dtype is None or qtype is None or qtype.bits > CODE_BITS or not to_float:
            continue
        scale = add_constant(model.graph, f"{node.name}/scale", ir.tensor(np.ones((), np.float32)))
        zero = add_constant(model.graph, f"{node.name}/zero_point", ir.tensor(np.zeros((), x.dtype.numpy())))
        replace(node, DEQUANTIZE, [x, scale, zero])
        count += 1
    return count
