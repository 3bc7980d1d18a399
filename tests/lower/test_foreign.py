"""Graphs as other tools write them: all integer, and onnxruntime's codes where it runs integer kernels.

Small imitations of what quantize_static, NNCF, AIMET, torch export and others leave in a file.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from qdq_graph import Graph, assert_every_backend_gives, onnxruntime_outputs

import halfeven as he
from halfeven.api import QuantizedModel
from halfeven.errors import DataError

U8, S8 = he.AffineParams(0.031, 117, he.uint8), he.AffineParams(0.037, -11, he.int8)
OUT, OUT_S8 = he.AffineParams(0.11, 131, he.uint8), he.AffineParams(0.12, 5, he.int8)
IMAGE = (2, 5, 8, 9)


def rng_of(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def image(shape: tuple[int, ...] = IMAGE) -> dict[str, NDArray[Any]]:
    return {"x": rng_of(shape).standard_normal(shape).astype(np.float32) * 2}


def weight(shape: tuple[int, ...], axis: int | None = 0, qtype: he.QType = he.int8) -> tuple[Any, he.AffineParams]:
    rng = rng_of(shape, axis, qtype)
    codes = rng.integers(max(qtype.qmin, -64), min(qtype.qmax, 64) + 1, shape).astype(qtype.storage)
    scale = rng.uniform(0.004, 0.02, shape[axis]) if axis is not None else 0.01
    return codes, he.AffineParams(scale, 0, qtype, axis)


def load(
    g: Graph, y: str, shape: tuple[int, ...] = IMAGE, kind: str = "float32"
) -> tuple[QuantizedModel, onnx.ModelProto]:
    model = g.model({"x": ("float32", shape)}, {y: kind})
    return he.load(model, strict=True), model  # strict: no part runs in float32


def equal_to_onnxruntime(g: Graph, y: str, shape: tuple[int, ...] = IMAGE, kind: str = "float32") -> QuantizedModel:
    loaded, model = load(g, y, shape, kind)
    feeds = image(shape)
    expected = onnxruntime_outputs(model, feeds)
    assert len(np.unique(expected[y])) > 8
    assert_every_backend_gives(loaded, feeds, expected)
    return loaded


def kinds(model: QuantizedModel) -> list[str]:
    return [type(i).__name__ for i in model.program]


# Weights and biases


@pytest.mark.parametrize(("x", "y"), [(U8, OUT), (S8, OUT_S8)], ids=["U8", "S8"])
@pytest.mark.parametrize("axis", [None, 0])
def test_weights_as_quantized_floats(x: he.AffineParams, y: he.AffineParams, axis: int | None) -> None:
    """NNCF: the float weight stays in the file, with Q and DQ behind it; the bias is float."""
    rng = rng_of("nncf")
    codes, p = weight((6, 5, 3, 3), axis)
    g = Graph()
    real = g.constant(he.dequantize(codes, p) + rng.uniform(-0.3, 0.3, codes.shape).astype(np.float32) * 0.004)
    scale, zero = g.params(p)
    where = {} if axis is None else {"axis": axis}
    w = g.node("DequantizeLinear", g.node("QuantizeLinear", real, scale, zero, **where), scale, zero, **where)
    b = g.constant(rng.standard_normal(6).astype(np.float32))
    out = g.qdq(g.node("Conv", g.qdq("x", x), w, b, pads=[1, 1, 1, 1]), y)
    equal_to_onnxruntime(g, out)


@pytest.mark.parametrize("form", ["float", "int32", "int32 of one scale"])
def test_forms_of_bias(form: str) -> None:
    codes, p = weight((6, 5, 3, 3), None if form == "int32 of one scale" else 0)
    rng = rng_of(form)
    g = Graph()
    if form == "float":
        b = g.constant(rng.standard_normal(6).astype(np.float32))
    else:
        pb = he.AffineParams(U8.scale * p.scale, 0, he.int32, p.axis)
        b = g.real(g.constant(rng.integers(-4000, 4000, 6).astype(np.int32)), pb)
    out = g.qdq(g.node("Conv", g.qdq("x", U8), g.real(g.constant(codes), p), b), OUT)
    equal_to_onnxruntime(g, out)


def test_a_bias_at_another_scale_than_the_sum_s() -> None:
    codes, p = weight((6, 5, 3, 3))
    g = Graph()
    b = g.real(g.constant(rng_of("b").integers(-90, 90, 6).astype(np.int32)), he.AffineParams(0.01, 0, he.int32))
    out = g.qdq(g.node("Conv", g.qdq("x", U8), g.real(g.constant(codes), p), b), OUT)
    equal_to_onnxruntime(g, out)  # which computes this one in float32


def test_unsigned_weights_with_zero_points() -> None:
    rng = rng_of("u8")
    g = Graph()
    p = he.AffineParams(0.011, 121, he.uint8)
    w = g.real(g.constant(rng.integers(60, 190, (6, 5, 3, 3)).astype(np.uint8)), p)
    equal_to_onnxruntime(g, g.qdq(g.node("Conv", g.qdq("x", U8), w), OUT))


def test_parameters_as_lists_of_one_with_an_axis() -> None:
    codes, p = weight((6, 5, 3, 3), None)
    g = Graph()
    ones = [g.constant(np.float32([p.scale])), g.constant(np.int8([0]))]
    w = g.node("DequantizeLinear", g.constant(codes), *ones, axis=0)
    both = [g.constant(np.float32([U8.scale])), g.constant(np.uint8([U8.zero_point]))]
    x = g.node("DequantizeLinear", g.node("QuantizeLinear", "x", *both, axis=1), *both, axis=1)
    equal_to_onnxruntime(g, g.qdq(g.node("Conv", x, w), OUT))


def test_parameters_without_a_zero_point() -> None:
    codes, p = weight((6, 5, 3, 3), None)
    g = Graph()
    scale = g.constant(np.float32(0.04))
    x = g.node("DequantizeLinear", g.node("QuantizeLinear", "x", scale), scale)  # uint8 of zero point 0
    w = g.node("DequantizeLinear", g.constant(codes), g.constant(p.scale))
    loaded, model = load(g, g.qdq(g.node("Conv", x, w), OUT))
    assert_every_backend_gives(loaded, image(), onnxruntime_outputs(model, image()))


@pytest.mark.parametrize("axis", [None, 0])
def test_weights_of_4_bits(axis: int | None) -> None:
    codes, p = weight((6, 5, 3, 3), axis, he.int4)
    g = Graph()
    where = {} if axis is None else {"axis": axis}
    zero = g.constant(np.zeros(p.scale.shape, ml_dtypes.int4))
    w = g.node("DequantizeLinear", g.constant(codes.astype(ml_dtypes.int4)), g.constant(p.scale), zero, **where)
    y = g.qdq(g.node("Conv", g.qdq("x", U8), w), he.AffineParams(0.02, 120, he.uint8))
    equal_to_onnxruntime(g, y)


def test_a_linear_layer_s_weight_behind_a_transpose() -> None:
    """Torch exports: the weight is (out, in), with one scale an output, and transposed in the graph."""
    codes, p = weight((7, 20), 0)
    g = Graph()
    w = g.node("Transpose", g.real(g.constant(codes), p), perm=[1, 0])
    b = g.constant(rng_of("b").standard_normal(7).astype(np.float32))
    x = g.qdq("x", U8)
    y = g.qdq(g.node("Add", g.node("MatMul", x, w), b), OUT)
    assert kinds(equal_to_onnxruntime(g, y, (9, 20))) == ["Quantize", "Linear", "Dequantize"]


@pytest.mark.parametrize("bits", ["int16", "uint16"])
def test_activations_of_16_bits(bits: str) -> None:
    """Onnxruntime has no kernel for them and computes in float32: the codes agree within one."""
    qtype = he.int16 if bits == "int16" else he.uint16
    x = he.AffineParams(0.0003, 0 if bits == "int16" else 32768, qtype)
    out = he.AffineParams(0.0011, x.zero_point, qtype)
    codes, p = weight((6, 5, 3, 3))
    g = Graph()
    y = g.quantized(g.node("Conv", g.qdq("x", x), g.real(g.constant(codes), p)), out)
    loaded, model = load(g, y, kind=bits)
    got, expected = loaded.run(image())[y].astype(int), onnxruntime_outputs(model, image())[y].astype(int)
    assert np.abs(got - expected).max() <= 1
    assert (got != expected).mean() < 0.02


# Parameters and readers of activations


def test_quantized_by_one_scale_and_read_by_another() -> None:
    codes, p = weight((6, 5, 3, 3))
    g = Graph()
    x = g.real(g.quantized("x", U8), he.AffineParams(0.05, 90, he.uint8))
    equal_to_onnxruntime(g, g.qdq(g.node("Conv", x, g.real(g.constant(codes), p)), OUT))


def test_one_dequantize_read_by_several() -> None:
    g = Graph()
    x = g.qdq("x", U8)
    a, b = g.qdq(g.node("Sigmoid", x), he.AffineParams(1 / 256, 0, he.uint8)), g.qdq(g.node("Relu", x), U8)
    y = g.qdq(g.node("Add", g.qdq(g.node("Mul", x, a), OUT), b), OUT)
    equal_to_onnxruntime(g, y)


def test_a_gate_and_a_residual_without_codes_between() -> None:
    """Of three tensors of codes: the product gets int16 codes over its proved range."""
    g = Graph()
    x = g.qdq("x", U8)
    a, b = g.qdq(g.node("Sigmoid", x), he.AffineParams(1 / 256, 0, he.uint8)), g.qdq(g.node("Relu", x), U8)
    y = g.quantized(g.node("Add", g.node("Mul", x, a), b), OUT)
    loaded, model = load(g, y, kind="uint8")
    assert kinds(loaded)[-2:] == ["PairTable", "Add"]
    got, expected = loaded.run(image())[y].astype(int), onnxruntime_outputs(model, image())[y].astype(int)
    assert np.abs(got - expected).max() <= 1
    assert (got != expected).mean() < 0.02


def test_several_quantizers_of_one_value() -> None:
    codes, p = weight((6, 5, 3, 3))
    g = Graph()
    c = g.node("Conv", g.qdq("x", U8), g.real(g.constant(codes), p))
    fine, coarse = g.qdq(c, OUT), g.qdq(c, he.AffineParams(0.4, 120, he.uint8))
    loaded, model = load(g, g.qdq(g.node("Mul", fine, coarse), OUT))
    assert kinds(loaded).count("Conv") == 2
    got, expected = loaded.run(image()), onnxruntime_outputs(model, image())
    (y,) = expected
    # its convolution is read twice, so that onnxruntime leaves it in float32: rarely a code differs, by one
    assert (got[y] != expected[y]).mean() < 0.01


@pytest.mark.parametrize("zero", [0, 131])
@pytest.mark.parametrize("activation", ["Relu", "Clip"])
def test_activation_before_quantize(activation: str, zero: int) -> None:
    codes, p = weight((6, 5, 3, 3))
    g = Graph()
    bounds = [g.constant(np.float32(0)), g.constant(np.float32(6))] if activation == "Clip" else []
    c = g.node("Conv", g.qdq("x", U8), g.real(g.constant(codes), p))
    y = g.qdq(g.node(activation, c, *bounds), he.AffineParams(0.05, zero, he.uint8))
    assert kinds(equal_to_onnxruntime(g, y)) == ["Quantize", "Conv", "Dequantize"]


@pytest.mark.parametrize("activation", ["Relu", "Clip"])
def test_activation_behind_quantize(activation: str) -> None:
    codes, p = weight((6, 5, 3, 3))
    g = Graph()
    bounds = [g.constant(np.float32(-1)), g.constant(np.float32(4.3))] if activation == "Clip" else []
    c = g.qdq(g.node("Conv", g.qdq("x", U8), g.real(g.constant(codes), p)), OUT)
    y = g.qdq(g.node(activation, c, *bounds), OUT)
    assert kinds(equal_to_onnxruntime(g, y)) == ["Quantize", "Conv", "Table", "Dequantize"]


# The boundary


def test_codes_in_and_codes_out() -> None:
    codes, p = weight((6, 5, 3, 3))
    g = Graph()
    y = g.quantized(g.node("Conv", g.real("x", S8), g.real(g.constant(codes), p)), OUT_S8)
    model = g.model({"x": ("int8", IMAGE)}, {y: "int8"})
    loaded = he.load(model, strict=True)
    (port,), (result,) = loaded.inputs, loaded.outputs
    assert (port.dtype, port.codes, port.params) == (np.dtype(np.int8), "x", S8)
    assert (result.dtype, result.codes, result.params) == (np.dtype(np.int8), y, OUT_S8)
    feeds = {"x": rng_of("codes").integers(-128, 128, IMAGE).astype(np.int8)}
    expected = onnxruntime_outputs(model, feeds)
    assert_every_backend_gives(loaded, feeds, expected)
    np.testing.assert_array_equal(loaded.run_codes(feeds)[y], expected[y])
    with pytest.raises(DataError, match="takes codes of int8, not float32"):
        loaded.run({"x": feeds["x"].astype(np.float32)})


def test_an_image_of_bytes_is_integers_from_there_on() -> None:
    """Preprocessing in the model: bytes with the channels last, cast, scaled, a mean and a deviation a channel."""
    codes, p = weight((6, 3, 3, 3))
    g = Graph()
    cast = g.node("Cast", g.node("Transpose", "x", perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
    scaled = g.node("Mul", cast, g.constant(np.float32(1 / 255)))
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    shifted = g.node("Sub", scaled, g.constant(mean.reshape(1, 3, 1, 1)))
    normal = g.node("Div", shifted, g.constant(deviation.reshape(3, 1, 1)))
    y = g.qdq(g.node("Conv", g.qdq(normal, S8), g.real(g.constant(codes), p)), OUT_S8)
    model = g.model({"x": ("uint8", ("N", 9, 8, 3))}, {y: "float32"})
    feeds = {"x": rng_of("bytes").integers(0, 256, (2, 9, 8, 3)).astype(np.uint8)}
    for profile in ("onnxruntime", "journey6"):
        loaded = he.load(model, profile, strict=True)
        assert kinds(loaded) == ["Transpose", "ChannelTable", "Conv", "Dequantize"]
    assert_every_backend_gives(he.load(model), feeds, onnxruntime_outputs(model, feeds))


# Layers that their tool left without codes


@pytest.mark.parametrize("op", ["MatMul", "MatMul + bias", "Gemm", "Conv", "MatMul of two"])
def test_a_last_product_without_codes(op: str) -> None:
    g = Graph()
    x = g.qdq("x", U8)
    bias = rng_of(op).standard_normal(7).astype(np.float32)
    if op == "Conv":
        shape, (codes, p) = IMAGE, weight((7, 5, 3, 3))
        y = g.node("Conv", x, g.real(g.constant(codes), p), g.constant(bias))
    elif op == "MatMul of two":
        shape = (2, 6, 20)
        y = g.node("MatMul", x, g.qdq(g.node("Transpose", "x", perm=[0, 2, 1]), U8))
    else:
        shape, (codes, p) = (9, 20), weight((20, 7), 1)
        w = g.real(g.constant(codes), p)
        y = g.node("Gemm", x, w, g.constant(bias)) if op == "Gemm" else g.node("MatMul", x, w)
        y = g.node("Add", y, g.constant(bias)) if op == "MatMul + bias" else y
    loaded, model = load(g, y, shape)
    (result,) = loaded.outputs
    assert result.params is not None
    assert result.params.qtype is he.int32
    step = float(result.params.scale.max())
    got, expected = loaded.run(image(shape))[y], onnxruntime_outputs(model, image(shape))[y]
    np.testing.assert_allclose(got, expected, atol=0.51 * step)  # reals: the bias is rounded to the sum's step
    for backend in ("reference", "torch"):
        np.testing.assert_array_equal(loaded.run(image(shape), backend=backend)[y], got)


def test_a_last_relu_is_a_clamp_of_the_sums() -> None:
    codes, p = weight((20, 7), 1)
    g = Graph()
    y = g.node("Relu", g.node("MatMul", g.qdq("x", U8), g.real(g.constant(codes), p)))
    loaded, model = load(g, y, (9, 20))
    assert kinds(loaded) == ["Quantize", "Linear", "Dequantize"]
    expected = onnxruntime_outputs(model, image((9, 20)))
    assert_every_backend_gives(loaded, image((9, 20)), expected)
    assert (expected[y] == 0).mean() > 0.2


MOVES: Mapping[str, Mapping[str, Any]] = {
    "MaxPool": {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]},
    "Transpose": {"perm": [0, 2, 3, 1]},
    "Flatten": {"axis": 2},
    "DepthToSpace": {"blocksize": 2},
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("function", ["HardSwish", "Sigmoid", "Conv"])
def test_a_move_between_an_operator_and_its_quantize(function: str, move: str) -> None:
    g = Graph()
    x = g.qdq("x", U8)
    if function == "Conv":
        codes, p = weight((8, 5, 3, 3))
        inner = g.node("Conv", x, g.real(g.constant(codes), p), pads=[1, 1, 1, 1])
        shape = IMAGE
    else:
        inner, shape = g.node(function, x), (2, 8, 8, 9)
    params = he.AffineParams(1 / 256, 0, he.uint8) if function == "Sigmoid" else OUT
    loaded = equal_to_onnxruntime(g, g.qdq(g.node(move, inner, **MOVES[move]), params), shape)
    assert kinds(loaded)[1:3] == ["Conv" if function == "Conv" else "Table", move]


def test_moves_between_codes_and_a_product() -> None:
    codes, p = weight((45, 7), 1)
    g = Graph()
    x = g.node("Flatten", g.node("GlobalMaxPool", g.node("Transpose", g.qdq("x", U8), perm=[0, 3, 1, 2])))
    w = g.real(g.constant(codes[:9]), p)
    loaded = equal_to_onnxruntime(g, g.qdq(g.node("MatMul", x, w), OUT))
    assert kinds(loaded)[-2:] == ["Linear", "Dequantize"]


def test_branches_and_joins_without_codes() -> None:
    g = Graph()
    x = g.qdq("x", U8)
    s = g.node("HardSwish", x)
    pooled = g.node("MaxPool", s, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    joined = g.node("Concat", pooled, s, axis=1)
    y, z = g.qdq(joined, OUT), g.qdq(g.node("Transpose", joined, perm=[0, 2, 3, 1]), U8)
    model = g.model({"x": ("float32", IMAGE)}, {y: "float32", z: "float32"})
    loaded = he.load(model, strict=True)
    assert_every_backend_gives(loaded, image(), onnxruntime_outputs(model, image()))


CHAINS = ["Swish", "HardSwish spelled out", "two tables", "gate", "gate of another", "mean of squares", "slope"]


def chain(g: Graph, x: str, name: str) -> str:
    three, six, zero = (g.constant(np.float32(v)) for v in (3, 6, 0))
    other = g.qdq("x", he.AffineParams(0.05, 100, he.uint8)) if name.startswith("gate") else ""
    slopes = g.constant(np.float32([0.1, 0.3, -0.2, 0, 1]).reshape(5, 1, 1))
    body: dict[str, Callable[[], str]] = {
        "Swish": lambda: g.node("Mul", x, g.node("Sigmoid", x)),
        "HardSwish spelled out": lambda: g.node(
            "Div", g.node("Mul", x, g.node("Clip", g.node("Add", x, three), zero, six)), six
        ),
        "two tables": lambda: g.node("Tanh", g.node("Softplus", x)),
        "mean of squares": lambda: g.node("Sqrt", g.node("Abs", g.node("Sub", g.node("Mul", x, x), three))),
        "slope": lambda: g.node("PRelu", x, slopes),
        "gate": lambda: g.node("Min", g.node("Add", x, other), g.node("Mul", x, three)),
        "gate of another": lambda: g.node("Mul", x, g.node("Sigmoid", other)),
    }
    return body[name]()


@pytest.mark.parametrize("name", CHAINS)
def test_elementwise_operators_without_codes_between_are_one_table(name: str) -> None:
    g = Graph()
    loaded = equal_to_onnxruntime(g, g.qdq(chain(g, g.qdq("x", U8), name), OUT))
    table = {"slope": "ChannelTable", "gate": "PairTable", "gate of another": "PairTable"}.get(name, "Table")
    assert [k for k in kinds(loaded) if k not in ("Quantize", "Dequantize")] == [table]


def test_batch_normalization_that_was_not_folded() -> None:
    rng = rng_of("bn")
    g = Graph()
    constants = [g.constant(v.astype(np.float32)) for v in rng.uniform(0.3, 1.5, (4, 5))]
    y = g.qdq(g.node("Relu", g.node("BatchNormalization", g.qdq("x", U8), *constants)), OUT)
    assert kinds(equal_to_onnxruntime(g, y)) == ["Quantize", "ChannelTable", "Dequantize"]


@pytest.mark.parametrize("function", ["HardSwish", "Sigmoid", "Gelu", "LeakyRelu", "Swish", "Exp"])
@pytest.mark.parametrize("profile", ["onnxruntime", "journey6"])
def test_a_function_behind_a_product_gets_inner_codes(function: str, profile: str) -> None:
    codes, p = weight((6, 5, 3, 3))
    g = Graph()
    c = g.node("Conv", g.qdq("x", U8), g.real(g.constant(codes), p))
    f = g.node("Mul", c, g.node("Sigmoid", c)) if function == "Swish" else g.node(function, c)
    out = he.AffineParams(1 / 256, 0, he.uint8) if function == "Sigmoid" else he.AffineParams(0.06, 40, he.uint8)
    y = g.quantized(f, out)
    model = g.model({"x": ("float32", IMAGE)}, {y: "uint8"})
    loaded = he.load(model, profile, strict=True)
    assert kinds(loaded) == ["Quantize", "Conv", "Table"]
    got, expected = loaded.run(image())[y].astype(int), onnxruntime_outputs(model, image())[y].astype(int)
    assert np.abs(got - expected).max() <= 1
    assert (got != expected).mean() < 0.02  # where the argument lies within half an inner step of a tie
    assert len(np.unique(expected)) > 30


def test_a_table_before_a_mean_gets_inner_codes() -> None:
    g = Graph()
    y = g.quantized(g.node("GlobalAveragePool", g.node("HardSwish", g.qdq("x", U8))), U8)
    model = g.model({"x": ("float32", (2, 300, 8, 9))}, {y: "uint8"})
    loaded = he.load(model, strict=True)
    assert kinds(loaded) == ["Quantize", "Table", "ReduceMean"]
    feeds = image((2, 300, 8, 9))
    got, expected = loaded.run(feeds)[y].astype(int), onnxruntime_outputs(model, feeds)[y].astype(int)
    assert np.abs(got - expected).max() <= 1
    assert (got != expected).mean() < 0.02


def test_a_sum_of_unknown_range_stays_a_float_part_and_says_so() -> None:
    codes, p = weight((6, 5, 3, 3))
    g = Graph()
    c = g.node("Conv", g.qdq("x", U8), g.real(g.constant(codes), p))
    y = g.qdq(g.node("GlobalAveragePool", c), OUT)
    (part,) = he.load(g.model({"x": ("float32", IMAGE)}, {y: "float32"})).program.float_parts
    assert part.operator == "GlobalAveragePool"
    assert "is not quantized" in part.reason


# Older files


def test_onnxruntime_s_own_nodes_of_16_bits_before_opset_21() -> None:
    codes, p = weight((20, 7), None)
    g = Graph()
    scale, zero = g.constant(np.float32(0.0003)), g.constant(np.int16(0))
    q = g.node("QuantizeLinear", "x", scale, zero, domain="com.microsoft")
    x = g.node("DequantizeLinear", q, scale, zero, domain="com.microsoft")
    y = g.qdq(g.node("MatMul", x, g.real(g.constant(codes), p)), OUT)
    model = g.model({"x": ("float32", (9, 20))}, {y: "float32"}, opset=17)
    loaded = he.load(model, strict=True)
    assert kinds(loaded) == ["Quantize", "Linear", "Dequantize"]
    feeds = image((9, 20))
    got, expected = loaded.run(feeds)[y], onnxruntime_outputs(model, feeds)[y]
    assert np.abs(got - expected).max() <= float(OUT.scale) * 1.01


def test_constants_in_nodes_and_behind_identities() -> None:
    codes, p = weight((6, 5, 3, 3))
    g = Graph()
    value = g.node("Constant", value=numpy_helper.from_array(codes))
    scale = g.node("Identity", g.node("Constant", value=numpy_helper.from_array(p.scale)))
    zero = g.node(
        "Cast", g.node("Constant", value=numpy_helper.from_array(np.zeros(6, np.float32))), to=TensorProto.INT8
    )
    w = g.node("DequantizeLinear", g.node("Identity", value), scale, zero, axis=0)
    equal_to_onnxruntime(g, g.qdq(g.node("Conv", g.qdq("x", U8), w), OUT))


def test_a_computed_reshape_between_codes() -> None:
    codes, p = weight((360, 7), 1)
    g = Graph()
    x = g.qdq("x", U8)
    batch = g.node("Gather", g.node("Shape", x), g.constant(np.int64(0)), axis=0)
    target = g.node("Concat", g.node("Unsqueeze", batch, g.constant(np.int64([0]))), g.constant(np.int64([-1])), axis=0)
    flat = g.node("Reshape", x, target)
    y = g.qdq(g.node("Gemm", flat, g.real(g.constant(codes), p)), he.AffineParams(0.4, 120, he.uint8))
    model = g.model({"x": ("float32", ("N", *IMAGE[1:]))}, {y: "float32"})
    assert_every_backend_gives(he.load(model, strict=True), image(), onnxruntime_outputs(model, image()))
