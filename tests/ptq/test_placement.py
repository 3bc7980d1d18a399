"""Where codes are, operator by operator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from halfeven.lower.rules import RULES
from halfeven.ptq.operators import OPERATORS
from halfeven.ptq.placement import Group, Placement, place

Cleaned = Callable[..., ir.Model]


def f32(*shape: int) -> np.ndarray:
    """Numbers that no clean-up pass takes for something special."""
    return (np.arange(np.prod(shape), dtype=np.float32).reshape(shape) % 7 - 3.3) / 5


def alone(*names: str) -> tuple[Group, ...]:
    """Groups of one tensor each."""
    return tuple(Group((n,), (n,)) for n in names)


def reasons(placement: Placement) -> dict[str, str]:
    """Why each float node is one, by operator."""
    return {node.operator: node.reason for node in placement.float_nodes}


def test_what_lowers_is_placed() -> None:
    assert set(RULES) - {"BatchNormalization"} <= set(OPERATORS)  # clean-up leaves none of those that could be placed


def test_a_convolution_keeps_bias_and_relu_in_its_sum(cleaned: Cleaned) -> None:
    found = place(
        cleaned(
            "g (float[N,3,8,8] x) => (float[N,4,8,8] y) { c = Conv <pads=[1,1,1,1]> (x, w, b)  y = Relu(c) }",
            w=f32(4, 3, 3, 3),
            b=f32(4),
        )
    )
    assert found.groups == alone("x", "y")
    (product,) = found.products
    assert (product.x, product.weight, product.axis, product.bias, product.group) == ("x", "w", 0, "b", 1)
    assert product.bias_node == product.node
    assert [len(block.nodes) for block in found.blocks] == [2]
    assert found.blocks[0].node == product.node
    assert (found.blocks[0].operands, found.blocks[0].results) == (("x",), ("y",))
    assert found.float_nodes == ()
    assert found.constants == ()


@pytest.mark.parametrize(
    "graph",
    [
        "g (float[N,3,8,8] x) => (float[N,4,8,8] y, float[N,4,8,8] c) { c = Conv(x, w)  y = Relu(c) }",
        "g (float[N,3,8,8] x) => (float[N,4,8,8] y, float[N,4,8,8] z) { c = Conv(x, w) y = Relu(c) z = Sigmoid(c) }",
    ],
)
def test_a_result_that_others_read_has_codes_before_the_relu(cleaned: Cleaned, graph: str) -> None:
    found = place(cleaned(graph, w=f32(4, 3, 1, 1)))
    assert {"x", "c", "y"} <= set(found.tensors)
    assert all(len(block.nodes) == 1 for block in found.blocks)


def test_clip_is_fused_when_its_bounds_are_constant(cleaned: Cleaned) -> None:
    graph = "g (float[N,4] x, float[N,4] a, float m) => (float[N,4] y) { s = Add(x, a)  y = Clip(s, lo, hi) }"
    lo, hi = np.float32(0), np.float32(6)
    assert place(cleaned(graph, lo=lo, hi=hi)).groups == alone("x", "a", "y")
    found = place(cleaned(graph.replace("lo, hi", "lo, m"), lo=lo))
    assert found.groups == alone("x", "a", "s")
    assert reasons(found) == {"Clip": "its bound 'm' is not constant"}


@pytest.mark.parametrize("op", ["Relu", "HardSwish", "Sigmoid", "Tanh", "HardSigmoid", "Erf", "LeakyRelu", "Softmax"])
def test_functions_read_and_write_codes(cleaned: Cleaned, op: str) -> None:
    assert place(cleaned(f"g (float[N,4] x) => (float[N,4] y) {{ y = {op}(x) }}")).groups == alone("x", "y")


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
def test_arithmetic_quantizes_its_constants(cleaned: Cleaned, op: str) -> None:
    found = place(cleaned(f"g (float[N,4] x) => (float[N,4] y) {{ y = {op}(x, k) }}", k=f32(4)))
    assert found.groups == alone("x", "y")
    assert found.constants == ("k",)


@pytest.mark.parametrize(
    ("call", "y", "constants"),
    [
        ("Reshape(t, s)", "float[N,16]", {"s": np.array([0, -1])}),
        ("Flatten(t)", "float[N,16]", {}),
        ("Transpose <perm=[0,2,1]> (t)", "float[N,4,4]", {}),
        ("Unsqueeze(t, s)", "float[N,1,4,4]", {"s": np.array([1])}),
        ("Slice(t, s, e, a)", "float[N,1,4]", {"s": np.array([1]), "e": np.array([2]), "a": np.array([1])}),
        ("Gather <axis=1> (t, s)", "float[N,2,4]", {"s": np.array([3, 1])}),
        ("Pad(t, s)", "float[N,6,4]", {"s": np.array([0, 1, 0, 0, 1, 0])}),
        ("MaxPool <kernel_shape=[2]> (t)", "float[N,4,3]", {}),
        ('Resize <mode="nearest"> (t, , s)', "float[N,4,8]", {"s": np.array([1, 1, 2], np.float32)}),
    ],
)
def test_moves_share_the_scale(cleaned: Cleaned, call: str, y: str, constants: dict[str, np.ndarray]) -> None:
    graph = f"g (float[N,4,4] x) => ({y} z) {{ t = Tanh(x)  z = {call} }}"
    found = place(cleaned(graph, **constants))
    assert found.groups == (Group(("x",), ("x",)), Group(("t", "z"), ("t",)))
    assert found.float_nodes == ()


def test_every_part_of_a_split_shares_the_scale(cleaned: Cleaned) -> None:
    graph = (
        "g (float[N,4] x) => (float[N,2] a, float[N,2] c) { t = Tanh(x)  a, b = Split <axis=1> (t, s)  c = Relu(b) }"
    )
    found = place(cleaned(graph, s=np.array([2, 2])))
    assert Group(("t", "a", "b"), ("t",)) in found.groups


def test_moves_of_floats_stay_float(cleaned: Cleaned) -> None:
    graph = "g (float[N,4] x) => (float[4,N] y, float[N,4] z) { t = CumSum(x, k)  y = Transpose(t)  z = Tanh(x) }"
    found = place(cleaned(graph, k=np.array(1)))
    assert found.groups == alone("x", "z")
    assert reasons(found)["Transpose"] == "it only moves float values"


def test_what_a_float_node_makes_is_quantized_for_integer_readers(cleaned: Cleaned) -> None:
    found = place(cleaned("g (float[N,4] x) => (float[N,4] y) { t = CumSum(x, k)  y = Tanh(t) }", k=np.array(1)))
    assert found.groups == alone("t", "y")
    assert reasons(found) == {"CumSum": "no integer form is known"}


def test_concat_gives_its_scale_to_operands_that_it_alone_reads(cleaned: Cleaned) -> None:
    graph = """g (float[N,4,4] x) => (float[N,8,2] y) {
        a = Tanh(x)  p = MaxPool <kernel_shape=[3]> (a)  b = Sigmoid(x)  q = MaxPool <kernel_shape=[3]> (b)
        y = Concat <axis=1> (p, q) }"""
    found = place(cleaned(graph))
    assert found.groups == (Group(("x",), ("x",)), Group(("a", "p", "b", "q", "y"), ("y",)))


def test_concat_leaves_operands_that_others_read(cleaned: Cleaned) -> None:
    graph = """g (float[N,4] x) => (float[N,12] y, float[N,4] z) {
        a = Tanh(x)  b = Sigmoid(x)  c = Erf(x)  z = Relu(b)  y = Concat <axis=1> (a, b, c) }"""
    found = place(cleaned(graph))
    assert found.groups == (*alone("x"), Group(("a", "c", "y"), ("y",)), *alone("b", "z"))


def test_a_concat_inside_a_concat(cleaned: Cleaned) -> None:
    graph = """g (float[N,4] x) => (float[N,12] y) {
        a = Tanh(x)  b = Sigmoid(x)  t = Concat <axis=1> (a, b)  c = Erf(x)  y = Concat <axis=1> (t, c) }"""
    assert place(cleaned(graph)).groups == (*alone("x"), Group(("a", "b", "t", "c", "y"), ("y",)))


def test_a_concat_of_floats_is_quantized_once(cleaned: Cleaned) -> None:
    graph = "g (float[N,4] x, float[N,4] z) => (float[N,8] y) { t = Concat <axis=1> (x, z)  y = Tanh(t) }"
    assert place(cleaned(graph)).groups == alone("t", "y")


@pytest.mark.parametrize(
    ("call", "weight", "axis", "group"),
    [
        ("Gemm(x, w)", (4, 5), 1, 1),
        ("Gemm <transB=1> (x, w)", (5, 4), 0, 1),
        ("MatMul(x, w)", (4, 5), 1, 1),
    ],
)
def test_matrix_products_have_one_scale_a_column(
    cleaned: Cleaned, call: str, weight: tuple[int, ...], axis: int, group: int
) -> None:
    found = place(cleaned(f"g (float[N,4] x) => (float[N,5] y) {{ y = {call} }}", w=f32(*weight)))
    assert [(p.weight, p.axis, p.group, p.bias) for p in found.products] == [("w", axis, group, None)]
    assert found.groups == alone("x", "y")


def test_transposed_convolutions_repeat_their_channels_for_each_group(cleaned: Cleaned) -> None:
    graph = "g (float[N,6,4,4] x) => (float[N,4,5,5] y) { y = ConvTranspose <group=2> (x, w, b) }"
    (product,) = place(cleaned(graph, w=f32(6, 2, 2, 2), b=f32(4))).products
    assert (product.axis, product.group, product.bias) == (1, 2, "b")


def test_the_bias_behind_a_matmul_belongs_to_it(cleaned: Cleaned) -> None:
    graph = "g (float[N,T,4] x) => (float[N,T,5] y) { t = MatMul(x, w)  u = Add(b, t)  y = Relu(u) }"
    found = place(cleaned(graph, w=f32(4, 5), b=f32(5)))
    (product,) = found.products
    (block,) = found.blocks
    assert product.bias == "b"
    assert (product.node, product.bias_node) == block.nodes[:2]
    assert len(block.nodes) == 3
    assert found.groups == alone("x", "y")
    assert found.constants == ()


def test_products_of_activations_have_no_weight(cleaned: Cleaned) -> None:
    found = place(cleaned("g (float[N,4,5] a, float[N,5,4] b) => (float[N,4,4] y) { y = MatMul(a, b) }"))
    assert found.groups == alone("a", "b", "y")
    assert found.products == ()
    batched = place(cleaned("g (float[2,4,5] a) => (float[2,4,4] y) { y = MatMul(a, b) }", b=f32(2, 5, 4)))
    assert batched.constants == ("b",)


@pytest.mark.parametrize(
    ("graph", "operator", "reason"),
    [
        (
            "g (float[1,3,4,4] x, float[2,3,1,1] w) => (float[1,2,4,4] y) { y = Conv(x, w) }",
            "Conv",
            "'w') is not const",
        ),
        ("g (float[4,4] x, float[4,4] w) => (float[4,4] y) { y = Gemm <transA=1> (x, w) }", "Gemm", "transA"),
        ("g (double[4] x) => (double[4] y) { y = Tanh(x) }", "Tanh", "'x' is double, not float"),
        ("g (float16[4] x) => (float16[4] y) { y = Relu(x) }", "Relu", "'x' is float16, not float"),
        ("g (float[4] x) => (float[4] y) { y = Cast <to=1> (z)  z = Cast <to=7> (x) }", "Cast", "no integer form"),
        (
            'g (float[1,1,4,4] x) => (float[1,1,8,8] y) { y = Resize <mode="cubic"> (x, , k) }',
            "Resize",
            "'cubic' has no integer form",
        ),
    ],
)
def test_what_stays_float_says_why(cleaned: Cleaned, graph: str, operator: str, reason: str) -> None:
    found = place(cleaned(graph, **({"k": np.array([1, 1, 2, 2], np.float32)} if "k)" in graph else {})))
    assert reason in reasons(found)[operator]
    assert found.groups == ()


def test_an_embedding_table_is_no_activation(cleaned: Cleaned) -> None:
    found = place(cleaned("g (int64[N] i) => (float[N,4] y) { t = Gather(k, i)  y = Tanh(t) }", k=f32(9, 4)))
    assert found.groups == alone("t", "y")
    assert reasons(found) == {"Gather": "its operands are constant"}


def test_shapes_are_no_real_numbers(cleaned: Cleaned) -> None:
    graph = """g (float[A,B,C] x) => (float[D,E] y) {
        s = Shape(x)  n = Gather(s, i)  m = Mul(n, two)  r = Concat <axis=0> (m, minus)
        t = Tanh(x)  y = Reshape(t, r) }"""
    found = place(cleaned(graph, i=np.array([0]), two=np.array([2]), minus=np.array([-1])))
    assert found.float_nodes == ()
    assert found.groups == (*alone("x"), Group(("t", "y"), ("t",)))


def test_weights_that_are_not_numbers_stay_float(cleaned: Cleaned) -> None:
    w = f32(4, 5)
    w[1, 2] = np.nan
    found = place(cleaned("g (float[N,4] x) => (float[N,5] y) { y = Gemm(x, w) }", w=w))
    assert "NaN or infinite" in reasons(found)["Gemm"]


def test_a_swish_is_one_function(cleaned: Cleaned) -> None:
    graph = "g (float[N,4] x) => (float[N,4] y) { t = Tanh(x)  s = Sigmoid(t)  y = Mul(s, t) }"
    found = place(cleaned(graph))
    assert found.groups == alone("x", "t", "y")
    assert [len(block.nodes) for block in found.blocks] == [1, 2]
    assert found.float_nodes == ()


def test_a_sigmoid_that_others_read_is_a_function_of_its_own(cleaned: Cleaned) -> None:
    graph = "g (float[N,4] x) => (float[N,4] y, float[N,4] s) { s = Sigmoid(x)  y = Mul(s, x) }"
    assert {"x", "s", "y"} <= set(place(cleaned(graph)).tensors)


@pytest.mark.parametrize(
    ("call", "constant"),
    [("PRelu(x, k)", f32(4, 1)), ("PRelu(x, k)", f32(1)), ("Div(x, k)", f32(5) + 9), ("Div(x, k)", np.float32(3))],
)
def test_constants_that_go_into_the_multiplier_have_no_codes(cleaned: Cleaned, call: str, constant: np.ndarray) -> None:
    found = place(cleaned(f"g (float[N,4,5] x) => (float[N,4,5] y) {{ y = {call} }}", k=constant))
    assert found.groups == alone("x", "y")
    assert (found.constants, found.float_nodes) == ((), ())


@pytest.mark.parametrize(
    ("call", "constant", "reason"),
    [
        ("Div(x, k)", np.array([1, 0, 1, 1], np.float32), "its constant divisor holds 0"),
        ("PRelu(x, k)", np.array([1, np.inf, 1, 1], np.float32), "its constant ('k') holds NaN or infinite values"),
        ("Div(x, k)", f32(3, 4) + 9, "its constant of shape (3, 4) does not lie along axes of its input of Nx4"),
        ("Pow(x, k)", f32(4), "its exponent is not one constant number"),
    ],
)
def test_constants_that_do_not_fit_say_why(cleaned: Cleaned, call: str, constant: np.ndarray, reason: str) -> None:
    found = place(cleaned(f"g (float[N,4] x) => (float[N,4] y) {{ y = {call} }}", k=constant))
    assert list(reasons(found).values()) == [reason]


def test_normalization_keeps_its_constants(cleaned: Cleaned) -> None:
    graph = "g (float[N,4,5] x) => (float[N,4,5] y) { n = LayerNormalization(x, k, b)  y = Relu(n) }"
    found = place(cleaned(graph, k=f32(5), b=f32(5)))
    assert found.groups == alone("x", "y")
    assert (found.constants, found.float_nodes) == ((), ())


def test_normalization_whose_mean_is_read_is_float(cleaned: Cleaned) -> None:
    graph = "g (float[N,4] x) => (float[N,4] y, float[N,1] m) { y, m = LayerNormalization(x, k) }"
    assert reasons(place(cleaned(graph, k=f32(4)))) == {"LayerNormalization": "its mean or deviation is read"}


@pytest.mark.parametrize(
    ("call", "y", "k"),
    [
        ("ReduceSum(t, k)", "float[N,1,4]", np.array([1])),
        ('Resize <mode="linear"> (t, , k)', "float[N,4,8]", np.array([1, 1, 2], np.float32)),
        ("Max(t, x)", "float[N,4,4]", None),
        ("Where(m, t, x)", "float[N,4,4]", None),
        ("Where(m, k, t)", "float[N,4,4]", np.float32(-1e4)),
    ],
)
def test_results_on_a_scale_of_their_own(cleaned: Cleaned, call: str, y: str, k: np.ndarray | None) -> None:
    graph = f"g (float[N,4,4] x, bool[4] m) => ({y} z) {{ t = Tanh(x)  z = {call} }}"
    found = place(cleaned(graph, **({} if k is None else {"k": k})))
    assert found.groups == alone("x", "t", "z")
    assert (found.constants, found.float_nodes) == ((), ())


@pytest.mark.parametrize(("call", "y"), [("ReduceMax(t, k)", "float[N,1,4]"), ("GlobalMaxPool(t)", "float[N,4,1]")])
def test_extremes_share_the_scale(cleaned: Cleaned, call: str, y: str) -> None:
    constants = {"k": np.array([1])} if "k)" in call else {}
    found = place(cleaned(f"g (float[N,4,4] x) => ({y} z) {{ t = Tanh(x)  z = {call} }}", **constants))
    assert found.groups == (Group(("x",), ("x",)), Group(("t", "z"), ("t",)))
