"""QLinearMatMul-10, and onnxruntime's QGemm and MatMulIntegerToFloat."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from halfeven.interop.qoperator.build import Place, attributes_of, constant_array, rank_of
from halfeven.interop.values import given

FIRST, SECOND = 0, 3
GEMM_BIAS, GEMM_SCALE = 6, 7
FLOAT_BIAS = 6


def matmul(place: Place) -> None:
    """``QLinearMatMul(a, .., b, ..)`` -> ``Q(MatMul(DQ(a), DQ(b)))``; scales are one a row of a, one a column of b."""
    y = place.add("MatMul", _operands(place, FIRST, SECOND), "", shape=place.node.outputs[0].shape)
    place.finish(y, GEMM_BIAS)


def _operands(place: Place, first: int, second: int) -> list[ir.Value]:
    node = place.node
    a, b = (given(node, k) for k in (first, second))
    return [place.dequantized(first, rank_of(a) - 2), place.dequantized(second, rank_of(b) - 1)]


def gemm(place: Place) -> None:
    """``QGemm(a, .., b, .., c, ..)`` -> ``Gemm(DQ(a), DQ(b), DQ(c))``, then Q where it has an output scale.

    ``c`` is int32 at scale ``alpha Sa Sb``.
    """
    node = place.node
    transposed = bool(node.attributes.get_int("transB", 0))
    operands = [place.dequantized(FIRST, 1), place.dequantized(SECOND, 0 if transposed else 1)]
    bias = given(node, GEMM_BIAS)
    if bias is not None:
        s_a, s_b = (constant_array(given(node, k), "scale") for k in (FIRST + 1, SECOND + 1))
        alpha = np.float32(node.attributes["alpha"].as_float()) if "alpha" in node.attributes else np.float32(1)
        scale = place.constant((alpha * s_a.reshape(()) * s_b).astype(np.float32), "bias_scale")
        operands.append(place.reals(bias, scale, None, axis=rank_of(bias) - 1, role="dequantize_bias"))
    y = place.add("Gemm", operands, "", attributes_of(node), node.outputs[0].shape)
    if given(node, GEMM_SCALE) is None:
        place.replace([y])
    else:
        place.finish(y, GEMM_SCALE)


def integer_to_float(place: Place) -> None:
    """``MatMulIntegerToFloat(a, b, Sa, Sb, Za, Zb, bias)`` -> ``MatMul(DQ(a), DQ(b)) + bias``, of constant scales."""
    node = place.node
    a, b = given(node, 0), given(node, 1)
    reals = [
        place.reals(a, given(node, 2), given(node, 4), axis=rank_of(a) - 2, role="dequantize0"),
        place.reals(b, given(node, 3), given(node, 5), axis=rank_of(b) - 1, role="dequantize1"),
    ]
    bias, shape = given(node, FLOAT_BIAS), node.outputs[0].shape
    y = place.add("MatMul", reals, "" if bias is None else "matmul", shape=shape)
    place.replace([y if bias is None else place.add("Add", [y, bias], "", shape=shape)])
