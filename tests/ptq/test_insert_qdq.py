"""QDQ models: canonical, valid, runnable, and the same function up to the codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from halfeven.interop import to_bytes
from halfeven.interop.qdq import read_quantize
from halfeven.lower import lower
from halfeven.ptq.quantize import PtqResult, quantize

Build = Callable[..., onnx.ModelProto]


def f32(*shape: int) -> np.ndarray:
    """Normal numbers, the same for the same shape."""
    return np.random.default_rng([11, *shape]).normal(size=shape).astype(np.float32)


def weight(*shape: int) -> np.ndarray:
    """(O, I, ...) that keeps the size of its input."""
    return f32(*shape) / np.float32(np.sqrt(np.prod(shape[1:])))


def check(result: PtqResult) -> ir.Model:
    """What holds of every model we write."""
    proto = onnx.load_from_string(to_bytes(result.model))
    onnx.checker.check_model(proto, full_check=True)
    produced = [name for node in proto.graph.node for name in node.output]
    assert len(produced) == len(set(produced))
    names = [node.name for node in proto.graph.node]
    assert len(names) == len(set(names))
    nodes = list(result.model.graph)
    quantized = [n.inputs[0] for n in nodes if n.op_type == "QuantizeLinear"]
    dequantized = [n.inputs[0] for n in nodes if n.op_type == "DequantizeLinear"]
    assert len(set(quantized)) == len(quantized) == len(result.placement.tensors)
    assert len(set(dequantized)) == len(dequantized)
    for node in nodes:
        if node.op_type == "QuantizeLinear":
            (use,) = node.outputs[0].uses()
            assert use.node.op_type == "DequantizeLinear"
            assert read_quantize(use.node) == read_quantize(node)
            assert [np.shape(v.const_value.numpy()) for v in node.inputs[1:]] == [(), ()]  # what onnxruntime fuses
        assert all(v is None or v.uses() or v.is_graph_output() for v in node.outputs if v.name)
    assert all(v.uses() for v in result.model.graph.initializers.values())
    ports = [[p.name for p in m.graph.inputs] for m in (result.clean_up.model, result.model)]
    assert ports[0] == ports[1]
    assert [p.name for p in result.clean_up.model.graph.outputs] == [p.name for p in result.model.graph.outputs]
    return result.model


def run(model: onnx.ModelProto | bytes, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return list(ort.InferenceSession(data, options).run(None, feeds))


def sqnr_db(expected: np.ndarray, got: np.ndarray) -> float:
    e = expected.astype(np.float64)
    return float(10 * np.log10((e**2).sum() / ((e - got) ** 2).sum()))


NETWORKS = {
    "plain": (
        """g (float[N,3,12,12] x) => (float[N,5] y) {
            a = Conv <pads=[1,1,1,1], strides=[2,2]> (x, w1, b1)  c = Relu(a)  d = Conv <group=6> (c, w2, b2)
            e = HardSwish(d)  f = Conv(e, w3)  r = Add(f, c1)  c1 = AveragePool <kernel_shape=[3,3]> (c)
            s = Relu(r)  m = MaxPool <kernel_shape=[2,2]> (s)  k = Concat <axis=1> (m, m2)
            m2 = AveragePool <kernel_shape=[2,2]> (s)  p = GlobalAveragePool(k)  q = Flatten(p)
            t = Gemm <transB=1> (q, w4, b4)  y = Softmax(t) }""",
        {"w1": weight(6, 3, 3, 3), "b1": f32(6), "w2": weight(6, 1, 3, 3), "b2": f32(6), "w3": weight(6, 6, 1, 1)}
        | {"w4": weight(5, 12), "b4": f32(5)},
        {"x": (3, 12, 12)},
    ),
    "attention": (
        """g (float[N,T,8] x) => (float[N,T,8] y) {
            a = MatMul(x, wq)  q = Add(a, bq)  k = MatMul(x, wk)  kt = Transpose <perm=[0,2,1]> (k)  v = MatMul(x, wv)
            s = MatMul(q, kt)  z = Mul(s, c)  p = Softmax(z)  o = MatMul(p, v)  y = Add(o, x) }""",
        {"wq": f32(8, 8), "bq": f32(8), "wk": f32(8, 8), "wv": f32(8, 8), "c": np.float32(0.35)},
        {"x": (6, 8)},
    ),
    "transposed": (
        """g (float[N,4,5,5] x) => (float[N,6,10,10] y) {
            u = ConvTranspose <group=2, strides=[2,2], kernel_shape=[2,2]> (x, w, b)  y = Sigmoid(u) }""",
        {"w": f32(4, 3, 2, 2), "b": f32(6)},
        {"x": (4, 5, 5)},
    ),
}


@pytest.mark.parametrize("weights", ["int8", "int16"])
@pytest.mark.parametrize("activations", ["int8", "uint8", "int16", "uint16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_quantized_network_is_near_the_float_one(build: Build, name: str, activations: str, weights: str) -> None:
    graph, constants, inputs = NETWORKS[name]
    model = build(graph, **constants)
    data = {k: f32(16, *shape) for k, shape in inputs.items()}
    result = quantize(model, data, activations=activations, weights=weights)
    check(result)
    assert result.equality.equal
    got = run(to_bytes(result.model), data)[0]
    np.testing.assert_allclose(ort.InferenceSession(to_bytes(result.model)).run(None, data)[0], got, atol=0.2)
    wide = activations.endswith("16") and weights == "int16"
    assert sqnr_db(run(model, data)[0], got) > (60 if wide else 25)


@pytest.mark.parametrize("name", ["plain", "attention"])
def test_networks_lower_to_integers_alone(build: Build, name: str) -> None:
    graph, constants, inputs = NETWORKS[name]
    result = quantize(build(graph, **constants), {k: f32(8, *shape) for k, shape in inputs.items()})
    program = lower(result.model, "journey6", strict=True)
    assert program.float_parts == ()


def test_int4_weights_are_stored_as_such(build: Build) -> None:
    model = build("g (float[N,4] x) => (float[N,5] y) { y = Gemm(x, w) }", w=f32(4, 5))
    made = check(quantize(model, f32(20, 4), weights="int4"))
    codes = made.graph.initializers["w_quantized"].const_value
    assert codes is not None
    assert codes.dtype == ir.DataType.INT4


def test_each_reader_of_a_weight_shares_it_and_has_its_own_bias(build: Build) -> None:
    graph = "g (float[N,4] x) => (float[N,4] y) { a = Gemm(x, w, b)  t = Tanh(a)  y = Gemm(t, w, b) }"
    made = check(quantize(build(graph, w=f32(4, 4), b=f32(4)), f32(20, 4)))
    kinds = Counter(str(v.dtype) for n, v in made.graph.initializers.items() if n.endswith("_quantized"))
    assert kinds == {"INT8": 1, "INT32": 2}


def test_a_tied_embedding_keeps_its_floats(build: Build) -> None:
    graph = """g (int64[N,T] i) => (float[N,T,9] y) {
        t = Gather(w, i)  u = Tanh(t)  v = Transpose <perm=[1,0]> (w)  y = MatMul(u, v) }"""
    made = check(quantize(build(graph, w=f32(9, 4)), np.array([[[1, 2]], [[8, 0]]])))
    assert "w" in made.graph.initializers
    (gather,) = [n for n in made.graph if n.op_type == "Gather"]
    assert gather.inputs[0].name == "w"


def test_names_that_are_taken_are_left_alone(build: Build) -> None:
    # the exporter called constants and tensors what we would call ours
    graph = """g (float[N,4] x) => (float[N,4] y, float[N,4] y_unquantized) {
        a = Mul(x, x_scale)  x_quantized = Tanh(a)  a_dequantized = Relu(x_quantized)  y = Add(a_dequantized, a)
        y_unquantized = Neg(y) }"""
    model = build(graph, x_scale=f32(4))
    data = f32(20, 4)
    result = quantize(model, data, activations="int16")
    check(result)
    for expected, got in zip(run(model, {"x": data}), run(to_bytes(result.model), {"x": data}), strict=True):
        assert sqnr_db(expected, got) > 70


def test_a_constant_with_two_meanings_is_quantized_in_one_of_them(build: Build) -> None:
    graph = "g (float[N,4] x) => (float[N,4] y) { a = Add(x, zero)  b = Sigmoid(a)  y = Clip(x, zero, b1) }"
    made = check(quantize(build(graph.replace("b1", "one").replace("y = Clip(x", "y = Clip(b"), zero=np.float32(0.25),
                                one=np.float32(0.6)), f32(20, 4)))  # fmt: skip
    (clip,) = [n for n in made.graph if n.op_type == "Clip"]
    assert [v.name for v in clip.inputs[1:]] == ["zero", "one"]
    (add,) = [n for n in made.graph if n.op_type == "Add"]
    assert add.inputs[1].name == "zero_dequantized"


def test_float_nodes_read_codes_that_integers_make_and_their_own_floats(build: Build) -> None:
    graph = """g (float[N,4] x) => (float[N,4] y, float[N,4] z, float[N,4] v) {
        a = Tanh(x)  f = CumSum(a, one)  y = Sigmoid(f)  z = CumSum(f, one)  v = Add(x, f) }"""
    result = quantize(build(graph, one=np.array(1)), f32(20, 4))
    made = check(result)
    first, second = [n for n in made.graph if n.op_type == "CumSum"]
    assert first.inputs[0].name == "a_dequantized"
    assert second.inputs[0].name == "f"
    assert [n.operator for n in result.placement.float_nodes] == ["CumSum", "CumSum"]


def test_an_output_that_is_also_read_keeps_its_name(build: Build) -> None:
    graph = "g (float[N,4] x) => (float[N,4] a, float[N,4] y) { a = Tanh(x)  y = Neg(a) }"
    made = check(quantize(build(graph), f32(20, 4)))
    assert made.graph.outputs[0].producer().op_type == "DequantizeLinear"
    (neg,) = [n for n in made.graph if n.op_type == "Neg"]
    assert neg.inputs[0].name == "a"


def test_an_output_made_by_a_float_node_stays_float(build: Build) -> None:
    graph = "g (float[N,4] x) => (float[N,4] f, float[N,4] y) { a = Tanh(x)  f = CumSum(a, one)  y = Neg(f) }"
    made = check(quantize(build(graph, one=np.array(1)), f32(20, 4)))
    assert made.graph.outputs[0].producer().op_type == "CumSum"


def test_the_input_may_be_the_output(build: Build) -> None:
    graph = "g (float[N,4] x) => (float[N,4] x, float[N,4] y) { y = Tanh(x) }"
    check(quantize(build(graph), f32(20, 4)))


def test_one_tensor_may_be_an_output_twice_removed(build: Build) -> None:
    graph = "g (float[N,4] x) => (float[N,4] y, float[N,4] z) { y = Tanh(x)  z = Identity(y) }"
    data = f32(20, 4)
    result = quantize(build(graph), data)
    y, z = run(to_bytes(result.model), {"x": data})
    np.testing.assert_array_equal(y, z)
