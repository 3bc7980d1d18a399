"""Constants that other tools give codes of their own: all integer, and onnxruntime's codes.

AIMET quantizes every float constant, so also a layer's gain twice, where the graph hands it on, and both operands of a
head's ``size ^ -0.5``.
"""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from qdq_graph import Graph, assert_every_backend_gives, onnxruntime_outputs

import halfeven as he

X, Y = he.AffineParams(0.031, 117, he.uint8), he.AffineParams(0.04, 120, he.uint8)
SHAPE = (3, 7, 16)


def samples(shape: tuple[int, ...] = SHAPE) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(zlib.crc32(repr(shape).encode()))
    return {"x": rng.standard_normal(shape).astype(np.float32)}


def equal_to_onnxruntime(g: Graph, y: str) -> he.QuantizedModel:
    model = g.model({"x": ("float32", SHAPE)}, {y: "float32"})
    loaded = he.load(model, strict=True)
    expected = onnxruntime_outputs(model, samples())
    assert len(np.unique(expected[y])) > 8
    assert_every_backend_gives(loaded, samples(), expected)
    return loaded


@pytest.mark.parametrize("size", [16.0, 24.0])
def test_a_factor_computed_from_constants(size: float) -> None:
    g = Graph()
    base = g.qdq(g.constant(np.float32(size)), he.AffineParams(size / 255, 0, he.uint8))
    exponent = g.qdq(g.constant(np.float32(-0.5)), he.AffineParams(0.5 / 128, 128, he.uint8))
    factor = g.qdq(g.node("Pow", base, exponent), he.AffineParams(size**-0.5 / 255, 0, he.uint8))
    y = g.qdq(g.node("Mul", g.qdq("x", X), factor), he.AffineParams(0.01, 120, he.uint8))
    loaded = equal_to_onnxruntime(g, y)
    assert "Pow" not in str(loaded.program)


def test_a_chain_of_operators_on_constants() -> None:
    g = Graph()
    p = he.AffineParams(0.01, 100, he.uint8)
    a = g.qdq(g.constant(np.linspace(-1, 1, 16).astype(np.float32)), p)
    b = g.qdq(g.node("Exp", a), he.AffineParams(2.8 / 255, 0, he.uint8))
    c = g.qdq(g.node("Add", b, g.constant(np.float32(0.25))), he.AffineParams(3.1 / 255, 0, he.uint8))
    y = g.qdq(g.node("Add", g.qdq("x", X), c), Y)
    equal_to_onnxruntime(g, y)


def test_a_gain_quantized_twice() -> None:
    g = Graph()
    p = he.AffineParams(1.3 / 255, 0, he.uint8)
    once = g.qdq(g.constant(np.linspace(0.1, 1.3, 16).astype(np.float32)), p)
    twice = g.qdq(once, p)
    offset = g.constant(np.linspace(-1, 1, 16).astype(np.float32))
    y = g.qdq(g.node("LayerNormalization", g.qdq("x", X), twice, offset, axis=-1), Y)
    equal_to_onnxruntime(g, y)


def test_a_weight_quantized_twice_on_two_scales() -> None:
    """As its nodes say; onnxruntime's optimizer takes the second scale alone."""
    real = np.random.default_rng(7).standard_normal((16, 9)).astype(np.float32)
    first, second, out = (he.AffineParams(s, 0, he.int8) for s in (3.5 / 128, 3.4 / 128, 0.2))
    twice, stored = Graph(), Graph()
    w = twice.qdq(twice.qdq(twice.constant(real), first), second)
    y = twice.qdq(twice.node("MatMul", twice.qdq("x", X), w), out)
    codes = he.quantize(he.dequantize(he.quantize(real, first), first), second)
    z = stored.qdq(stored.node("MatMul", stored.qdq("x", X), stored.real(stored.constant(codes), second)), out)
    expected = equal_to_onnxruntime(stored, z).run(samples())[z]
    loaded = he.load(twice.model({"x": ("float32", SHAPE)}, {y: "float32"}), strict=True)
    assert_every_backend_gives(loaded, samples(), {y: expected})


def test_what_depends_on_the_input_is_not_computed_beforehand() -> None:
    g = Graph()
    p = he.AffineParams(0.5 / 128, 128, he.uint8)
    c = g.qdq(g.constant(np.float32(0.25)), p)
    y = g.qdq(g.node("Mul", g.qdq("x", X), c), he.AffineParams(0.01, 120, he.uint8))
    loaded = equal_to_onnxruntime(g, y)
    assert len(np.unique(loaded.run(samples())[y])) > 8
