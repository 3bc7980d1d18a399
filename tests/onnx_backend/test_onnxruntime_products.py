"""onnxruntime's integer products against ours, under the profile that carries its name: equal codes.

Weights stay within [-64, 64]: where a processor lacks VNNI, onnxruntime's kernels add pairs of u8 x s8 products in 16
bits, which saturate beyond that (255 * 64 * 2 = 32640 fits).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from onnx import helper
from sessions import ELEMENT, generator, run_graph, run_node

import halfeven as he
from halfeven.numerics.profile import Requantize

PROFILE = "onnxruntime"


# A 1 x 1 convolution of an input at its zero point has acc = bias: any int32 sum can be presented.
def sums_through_conv(acc: NDArray[np.int32], scales: tuple[Any, Any, Any], out: he.AffineParams) -> NDArray[Any]:
    storage = out.qtype.storage
    one = np.ones((len(acc), 1, 1, 1), np.int8)
    s1, s2, s3 = (np.asarray(s, np.float32) for s in scales)
    constants: dict[str, NDArray[Any] | None] = {
        "s1": s1, "z1": np.array(3, storage), "w": one, "s2": s2, "z2": np.zeros(s2.shape, np.int8), "s3": s3,
        "z3": out.zero_point.astype(storage), "b": acc,
    }  # fmt: skip
    x = np.full((1, 1, 1, 1), 3, storage)
    return run_node("QLinearConv", {"x": x}, constants, ELEMENT[out.qtype.name]).reshape(-1)


def sums_near_ties(m: float, rng: np.random.Generator, count: int = 3000) -> NDArray[np.int32]:
    k = rng.integers(-260, 260, count) + 0.5
    near = np.rint(k / m) + rng.integers(-1, 2, count)
    plain = rng.uniform(-300, 300, count) / m
    fixed = [2**24 + 1, -(2**24) - 1, 2**31 - 1, -(2**31), 0, 1]
    return np.clip(np.concatenate([near, plain, fixed]), -(2**31), 2**31 - 1).astype(np.int32)


@pytest.mark.parametrize("qtype", [he.int8, he.uint8], ids=str)
@pytest.mark.parametrize("seed", range(30))
def test_requantize_of_any_sum(qtype: he.QType, seed: int) -> None:
    # Scales from 2^-14 to 2^3: M from 2^-31 to 2^20, so sums well beyond 2^24 meet M as well as M >= 1.
    rng = generator(qtype, seed)
    s1, s2, s3 = (2.0 ** rng.uniform(-14, 3, 3)).astype(np.float32)
    acc = sums_near_ties(float(s1) * float(s2) / float(s3), rng)
    out = he.AffineParams(s3, int(rng.integers(qtype.qmin, qtype.qmax + 1)), qtype)
    m = he.Multiplier.from_scales((s1, s2), s3, PROFILE)
    assert_array_equal(sums_through_conv(acc, (s1, s2, s3), out), he.requantize(acc, m, out, PROFILE))


def test_the_multiplier_is_formed_in_float32_steps_and_the_product_is_a_float32() -> None:
    # The two choices of the profile, told apart from their neighbours on the runtime's own results.
    rng = generator("choices")
    exact_product = dataclasses.replace(he.profiles[PROFILE], requantize=Requantize.EXACT_HALF_EVEN)
    wrong = {"stepwise": 0, "once": 0, "exact": 0}
    for _ in range(60):
        s1, s2, s3 = (2.0 ** rng.uniform(-12, 3, 3)).astype(np.float32)
        real = float(s1) * float(s2) / float(s3)
        acc = sums_near_ties(real, rng)
        out = he.AffineParams(s3, 3, he.int8)
        got = sums_through_conv(acc, (s1, s2, s3), out)
        stepwise = he.Multiplier.from_scales((s1, s2), s3, PROFILE)
        once = he.Multiplier.from_real(float(np.float32(real)), 24)
        wrong["stepwise"] += int((he.requantize(acc, stepwise, out, PROFILE) != got).sum())
        wrong["once"] += int((he.requantize(acc, once, out, PROFILE) != got).sum())
        wrong["exact"] += int((he.requantize(acc, stepwise, out, exact_product) != got).sum())
    assert wrong["stepwise"] == 0
    assert wrong["once"] > 500  # M = f32(S1 S2 / S3), rounded once, is not what it uses
    assert wrong["exact"] > 500  # and acc M is rounded to float32 before it is rounded to an integer


def test_a_product_that_float32_rounds_onto_a_tie() -> None:
    # acc = 5, M = f32(0.1): 1/2 + 2^-27 exactly, 1/2 in float32: to even 0 (tests/numerics/test_requantize.py).
    out = he.AffineParams(1.0, 0, he.int8)
    tenth = he.Multiplier.from_real(float(np.float32(0.1)))
    got = sums_through_conv(np.int32([5, -5, 15]), (0.1, 1.0, 1.0), out)
    assert_array_equal(got, [0, 0, 2])
    assert_array_equal(he.requantize(np.int32([5, -5, 15]), tenth, out, "journey6"), [1, -1, 2])


def codes(rng: np.random.Generator, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)


def weights(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int8]:
    return rng.integers(-64, 65, shape).astype(np.int8)


CONVOLUTIONS = [
    {},
    {"strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"dilations": [2, 1], "pads": [2, 0, 1, 3], "strides": [1, 2]},
    {"group": 2, "pads": [1, 1, 1, 1]},
    {"group": 8, "pads": [1, 1, 1, 1]},
]


@pytest.mark.parametrize("qtype", [he.int8, he.uint8], ids=str)
@pytest.mark.parametrize("attributes", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_conv(qtype: he.QType, attributes: dict[str, Any], per_channel: bool) -> None:
    rng = generator(qtype, attributes, per_channel)
    groups = attributes.get("group", 1)
    outputs = 8 if groups == 8 else 6
    x, w = codes(rng, qtype.storage, (2, 8, 9, 10)), weights(rng, (outputs, 8 // groups, 3, 3))
    zero = 3 if qtype is he.uint8 else -5
    px, out = he.AffineParams(0.02, zero, qtype), he.AffineParams(0.05, zero + 10, qtype)
    scale = rng.uniform(0.002, 0.02, outputs) if per_channel else 0.01
    pw = he.AffineParams(scale, 0, he.int8, axis=0 if per_channel else None)
    bias = rng.integers(-20000, 20000, outputs).astype(np.int32)
    constants: dict[str, NDArray[Any] | None] = {
        "s1": px.scale, "z1": px.zero_point.astype(qtype.storage), "w": w, "s2": pw.scale,
        "z2": pw.zero_point.astype(np.int8), "s3": out.scale, "z3": out.zero_point.astype(qtype.storage), "b": bias,
    }  # fmt: skip
    theirs = run_node("QLinearConv", {"x": x}, constants, ELEMENT[qtype.name], **attributes)
    window = (attributes.get("strides", 1), attributes.get("pads", 0), attributes.get("dilations", 1), groups)
    assert_array_equal(theirs, he.quantized_conv2d(x, px, w, pw, out, bias, *window, PROFILE))
    assert len(np.unique(theirs)) > 50


@pytest.mark.parametrize("qtype", [he.int8, he.uint8], ids=str)
@pytest.mark.parametrize(
    ("left", "right", "per_column"),
    [
        ((5, 64), (64, 7), False),
        ((5, 64), (64, 7), True),
        ((2, 3, 4, 32), (2, 3, 32, 5), False),
        ((1, 1500), (1500, 33), False),
        ((1, 1500), (1500, 33), True),
    ],
)
def test_qlinear_matmul(qtype: he.QType, left: tuple[int, ...], right: tuple[int, ...], per_column: bool) -> None:
    rng = generator(qtype, left, per_column)
    a, b = codes(rng, qtype.storage, left), weights(rng, right)
    zero = 128 if qtype is he.uint8 else 7
    pa, out = he.AffineParams(0.02, zero, qtype), he.AffineParams(0.11, zero - 6, qtype)
    scale = rng.uniform(0.002, 0.02, right[-1]) if per_column else 0.01
    pb = he.AffineParams(scale, 0, he.int8, axis=-1 if per_column else None)
    constants: dict[str, NDArray[Any] | None] = {
        "s1": pa.scale, "z1": pa.zero_point.astype(qtype.storage), "b": b, "s2": pb.scale,
        "z2": pb.zero_point.astype(np.int8), "s3": out.scale, "z3": out.zero_point.astype(qtype.storage),
    }  # fmt: skip
    theirs = run_node("QLinearMatMul", {"a": a}, constants, ELEMENT[qtype.name])
    assert_array_equal(theirs, he.quantized_matmul(a, pa, b, pb, out, profile=PROFILE))


def test_a_convolution_in_qdq_form_with_the_runtime_s_fusion() -> None:
    # float -> Q -> DQ -> Conv(DQ(w), DQ(b)) -> Q: the runtime fuses it into an integer convolution; so do these codes.
    rng = generator("qdq")
    x = rng.standard_normal((1, 8, 12, 12), np.float32)
    w, bias = weights(rng, (6, 8, 3, 3)), rng.integers(-4000, 4000, 6).astype(np.int32)
    px, out = he.AffineParams(0.023, 117, he.uint8), he.AffineParams(0.19, 131, he.uint8)
    pw = he.AffineParams(rng.uniform(0.002, 0.02, 6), 0, he.int8, axis=0)
    constants = {
        "s1": px.scale, "z1": px.zero_point.astype(np.uint8), "w": w, "s2": pw.scale, "z2": np.zeros(6, np.int8),
        "b": bias, "sb": px.scale * pw.scale, "zb": np.zeros(6, np.int32), "s3": out.scale,
        "z3": out.zero_point.astype(np.uint8),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s1", "z1"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s1", "z1"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "s2", "z2"], ["wd"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "sb", "zb"], ["bd"], axis=0),
        helper.make_node("Conv", ["xd", "wd", "bd"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("QuantizeLinear", ["c", "s3", "z3"], ["y"]),
    ]
    theirs = run_graph(nodes, {"x": x}, constants, ELEMENT["uint8"], fuse=True)
    ours = he.quantized_conv2d(he.quantize(x, px, PROFILE), px, w, pw, out, bias, padding=1, profile=PROFILE)
    assert_array_equal(theirs, ours)
