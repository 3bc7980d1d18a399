"""Q and DQ nodes: written so that checker and onnxruntime accept them, read back to the same parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from onnx import TensorProto, helper
from onnx_build import model, node, reals, run

from halfeven.errors import ModelError, ParameterError
from halfeven.interop import read_model, to_bytes
from halfeven.interop.qdq import (
    DATA_TYPES,
    codes_value,
    data_type,
    dequantize_linear,
    insert,
    qtype_of,
    quantize_linear,
    read_quantize,
)
from halfeven.numerics import affine, qtype
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import QType

CODES = [q for q in DATA_TYPES if q is not qtype.int32]


def parameters(codes: QType, kind: str) -> AffineParams:
    """Of a tensor of shape (4, 6): one scale, one a column, one a block of three along axis 1."""
    chance = np.random.default_rng(codes.levels)
    shape = {"tensor": (), "channel": (6,), "block": (4, 2)}[kind]
    scale = chance.uniform(0.01, 0.2, shape).astype(np.float32)
    zero = chance.integers(codes.qmin, codes.qmax, shape, endpoint=True)
    return AffineParams(scale, zero, codes, None if kind == "tensor" else 1, 3 if kind == "block" else None)


def quantized(params: AffineParams) -> ir.Model:
    """``Neg(DQ(Q(x)))``."""
    found = read_model(model([node("Neg", "x", "y")], {"x": [4, 6]}, {"y": [4, 6]}))
    last = found.graph[0]
    x = found.graph.inputs[0]
    codes = insert(found.graph, quantize_linear(x, params), before=last)
    last.replace_input_with(0, insert(found.graph, dequantize_linear(codes, params, name="x"), before=last))
    return found


@pytest.mark.parametrize("codes", CODES, ids=str)
@pytest.mark.parametrize("kind", ["tensor", "channel", "block"])
def test_written_nodes_run_as_our_arithmetic_and_read_back(codes: QType, kind: str) -> None:
    params = parameters(codes, kind)
    found = quantized(params)
    proto = onnx.load_from_string(to_bytes(found))
    onnx.checker.check_model(proto, full_check=True)
    x = reals(4, 6)
    expected = affine.dequantize(affine.quantize(x, params, "onnxruntime"), params)
    assert_array_equal(run(proto, {"x": x})[0], -expected)
    again = read_model(proto)
    assert [read_quantize(n) for n in list(again.graph)[:2]] == [params, params]
    assert [v.name for n in again.graph for v in n.outputs] == ["x_quantized", "x_dequantized", "y"]
    assert sorted(again.graph.initializers) == ["x_scale", "x_zero_point"]


@pytest.mark.parametrize("codes", DATA_TYPES, ids=str)
@pytest.mark.parametrize("shape", [(4, 6), (3, 5)])
def test_constant_codes_are_stored_and_dequantized(codes: QType, shape: tuple[int, int]) -> None:
    params = AffineParams(np.linspace(0.1, 0.5, shape[0]), 0, codes, axis=0)
    chance = np.random.default_rng(1)
    stored = chance.integers(max(codes.qmin, -(2**20)), min(codes.qmax, 2**20), shape, endpoint=True).astype(
        codes.storage
    )
    found = read_model(model([node("Add", "x w", "y")], {"x": shape}, {"y": shape}, {"w": np.zeros(shape, np.float32)}))
    add = found.graph[0]
    w = codes_value(stored, codes, "w_codes")
    add.replace_input_with(1, insert(found.graph, dequantize_linear(w, params, name="w"), before=add))
    del found.graph.initializers["w"]
    proto = onnx.load_from_string(to_bytes(found))
    onnx.checker.check_model(proto, full_check=True)
    x = np.zeros(shape, np.float32)
    assert_array_equal(run(proto, {"x": x})[0], affine.dequantize(stored, params))
    (kept,) = [t for t in proto.graph.initializer if t.name == "w_codes"]
    assert len(kept.raw_data) == -(-stored.size * codes.bits // 8)
    assert read_quantize(read_model(proto).graph[0]) == params


def test_types_map_both_ways() -> None:
    assert [qtype_of(data_type(q)) for q in DATA_TYPES] == list(DATA_TYPES)
    assert qtype_of(ir.DataType.FLOAT8E4M3FN) is None
    assert qtype_of(None) is None


def single(
    op_type: str, inputs: str, constants: dict[str, Any], x: Any = TensorProto.FLOAT, **attributes: Any
) -> ir.Node:
    """The node of a model with one Q or DQ of ``x``, shape (4, 6)."""
    proto = model([node(op_type, inputs, "y", **attributes)], {}, {}, constants, opset=21)
    proto.graph.input.append(helper.make_tensor_value_info("x", x, [4, 6]))
    kind = TensorProto.FLOAT if op_type == "DequantizeLinear" else attributes.get("output_dtype", TensorProto.UINT8)
    if "z" in constants:
        kind = (
            TensorProto.FLOAT
            if op_type == "DequantizeLinear"
            else helper.np_dtype_to_tensor_dtype(constants["z"].dtype)
        )
    proto.graph.output.append(helper.make_tensor_value_info("y", kind, [4, 6]))
    return read_model(proto).graph[0]


SCALE = np.float32(0.25)


def test_a_missing_zero_point_is_zero_of_the_default_type() -> None:
    assert read_quantize(single("QuantizeLinear", "x s", {"s": SCALE})) == AffineParams(0.25, 0, qtype.uint8)
    made = single("QuantizeLinear", "x s", {"s": SCALE}, output_dtype=TensorProto.INT16)
    assert read_quantize(made) == AffineParams(0.25, 0, qtype.int16)
    for onnx_type, expected in ((TensorProto.INT8, qtype.int8), (TensorProto.INT32, qtype.int32)):
        made = single("DequantizeLinear", "x s", {"s": SCALE}, x=onnx_type)
        assert read_quantize(made) == AffineParams(0.25, 0, expected)


def test_onnxruntimes_own_nodes_become_those_of_the_standard() -> None:
    """How its quantizer writes 16-bit codes into files of opset 20 and before."""
    nodes = [
        node("QuantizeLinear", "x s z", "q", domain="com.microsoft"),
        node("DequantizeLinear", "q s z", "y", domain="com.microsoft"),
    ]
    proto = model(nodes, {"x": [4, 6]}, {"y": [4, 6]}, {"s": np.float32(1e-3), "z": np.int16(5)}, opset=17)
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    found = read_model(proto)
    assert [(n.domain, read_quantize(n)) for n in found.graph] == [("", AffineParams(1e-3, 5, qtype.int16))] * 2
    onnx.checker.check_model(onnx.load_from_string(to_bytes(found)), full_check=True)
    assert_array_equal(run(found, {"x": reals(4, 6)})[0], run(proto, {"x": reals(4, 6)})[0])


def test_axes_are_counted_from_the_front_and_default_to_1() -> None:
    six, four = np.linspace(0.1, 1, 6, dtype=np.float32), np.linspace(0.1, 1, 4, dtype=np.float32)
    assert read_quantize(single("QuantizeLinear", "x s", {"s": six})).axis == 1
    assert read_quantize(single("QuantizeLinear", "x s", {"s": six}, axis=-1)).axis == 1
    assert read_quantize(single("QuantizeLinear", "x s", {"s": four}, axis=-2)).axis == 0


def test_a_list_of_one_scale_is_a_scale_of_the_tensor() -> None:
    made = single("QuantizeLinear", "x s z", {"s": np.array([0.25], np.float32), "z": np.array([7], np.int8)})
    assert read_quantize(made) == AffineParams(0.25, 7, qtype.int8)


@pytest.mark.parametrize(
    ("scale", "words"),
    [(np.float32(0), "scale"), (np.float32(-1), "scale"), (np.float32(np.nan), "scale"), (np.float16(0.5), "float32")],
)
def test_scales_that_cannot_be_are_refused_by_node(scale: Any, words: str) -> None:
    onnx_type = helper.np_dtype_to_tensor_dtype(scale.dtype)
    made = single("QuantizeLinear", "x s", {"s": scale}, x=onnx_type)
    with pytest.raises(ModelError, match=f"node 'y'.*{words}") as caught:
        read_quantize(made)
    assert caught.value.node == "y"


def test_a_scale_computed_while_running_is_refused() -> None:
    nodes = [node("ReduceMax", "x", "s", keepdims=0), node("QuantizeLinear", "x s", "y")]
    proto = model(nodes, {"x": [4, 6]}, {}, opset=21)
    proto.graph.output.append(helper.make_tensor_value_info("y", TensorProto.UINT8, [4, 6]))
    with pytest.raises(ModelError, match="scale is computed while the model runs"):
        read_quantize(read_model(proto).graph[1])


def test_float8_and_other_nodes_are_refused() -> None:
    made = single("QuantizeLinear", "x s", {"s": SCALE}, output_dtype=TensorProto.FLOAT8E4M3FN)
    with pytest.raises(ModelError, match="FLOAT8E4M3FN"):
        read_quantize(made)
    relu = read_model(model([node("Relu", "x", "y")], {"x": [1]}, {"y": [1]})).graph[0]
    with pytest.raises(ModelError, match="'y' is a Relu"):
        read_quantize(relu)


def test_quantize_makes_no_int32() -> None:
    x = ir.Value(name="x")
    with pytest.raises(ParameterError, match=r"'x'.*int32"):
        quantize_linear(x, AffineParams(0.5, 0, qtype.int32))


def test_two_constants_of_one_name_must_agree() -> None:
    found = quantized(AffineParams(0.5, 0, qtype.int8))
    with pytest.raises(ModelError, match="x_scale"):
        insert(found.graph, quantize_linear(found.graph.inputs[0], AffineParams(0.25, 0, qtype.int8)))


@given(st.floats(2**-100, 2**100, width=32), st.integers(-128, 127))
def test_any_scale_survives_to_the_last_bit(scale: float, zero: int) -> None:
    params = AffineParams(scale, zero, qtype.int8)
    again = ir.from_proto(onnx.load_from_string(to_bytes(quantized(params))))
    assert read_quantize(again.graph[0]) == params
