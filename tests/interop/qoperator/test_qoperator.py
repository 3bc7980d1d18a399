"""Every operator on codes: its rewritten form gives onnxruntime's codes for the operator itself, exactly."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from qdq_graph import Graph, assert_every_backend_gives, onnxruntime_outputs

import halfeven as he
from halfeven.interop import read_model, rewrite_qoperators, to_bytes
from halfeven.interop.qoperator import REWRITES

MS = "com.microsoft"


def rng_of(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def codes(rng: np.random.Generator, qtype: he.QType, shape: tuple[int, ...]) -> NDArray[Any]:
    return rng.integers(qtype.qmin, qtype.qmax + 1, shape).astype(qtype.storage)


def params(rng: np.random.Generator, qtype: he.QType, scale: float = 0.05) -> he.AffineParams:
    return he.AffineParams(scale * rng.uniform(0.5, 2), int(rng.integers(qtype.qmin + 90, qtype.qmax - 90)), qtype)


def weights(rng: np.random.Generator, shape: tuple[int, ...], axis: int | None) -> tuple[Any, he.AffineParams]:
    scale = rng.uniform(0.002, 0.02, shape[axis]) if axis is not None else 0.01
    return rng.integers(-64, 65, shape).astype(np.int8), he.AffineParams(scale, 0, he.int8, axis)


def check(g: Graph, output: str, feeds: dict[str, NDArray[Any]]) -> onnx.ModelProto:
    inputs = {n: (a.dtype.name, a.shape) for n, a in feeds.items()}
    kind = next(a.dtype.name for a in feeds.values() if a.dtype.name in ("int8", "uint8"))
    model = g.model(inputs, {output: kind})
    expected = onnxruntime_outputs(model, feeds)
    loaded = he.load(model, strict=True)
    assert_every_backend_gives(loaded, feeds, expected)
    assert len(np.unique(expected[output])) > 5
    return model


QTYPES = pytest.mark.parametrize("qtype", [he.int8, he.uint8], ids=str)


@QTYPES
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_qlinear_conv(qtype: he.QType, per_channel: bool, bias: bool) -> None:
    rng = rng_of(qtype, per_channel, bias)
    x, px, py = codes(rng, qtype, (2, 4, 7, 6)), params(rng, qtype), params(rng, qtype, 0.3)
    w, pw = weights(rng, (6, 2, 3, 3), 0 if per_channel else None)
    g = Graph()
    inputs = ["x", *g.params(px), g.constant(w), *g.params(pw), *g.params(py)]
    if bias:
        inputs.append(g.constant(rng.integers(-3000, 3000, 6).astype(np.int32)))
    check(g, g.node("QLinearConv", *inputs, pads=[1, 0, 1, 2], strides=[2, 1], group=2), {"x": x})


@QTYPES
def test_qlinear_conv_with_channels_last(qtype: he.QType) -> None:
    rng = rng_of("nhwc", qtype)
    x, px, py = codes(rng, qtype, (2, 7, 6, 4)), params(rng, qtype), params(rng, qtype, 0.3)
    w, pw = weights(rng, (6, 4, 3, 3), 0)
    g = Graph()
    inputs = ["x", *g.params(px), g.constant(w), *g.params(pw), *g.params(py)]
    check(g, g.node("QLinearConv", *inputs, domain=MS, pads=[1, 1, 1, 1], channels_last=1), {"x": x})


@QTYPES
@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_matmul(qtype: he.QType, per_channel: bool) -> None:
    rng = rng_of("matmul", qtype, per_channel)
    x, px, py = codes(rng, qtype, (2, 5, 33)), params(rng, qtype), params(rng, qtype, 0.2)
    w, pw = weights(rng, (33, 7), 1 if per_channel else None)
    g = Graph()
    y = g.node("QLinearMatMul", "x", *g.params(px), g.constant(w), *g.params(pw), *g.params(py))
    check(g, y, {"x": x})


@QTYPES
def test_qlinear_matmul_of_two_activations(qtype: he.QType) -> None:
    rng = rng_of("two", qtype)
    a, b = codes(rng, qtype, (2, 5, 9)), codes(rng, qtype, (2, 9, 4))
    g = Graph()
    pa, pb, py = params(rng, qtype), params(rng, qtype), params(rng, qtype, 0.8)
    check(g, g.node("QLinearMatMul", "a", *g.params(pa), "b", *g.params(pb), *g.params(py)), {"a": a, "b": b})


@QTYPES
@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias", [False, True])
def test_qgemm(qtype: he.QType, transposed: int, bias: bool) -> None:
    rng = rng_of("gemm", qtype, transposed, bias)
    x, px, py = codes(rng, qtype, (5, 33)), params(rng, qtype), params(rng, qtype, 0.2)
    w, pw = weights(rng, (7, 33) if transposed else (33, 7), 1 - transposed)
    g = Graph()
    c = g.constant(rng.integers(-3000, 3000, 7).astype(np.int32)) if bias else ""
    y = g.node(
        "QGemm", "x", *g.params(px), g.constant(w), *g.params(pw), c, *g.params(py), domain=MS, transB=transposed
    )
    check(g, y, {"x": x})


def test_qgemm_without_an_output_scale_gives_floats() -> None:
    rng = rng_of("floats")
    x, px = codes(rng, he.uint8, (5, 33)), params(rng, he.uint8)
    w, pw = weights(rng, (33, 7), 1)
    g = Graph()
    y = g.node("QGemm", "x", *g.params(px), g.constant(w), *g.params(pw), domain=MS)
    model = g.model({"x": ("uint8", x.shape)}, {y: "float32"})
    loaded = he.load(model, strict=True)
    assert_every_backend_gives(loaded, {"x": x}, onnxruntime_outputs(model, {"x": x}))


def test_matmul_integer_to_float() -> None:
    rng = rng_of("to float")
    x, px = codes(rng, he.uint8, (5, 33)), params(rng, he.uint8)
    w, pw = weights(rng, (33, 7), 1)
    g = Graph()
    (s_x, z_x), (s_w, z_w) = g.params(px), g.params(pw)
    y = g.node("MatMulIntegerToFloat", "x", g.constant(w), s_x, s_w, z_x, z_w, domain=MS)
    model = g.model({"x": ("uint8", x.shape)}, {y: "float32"})
    loaded = he.load(model, strict=True)
    assert_every_backend_gives(loaded, {"x": x}, onnxruntime_outputs(model, {"x": x}))


@QTYPES
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize(
    ("left", "right"), [((64, 256), (64, 256)), ((3, 5, 1), (3, 5, 70)), ((3, 5, 70), (5, 1)), ((40,), (1,))]
)
def test_two_operands(qtype: he.QType, op: str, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    rng = rng_of(qtype, op, left)
    for scale in (0.05, 0.1):  # 0.1: all three alike, so that ties are common
        g = Graph()
        pa, pb, py = (params(rng, qtype, scale) for _ in range(3))
        if scale == 0.1:
            pa, pb, py = (he.AffineParams(scale, p.zero_point, qtype) for p in (pa, pb, py))
        y = g.node(op, "a", *g.params(pa), "b", *g.params(pb), *g.params(py), domain=MS)
        check(g, y, {"a": codes(rng, qtype, left), "b": codes(rng, qtype, right)})


@QTYPES
@pytest.mark.parametrize(("op", "attributes"), [("QLinearSigmoid", {}), ("QLinearLeakyRelu", {"alpha": 0.13})])
def test_one_operand(qtype: he.QType, op: str, attributes: dict[str, Any]) -> None:
    rng = rng_of(qtype, op)
    for _ in range(5):
        g = Graph()
        px, py = params(rng, qtype), params(rng, qtype, 0.02)
        y = g.node(op, "x", *g.params(px), *g.params(py), domain=MS, **attributes)
        check(g, y, {"x": np.arange(qtype.qmin, qtype.qmax + 1).astype(qtype.storage)})


POOLS: list[dict[str, Any]] = [
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "count_include_pad": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [6, 7]},  # the whole image
]


@QTYPES
@pytest.mark.parametrize("attributes", POOLS, ids=str)
def test_average_pool(qtype: he.QType, attributes: dict[str, Any]) -> None:
    rng = rng_of(qtype, attributes)
    for alike in (False, True):  # alike: exact quarters and halves
        g = Graph()
        px = params(rng, qtype)
        py = he.AffineParams(px.scale, int(px.zero_point), qtype) if alike else params(rng, qtype, 0.03)
        y = g.node("QLinearAveragePool", "x", *g.params(px), *g.params(py), domain=MS, **attributes)
        check(g, y, {"x": codes(rng, qtype, (2, 20, 6, 7))})


@QTYPES
@pytest.mark.parametrize("last", [0, 1])
def test_global_average_pool(qtype: he.QType, last: int) -> None:
    rng = rng_of(qtype, last)
    g = Graph()
    px, py = params(rng, qtype), params(rng, qtype, 0.01)
    y = g.node("QLinearGlobalAveragePool", "x", *g.params(px), *g.params(py), domain=MS, channels_last=last)
    check(g, y, {"x": codes(rng, qtype, (2, 8, 6, 50) if last else (2, 50, 6, 8))})


@QTYPES
@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((20, 64), {"axis": -1, "opset": 13}),
        ((2, 30, 17), {"axis": 1, "opset": 13}),
        ((4, 3, 9), {"axis": 1, "opset": 11}),
        ((4, 3, 9), {"opset": 11}),
    ],
    ids=str,
)
def test_softmax(qtype: he.QType, shape: tuple[int, ...], attributes: dict[str, Any]) -> None:
    rng = rng_of(qtype, shape)
    for scale in (1 / 256, 1 / 255, 0.003):
        g = Graph()
        px, py = params(rng, qtype), he.AffineParams(scale, qtype.qmin, qtype)
        y = g.node("QLinearSoftmax", "x", *g.params(px), *g.params(py), domain=MS, **attributes)
        model, feeds = g.model({"x": (qtype.name, shape)}, {y: qtype.name}), {"x": codes(rng, qtype, shape)}
        got, expected = he.load(model, strict=True).run(feeds)[y], onnxruntime_outputs(model, feeds)[y]
        assert np.count_nonzero(got != expected) <= 1  # its sums are float32, in an order that depends on the processor


@QTYPES
def test_concat(qtype: he.QType) -> None:
    rng = rng_of("concat", qtype)
    g = Graph()
    pa, pb, py = params(rng, qtype), params(rng, qtype), params(rng, qtype)
    inputs = [*g.params(py), "a", *g.params(pa), "b", *g.params(pb), "c", *g.params(py)]
    feeds = {"a": codes(rng, qtype, (3, 200)), "b": codes(rng, qtype, (3, 200)), "c": codes(rng, qtype, (3, 10))}
    check(g, g.node("QLinearConcat", *inputs, domain=MS, axis=1), feeds)


def test_where() -> None:  # of uint8: onnxruntime reads beside its table for negative int8 codes
    rng = rng_of("where")
    g = Graph()
    pa, pb, py = (params(rng, he.uint8) for _ in range(3))
    y = g.node("QLinearWhere", "c", "a", *g.params(pa), "b", *g.params(pb), *g.params(py), domain=MS)
    feeds = {"c": rng.random((1, 300)) < 0.5, "a": codes(rng, he.uint8, (3, 300)), "b": codes(rng, he.uint8, (3, 1))}
    inputs = {"c": ("bool", (1, 300)), "a": ("uint8", (3, 300)), "b": ("uint8", (3, 1))}
    model = g.model(inputs, {y: "uint8"})
    assert_every_backend_gives(he.load(model), feeds, onnxruntime_outputs(model, feeds))


def test_moves_of_codes_need_no_operator_of_their_own() -> None:
    rng = rng_of("moves")
    g = Graph()
    px, py = params(rng, he.uint8), params(rng, he.uint8)
    x = g.quantized("x", px)
    pooled = g.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    turned = g.node("Transpose", pooled, perm=[0, 2, 3, 1])
    flat = g.node("Reshape", turned, g.constant(np.array([0, -1])))
    both = g.node("Concat", flat, flat, axis=1)
    y = g.quantized(g.node("Relu", g.real(both, px)), py)
    feeds = {"x": rng.standard_normal((2, 5, 6, 8)).astype(np.float32)}
    model = g.model({"x": ("float32", (2, 5, 6, 8))}, {y: "uint8"})
    assert_every_backend_gives(he.load(model, strict=True), feeds, onnxruntime_outputs(model, feeds))


def test_integer_products_behind_a_quantize_linear() -> None:
    rng = rng_of("integer")
    px, py = params(rng, he.uint8), params(rng, he.uint8, 0.2)
    w, pw = weights(rng, (33, 7), 1)
    g = Graph()
    scale, zero = g.params(px)
    x = g.node("QuantizeLinear", "x", scale, zero)
    sums = g.node("MatMulInteger", x, g.constant(w), zero, g.constant(np.int8(0)))
    real = g.node("Mul", g.node("Cast", sums, to=onnx.TensorProto.FLOAT), g.constant(px.scale * pw.scale))
    y = g.quantized(real, py)
    feeds = {"x": rng.standard_normal((5, 33)).astype(np.float32)}
    model = g.model({"x": ("float32", (5, 33))}, {y: "uint8"})
    loaded = he.load(model, strict=True)
    assert [type(i).__name__ for i in loaded.program] == ["Quantize", "Linear"]
    got, expected = loaded.run(feeds)[y], onnxruntime_outputs(model, feeds)[y]
    # two float32 roundings there, one here: a code may differ where they meet a tie
    assert (got != expected).mean() < 0.01


def test_scales_that_the_model_computes_stay() -> None:
    g = Graph()
    w, _ = weights(rng_of("dynamic"), (6, 4), None)
    g.nodes.append(onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]))
    sums = g.node("MatMulInteger", "q", g.constant(w), "z")
    y = g.node("Mul", g.node("Cast", sums, to=onnx.TensorProto.FLOAT), "s")
    model = g.model({"x": ("float32", (3, 6))}, {y: "float32"})
    loaded = he.load(model)
    reasons = {p.operator: p.reason for p in loaded.program.float_parts}
    assert reasons["DynamicQuantizeLinear"] == reasons["MatMulInteger"] == "its scale is chosen while the model runs"
    feeds = {"x": np.linspace(-2, 3, 18, dtype=np.float32).reshape(3, 6)}
    assert_every_backend_gives(loaded, feeds, onnxruntime_outputs(model, feeds))


def test_what_is_saved_is_plain_qdq_of_the_same_codes(tmp_path: Any) -> None:
    rng = rng_of("saved")
    g = Graph()
    pa, pb, py = (params(rng, he.int8) for _ in range(3))
    y = g.node("QLinearAdd", "a", *g.params(pa), "b", *g.params(pb), *g.params(py), domain=MS)
    model = check(g, y, {"a": codes(rng, he.int8, (4, 99)), "b": codes(rng, he.int8, (4, 99))})
    feeds = {"a": codes(rng, he.int8, (4, 99)), "b": codes(rng, he.int8, (4, 99))}
    he.load(model).save(tmp_path / "m.onnx")
    saved = onnx.load(tmp_path / "m.onnx")
    assert {n.op_type for n in saved.graph.node} == {"DequantizeLinear", "Add", "QuantizeLinear"}
    np.testing.assert_array_equal(he.load(tmp_path / "m.onnx").run(feeds)[y], he.load(model).run(feeds)[y])


def test_the_rewritten_model_is_valid_onnx() -> None:
    rng = rng_of("valid")
    g = Graph()
    x, px, py = codes(rng, he.int8, (2, 4, 7, 6)), params(rng, he.int8), params(rng, he.int8, 0.3)
    w, pw = weights(rng, (6, 4, 3, 3), 0)
    c = g.node("QLinearConv", "x", *g.params(px), g.constant(w), *g.params(pw), *g.params(py))
    p = g.node("QLinearGlobalAveragePool", c, *g.params(py), *g.params(py), domain=MS, channels_last=0)
    model = read_model(g.model({"x": ("int8", x.shape)}, {p: "int8"}))
    assert rewrite_qoperators(model) == 2
    onnx.checker.check_model(onnx.load_from_string(to_bytes(model)), full_check=True)


def test_every_rewrite_is_tried() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    missing = [name for _, name in REWRITES if source.count(f'"{name}"') == 0]
    assert missing == []


def test_reduce_mean_which_no_kernel_of_onnxruntime_runs() -> None:
    rng = rng_of("reduce mean")
    g = Graph()
    px, py = params(rng, he.uint8), params(rng, he.uint8, 0.02)
    y = g.node("QLinearReduceMean", "x", *g.params(px), *g.params(py), domain=MS, axes=[1], keepdims=0)
    loaded = he.load(g.model({"x": ("uint8", (4, 9, 5))}, {y: "uint8"}), strict=True)
    x = codes(rng, he.uint8, (4, 9, 5))
    assert_every_backend_gives(loaded, {"x": x}, {y: he.quantize(he.dequantize(x, px).mean(axis=1), py, "onnxruntime")})


def test_conv_integer_and_channels_last_max_pool() -> None:
    rng = rng_of("rest")
    g = Graph()
    x, px, py = codes(rng, he.uint8, (2, 7, 6, 4)), params(rng, he.uint8), params(rng, he.uint8, 0.3)
    pooled = g.node("NhwcMaxPool", "x", domain=MS, kernel_shape=[2, 2])
    y = g.quantized(g.real(pooled, px), py)
    check(g, y, {"x": x})
    g = Graph()
    w, pw = weights(rng, (6, 4, 3, 3), 0)
    scale, zero = g.params(px)
    sums = g.node("ConvInteger", "x", g.constant(w), zero, g.constant(np.int8(0)), pads=[1, 1, 1, 1])
    factor = g.constant((px.scale * pw.scale).reshape(6, 1, 1))
    y = g.quantized(g.node("Mul", g.node("Cast", sums, to=onnx.TensorProto.FLOAT), factor), py)
    model = g.model({"x": ("uint8", (2, 4, 7, 6))}, {y: "uint8"})
    feeds = {"x": codes(rng, he.uint8, (2, 4, 7, 6))}
    got, expected = he.load(model, strict=True).run(feeds)[y], onnxruntime_outputs(model, feeds)[y]
    assert scale
    assert (got != expected).mean() < 0.01
