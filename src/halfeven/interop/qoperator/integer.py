"""MatMulInteger-10 and ConvInteger-10 whose sums are read as floats: products of dequantized operands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.qoperator.build import NotRewritten, Place, attributes_of, rank_of
from halfeven.interop.values import constant, given, is_op, only_reader


def product(op_type: str) -> Callable[[Place], None]:
    """``Cast(<op>Integer(a, b, ..)) [* c]`` -> ``<op>(DQ(a), DQ(b))``; a's scale is 1 and b's is c.

    The sum is an integer and its scale ``1 c``, so nothing is rounded by this. What follows dynamic quantization has
    scales that the model computes, and stays.
    """

    def rewrite(place: Place) -> None:
        node = place.node
        a, b = given(node, 0), given(node, 1)
        cast = only_reader(node.outputs[0])
        if cast is None or not is_op(cast, "Cast") or cast.attributes["to"].as_int() != ir.DataType.FLOAT.value:
            raise NotRewritten("its sums are read as integers")
        last, scale = _scaled(cast, rank_of(b), op_type)
        one = place.constant(np.ones((), np.float32), "scale")
        axis = 0 if op_type == "Conv" else rank_of(b) - 1
        x = place.reals(a, one, given(node, 2), axis=rank_of(a) - 2, role="dequantize0")
        w = place.reals(
            b, place.constant(scale, "weight_scale"), _spread(place, scale.size), axis=axis, role="dequantize1"
        )
        y = place.add(op_type, [x, w], "", attributes_of(node), last.outputs[0].shape)
        place.replace([y], list(dict.fromkeys((cast, last))))

    return rewrite


def _spread(place: Place, count: int) -> ir.Value | None:
    """The weight's zero point, one for each scale."""
    zero = given(place.node, 3)
    known = constant(zero)
    if zero is None or known is None or known.size == count:
        return zero
    if known.size != 1:
        raise NotRewritten(f"it has {known.size} zero points for {count} scales")
    return place.constant(np.full(count, known.reshape(())), "weight_zero_point")


def _scaled(cast: ir.Node, weight_rank: int, op_type: str) -> tuple[ir.Node, NDArray[np.float32]]:
    """The Mul behind the Cast whose other operand is a constant, one or one an output channel; else the Cast and 1."""
    reader = only_reader(cast.outputs[0])
    if reader is None or not is_op(reader, "Mul"):
        return cast, np.ones((), np.float32)
    other = reader.inputs[1] if reader.inputs[0] is cast.outputs[0] else reader.inputs[0]
    factor = constant(other)
    if factor is None or factor.dtype != np.float32 or not (factor > 0).all():
        raise NotRewritten("the scale of its sums is computed while the model runs")
    if factor.size == 1:
        return reader, factor.reshape(())
    channel = -1 if op_type == "MatMul" else -(weight_rank - 1)
    if factor.ndim < -channel or factor.shape[channel] != factor.size:
        raise NotRewritten("its sums have scales that are not one an output channel")
    return reader, factor.reshape(-1)
