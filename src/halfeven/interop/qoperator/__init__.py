"""Operators on codes (ONNX's and onnxruntime's QLinear family) -> DequantizeLinear, operator, QuantizeLinear.

Both forms mean the same; lowering reads one of them. One file a family; ``REWRITES`` is the one list of them.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from halfeven.interop.inference import infer_shapes
from halfeven.interop.qoperator import conv, elementwise, integer, join, matmul, pool, softmax
from halfeven.interop.qoperator.build import NotRewritten, Place
from halfeven.interop.qoperator.moves import wrap_moves

ONNX, ONNXRUNTIME = "", "com.microsoft"

REWRITES: dict[tuple[str, str], Callable[[Place], None]] = {
    (ONNX, "ConvInteger"): integer.product("Conv"),
    (ONNX, "MatMulInteger"): integer.product("MatMul"),
    (ONNX, "QLinearConv"): conv.conv,
    (ONNX, "QLinearMatMul"): matmul.matmul,
    (ONNXRUNTIME, "MatMulIntegerToFloat"): matmul.integer_to_float,
    (ONNXRUNTIME, "NhwcMaxPool"): pool.nhwc_max,
    (ONNXRUNTIME, "QGemm"): matmul.gemm,
    (ONNXRUNTIME, "QLinearAdd"): elementwise.two_inputs("Add"),
    (ONNXRUNTIME, "QLinearAveragePool"): pool.average("AveragePool"),
    (ONNXRUNTIME, "QLinearConcat"): join.concat,
    (ONNXRUNTIME, "QLinearConv"): conv.conv,
    (ONNXRUNTIME, "QLinearGlobalAveragePool"): pool.average("GlobalAveragePool"),
    (ONNXRUNTIME, "QLinearLeakyRelu"): elementwise.one_input("LeakyRelu"),
    (ONNXRUNTIME, "QLinearMul"): elementwise.two_inputs("Mul"),
    (ONNXRUNTIME, "QLinearReduceMean"): pool.reduce_mean,
    (ONNXRUNTIME, "QLinearSigmoid"): elementwise.one_input("Sigmoid"),
    (ONNXRUNTIME, "QLinearSoftmax"): softmax.softmax,
    (ONNXRUNTIME, "QLinearWhere"): join.where,
}


def rewrite_qoperators(model: ir.Model) -> int:
    """Give every operator on codes its form in DequantizeLinear and QuantizeLinear; return how many were rewritten.

    A node whose scale or zero point the model computes stays as it is: it means something that no constant parameters
    say. No inference knows the shapes of onnxruntime's operators, so what needs a rank comes in another round.
    """
    total = 0
    while count := sum(
        _rewritten(Place(node)) for node in list(model.graph) if (node.domain, node.op_type) in REWRITES
    ):
        infer_shapes(model)
        total += count
    return total + wrap_moves(model)


def _rewritten(place: Place) -> bool:
    try:
        REWRITES[place.node.domain, place.node.op_type](place)
    except NotRewritten:
        return False
    return True
