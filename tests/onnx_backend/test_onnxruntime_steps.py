"""Under profile ``onnxruntime`` every operator between 8-bit codes gives onnxruntime's codes, all of them.

Each model is float -> Q -> DQ -> operator -> Q -> DQ, run with all graph optimizations, so that onnxruntime takes its
operators on codes where it has them (it moves int8 codes to uint8 first). Scales repeat and divide each other, so that
ties are common.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qdq_graph import Graph, onnxruntime_outputs, optimized_operators

import halfeven as he
from halfeven.numerics.profile import Steps

SCALES = [0.1, 0.3, 0.05, 0.7, 0.25, 1 / 3, 0.02, 0.0123, 1.0, 0.5]
QTYPES = pytest.mark.parametrize("qtype", [he.int8, he.uint8], ids=str)
MODELS = 8


def rng_of(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def params(rng: np.random.Generator, qtype: he.QType) -> he.AffineParams:
    return he.AffineParams(rng.choice(SCALES), int(rng.integers(qtype.qmin, qtype.qmax + 1)), qtype)


def every_pair(qtype: he.QType) -> tuple[NDArray[Any], NDArray[Any]]:
    every = np.arange(qtype.qmin, qtype.qmax + 1)
    a, b = np.meshgrid(every, every, indexing="ij")
    return a, b


def check(
    op: str,
    inputs: list[tuple[NDArray[Any], he.AffineParams]],
    out: he.AffineParams,
    folder: Path,
    kernel: str | None,
    **attributes: Any,
) -> None:
    g = Graph()
    reals = [g.qdq(f"x{k}", p) for k, (_, p) in enumerate(inputs)]
    y = g.qdq(g.node(op, *reals, **attributes), out)
    model = g.model({f"x{k}": ("float32", q.shape) for k, (q, _) in enumerate(inputs)}, {y: "float32"})
    assert (kernel or op) in optimized_operators(model, folder)
    feeds = {f"x{k}": he.dequantize(q.astype(p.qtype.storage), p) for k, (q, p) in enumerate(inputs)}
    expected = onnxruntime_outputs(model, feeds)[y]
    loaded = he.load(model, strict=True)
    assert loaded.profile.steps is Steps.FLOAT32
    for backend in ("native", "reference", "torch"):
        np.testing.assert_array_equal(loaded.run(feeds, backend=backend)[y], expected, err_msg=backend)


@QTYPES
@pytest.mark.parametrize("op", ["Add", "Mul", "Sub", "Div", "Max", "Pow"])
def test_every_pair_of_codes(qtype: he.QType, op: str, tmp_path: Path) -> None:
    rng = rng_of(qtype, op)
    kernel = {"Add": "QLinearAdd", "Mul": "QLinearMul"}.get(op)
    for alike in (False, True, False, False):
        a, b, y = (params(rng, qtype) for _ in range(3))
        y = he.AffineParams(a.scale, y.zero_point, qtype) if alike else y
        codes = every_pair(qtype)
        check(op, [(codes[0], a), (codes[1], b)], y, tmp_path, kernel)


SHAPES = [
    ((3, 64, 1), (3, 64, 200)),
    ((3, 64, 200), (3, 64, 1)),
    ((1, 16, 8, 8), (1, 16, 1, 1)),
    ((16, 1, 1), (1, 16, 8, 8)),
    ((4, 30, 1), (4, 1, 30)),
    ((300, 1), (1, 1)),
    ((1, 1), (300, 1)),
    ((300,), (300,)),
    ((1,), (4000,)),
]


@QTYPES
@pytest.mark.parametrize(("left", "right"), SHAPES)
@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_broadcasting(qtype: he.QType, left: tuple[int, ...], right: tuple[int, ...], op: str, tmp_path: Path) -> None:
    rng = rng_of(qtype, left, op)
    for _ in range(3):
        inputs = [(rng.integers(qtype.qmin, qtype.qmax + 1, shape), params(rng, qtype)) for shape in (left, right)]
        check(op, inputs, params(rng, qtype), tmp_path, f"QLinear{op}")


FUNCTIONS: dict[str, dict[str, Any]] = {
    "Sigmoid": {}, "LeakyRelu": {"alpha": 0.1}, "HardSigmoid": {}, "Relu": {}, "Tanh": {}, "Elu": {}, "Exp": {},
    "Sqrt": {}, "Abs": {}, "Gelu": {}, "Softplus": {}, "Erf": {}, "Log": {}, "Neg": {}, "Mish": {},
}  # fmt: skip


@QTYPES
@pytest.mark.parametrize("op", FUNCTIONS)
def test_one_input_functions(qtype: he.QType, op: str, tmp_path: Path) -> None:
    rng = rng_of(qtype, op)
    kernel = {"Sigmoid": "QLinearSigmoid", "LeakyRelu": "QLinearLeakyRelu", "Mish": "Softplus"}.get(op)
    every = np.arange(qtype.qmin, qtype.qmax + 1)
    for _ in range(MODELS):
        check(op, [(every, params(rng, qtype))], params(rng, qtype), tmp_path, kernel, **FUNCTIONS[op])


@QTYPES
def test_hard_swish(qtype: he.QType, tmp_path: Path) -> None:
    rng = rng_of(qtype, "HardSwish")
    every = np.arange(qtype.qmin, qtype.qmax + 1)
    for _ in range(MODELS):
        check("HardSwish", [(every, params(rng, qtype))], params(rng, qtype), tmp_path, "HardSigmoid")


POOLS: list[dict[str, Any]] = [
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [2, 3], "pads": [0, 1, 1, 0], "count_include_pad": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [9, 8]},
]


@QTYPES
@pytest.mark.parametrize("attributes", POOLS, ids=str)
def test_average_pool(qtype: he.QType, attributes: dict[str, Any], tmp_path: Path) -> None:
    rng = rng_of(qtype, attributes)
    for alike in (False, True, False, False):
        x, y = params(rng, qtype), params(rng, qtype)
        y = he.AffineParams(x.scale, y.zero_point, qtype) if alike else y
        codes = rng.integers(qtype.qmin, qtype.qmax + 1, (4, 20, 9, 8))
        check("AveragePool", [(codes, x)], y, tmp_path, "QLinearAveragePool", **attributes)


@QTYPES
def test_global_average_pool(qtype: he.QType, tmp_path: Path) -> None:
    rng = rng_of(qtype, "global")
    for _ in range(MODELS):
        x = rng.integers(qtype.qmin, qtype.qmax + 1, (4, 100, 6, 7))
        kernel = "QLinearGlobalAveragePool"
        check("GlobalAveragePool", [(x, params(rng, qtype))], params(rng, qtype), tmp_path, kernel)


@QTYPES
@pytest.mark.parametrize(("shape", "axis"), [((9000, 7), -1), ((2, 50, 900), 1), ((90, 1000), -1), ((5, 1), -1)])
def test_softmax(qtype: he.QType, shape: tuple[int, ...], axis: int, tmp_path: Path) -> None:
    """Its sums are float32 in an order that depends on the processor, ours exact: one code in a million differs."""
    rng = rng_of(qtype, shape)
    for scale in (1 / 256, 1 / 255, 1 / 128, 0.003):
        out, g = he.AffineParams(scale, qtype.qmin, qtype), Graph()
        inner = he.AffineParams(rng.choice([0.01, 0.05, 0.1]), 3, qtype)
        y = g.qdq(g.node("Softmax", g.qdq("x", inner), axis=axis), out)
        model = g.model({"x": ("float32", shape)}, {y: "float32"})
        x = he.dequantize(rng.integers(qtype.qmin, qtype.qmax + 1, shape).astype(qtype.storage), inner)
        assert "QLinearSoftmax" in optimized_operators(model, tmp_path)
        got, expected = he.load(model, strict=True).run({"x": x})[y], onnxruntime_outputs(model, {"x": x})[y]
        different = np.rint((got - expected) / np.float32(scale))
        assert np.abs(different).max() <= 1
        assert np.count_nonzero(different) <= 1 + expected.size // 10**5


@QTYPES
@pytest.mark.parametrize(
    ("op", "attributes"), [("Concat", {"axis": 1}), ("MaxPool", {"kernel_shape": [2, 2]}), ("Transpose", {})]
)
def test_moves_onto_another_scale(qtype: he.QType, op: str, attributes: dict[str, Any], tmp_path: Path) -> None:
    rng = rng_of(qtype, op)
    for _ in range(MODELS):
        count = 2 if op == "Concat" else 1
        inputs = [(rng.integers(qtype.qmin, qtype.qmax + 1, (2, 5, 9, 9)), params(rng, qtype)) for _ in range(count)]
        check(op, inputs, params(rng, qtype), tmp_path, "QLinearConcat" if op == "Concat" else None, **attributes)


# Random networks: residual blocks, squeeze-and-excite, pools, joins.


class Network:
    """A random QDQ network, layer by layer."""

    def __init__(self, qtype: he.QType, seed: int) -> None:
        self.rng, self.qtype, self.g = rng_of(qtype, seed), qtype, Graph()
        self.per_channel = bool(seed % 2)
        self.scale = np.float32(0.02)
        self.value, self.channels = self.coded("x", 0.02), 3
        self.earlier: list[tuple[str, int]] = []

    def coded(self, value: str, scale: float, *, lowest: bool = False) -> str:
        """Q and DQ at about this scale."""
        q = self.qtype
        self.scale = np.float32(scale * self.rng.uniform(0.7, 1.4))
        zero = q.qmin if lowest else int(self.rng.integers(q.qmin + 80, q.qmax - 80))
        return self.g.qdq(value, he.AffineParams(self.scale, zero, q))

    def conv(self, outputs: int, kernel: int, group: int = 1) -> str:
        """A Conv of the value; weights of a size that keeps the range."""
        rng, g = self.rng, self.g
        codes = rng.integers(-64, 65, (outputs, self.channels // group, kernel, kernel)).astype(np.int8)
        size = 0.3 / np.sqrt(codes[0].size) / 64 / float(self.scale) * 0.05
        scale = size * rng.uniform(0.5, 2, outputs) if self.per_channel else size
        p = he.AffineParams(scale, 0, he.int8, 0 if self.per_channel else None)
        inputs = [self.value, g.real(g.constant(codes), p)]
        if rng.random() < 0.7:
            inputs.append(g.constant(rng.standard_normal(outputs).astype(np.float32) * np.float32(0.5)))
        return g.node("Conv", *inputs, pads=[kernel // 2] * 4, group=group)

    def step(self) -> None:
        """One layer more."""
        kinds: list[Callable[[], tuple[str, int]]] = [
            self.plain, self.with_relu, self.depthwise, self.residual,
            self.gated, self.pooled, self.function, self.joined,
        ]  # fmt: skip
        before = self.value, self.channels
        self.value, self.channels = kinds[self.rng.integers(len(kinds))]()
        self.earlier.append(before)

    def plain(self) -> tuple[str, int]:
        """Conv."""
        outputs = int(self.rng.choice([4, 8]))
        return self.coded(self.conv(outputs, int(self.rng.choice([1, 3]))), 0.03), outputs

    def with_relu(self) -> tuple[str, int]:
        """Conv and Relu."""
        return self.coded(self.g.node("Relu", self.conv(8, 3)), 0.015, lowest=True), 8

    def depthwise(self) -> tuple[str, int]:
        """Depthwise Conv."""
        return self.coded(self.conv(self.channels, 3, self.channels), 0.03), self.channels

    def residual(self) -> tuple[str, int]:
        """Sum with an earlier value."""
        same = [v for v, channels in self.earlier if channels == self.channels] or [self.value]
        return self.coded(self.g.node("Add", self.value, same[self.rng.integers(len(same))]), 0.04), self.channels

    def gated(self) -> tuple[str, int]:
        """Squeeze and excite."""
        x, scale = self.value, self.scale
        self.value = self.coded(self.g.node("GlobalAveragePool", x), float(scale) / 3)
        gate = self.coded(
            self.g.node("HardSigmoid", self.coded(self.conv(self.channels, 1), 0.02)), 1 / 256, lowest=True
        )
        return self.coded(self.g.node("Mul", x, gate), float(scale) * 0.6), self.channels

    def pooled(self) -> tuple[str, int]:
        """MaxPool or AveragePool."""
        op = self.rng.choice(["MaxPool", "AveragePool"])
        y = self.g.node(op, self.value, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        return self.coded(y, float(self.scale)), self.channels

    def function(self) -> tuple[str, int]:
        """A one-input function."""
        op = self.rng.choice(["HardSwish", "LeakyRelu", "Sigmoid"])
        return self.coded(self.g.node(op, self.value), 1 / 256 if op == "Sigmoid" else 0.02), self.channels

    def joined(self) -> tuple[str, int]:
        """Concat with an earlier value."""
        other, channels = self.earlier[-1] if self.earlier else (self.value, self.channels)
        return self.coded(self.g.node("Concat", self.value, other, axis=1), 0.03), self.channels + channels


@QTYPES
@pytest.mark.parametrize("seed", range(12))
def test_random_networks(qtype: he.QType, seed: int) -> None:
    network = Network(qtype, seed)
    for _ in range(int(network.rng.integers(3, 9))):
        network.step()
    model = network.g.model({"x": ("float32", (2, 3, 12, 13))}, {network.value: "float32"})
    loaded = he.load(model, strict=True)
    feeds = {"x": network.rng.standard_normal((2, 3, 12, 13)).astype(np.float32)}
    expected = onnxruntime_outputs(model, feeds)[network.value]
    assert len(np.unique(expected)) > 4
    # int8 codes of two readers stay int8 there, and what reads them is computed in float32: equal all the same
    for backend in ("native", "reference"):
        np.testing.assert_array_equal(loaded.run(feeds, backend=backend)[network.value], expected, err_msg=backend)
