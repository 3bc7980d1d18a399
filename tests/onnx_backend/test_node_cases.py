"""The onnx package's node tests of the quantization operators, on our arithmetic under profile ``onnxruntime``.

Every case passes exactly, or stands in ``NOT_PASSED`` with the reason. The package's evaluator has defects that its own
cases do not show: ``test_the_evaluators_defects`` keeps them on record.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import onnx
import pytest
from interpreter import OPERATORS, Unmapped, evaluate_by_package, run
from numpy.testing import assert_array_equal
from onnx import helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

import halfeven as he

NO_FLOAT_CODES = "float8 and float4 codes are not integers; the package has none"
NO_2_BITS = "2-bit codes are not among the package's types"

NOT_PASSED = {
    **{f"test_quantizelinear_{t}": NO_FLOAT_CODES for t in ("e4m3fn", "e5m2", "float4e2m1")},
    **{f"test_dequantizelinear_{t}": NO_FLOAT_CODES for t in ("e4m3fn", "e5m2", "float4e2m1")},
    "test_dequantizelinear_e4m3fn_float16": NO_FLOAT_CODES,
    "test_dequantizelinear_e4m3fn_zero_point": NO_FLOAT_CODES,
    **{f"test_{op}linear_{t}": NO_2_BITS for op in ("quantize", "dequantize") for t in ("int2", "uint2")},
}


@functools.cache
def cases() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other operators' cases divide by zero on purpose
        loaded = load_model_tests(kind="node")
    return {c.name: c for c in loaded if any(n.op_type in OPERATORS for n in c.model.graph.node)}


def as_array(value: Any) -> Any:
    """4-bit and 8-bit float tensors come as messages."""
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def check(name: str) -> None:
    case = cases()[name]
    assert case.data_sets
    for inputs, outputs in case.data_sets:
        results = run(case.model, [as_array(v) for v in inputs])
        for got, expected in zip(results, map(as_array, outputs), strict=True):
            assert got.dtype == expected.dtype
            assert_array_equal(got, expected)


@pytest.mark.parametrize("name", sorted(cases()))
def test_node(name: str) -> None:
    if name not in NOT_PASSED:
        check(name)
        return
    with pytest.raises(Unmapped):  # a listed case that passes, or fails in another way, is an error
        check(name)


def test_the_table_names_cases_that_exist() -> None:
    assert set(NOT_PASSED) <= set(cases())


def evaluated(op_type: str, *inputs: Any) -> Any:
    node = helper.make_node(op_type, [f"i{k}" for k in range(len(inputs))], ["y"])
    return evaluate_by_package(node, 21, {f"i{k}": v for k, v in enumerate(inputs)})[0]


def test_the_evaluators_defects() -> None:
    # QuantizeLinear converts to int32 before it clamps: +inf and 3e9 become INT_MIN and saturate on the wrong side.
    x, one, zero = np.float32([np.inf, -np.inf, 3e9, -3e9]), np.float32(1), np.int8(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = evaluated("QuantizeLinear", x, one, zero)
    assert_array_equal(he.quantize(x, he.AffineParams(1.0), "onnxruntime"), [127, -128, 127, -128])
    assert theirs.tolist() in (
        [-128, -128, -128, -128],
        [127, -128, 127, -128],
    )  # the defect, or a release that mends it
    # QLinearMatMul adds the zero point inside the rounding: a tie with an odd one goes to another code.
    a, b = np.int8([[-5], [-3], [-1], [1], [3], [5]]), np.int8([[1]])
    half, odd = np.float32(0.5), np.int8(1)
    theirs = evaluated("QLinearMatMul", a, one, zero, b, half, zero, one, odd)
    p = he.AffineParams(1.0)
    ours = he.quantized_matmul(a, p, b, he.AffineParams(0.5), he.AffineParams(1.0, 1), profile="onnxruntime")
    assert theirs.reshape(-1).tolist() in ([-2, 0, 0, 2, 2, 4], [-1, -1, 1, 1, 3, 3])
    assert_array_equal(ours.reshape(-1), [-1, -1, 1, 1, 3, 3])
