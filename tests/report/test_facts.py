"""Operations, bytes and energy of a network small enough to count."""

from __future__ import annotations

import numpy as np
import pytest
import small_models
from defects import build

import halfeven as he
from halfeven.report.cost_lines import cost_lines, count, microjoules, size
from halfeven.report.energy import energy, multiply_accumulate_pj
from halfeven.report.facts import Facts
from halfeven.report.macs import Width

INT8 = Width(8, 8, is_float=False)


def facts_of(
    text: str, data: np.ndarray, weights: str = "int8", activations: str = "int8", **constants: np.ndarray
) -> Facts:
    model = build(text, **constants)
    quantized = he.quantize_model(model, data, weights=weights, activations=activations)
    return quantized.compare(model, data, speed=False).facts


def test_convolution() -> None:
    found = facts_of(
        "g (float[N,4,6,6] x) => (float[N,8,4,4] y) { y = Conv <group = 2> (x, w) }",
        np.random.default_rng(0).normal(0, 1, (1, 4, 6, 6)).astype(np.float32),
        w=np.ones((8, 2, 3, 3), np.float32),
    )
    assert dict(found.macs) == {INT8: 8 * 4 * 4 * 2 * 9}
    assert found.real.weight_bytes == 4 * 8 * 2 * 9
    assert found.quantized.weight_bytes == 8 * 2 * 9
    # in float: x read, y written; in integers also: x quantized (read and written), y made real (read and written)
    assert found.real.activation_bytes == 4 * (144 + 128)
    assert found.quantized.activation_bytes == (4 * 144 + 144) + (144 + 128) + (128 + 4 * 128)


def test_transposed_convolution_and_rows() -> None:
    rng = np.random.default_rng(0)
    found = facts_of(
        "g (float[N,4,3,3] x) => (float[N,6,7,7] y) { y = ConvTranspose <strides = [2, 2]> (x, w) }",
        rng.normal(0, 1, (1, 4, 3, 3)).astype(np.float32),
        w=np.ones((4, 6, 3, 3), np.float32),
    )
    assert found.total_macs == 9 * 4 * 6 * 9
    found = facts_of(
        """g (float[N,5,8] x) => (float[N,5,5] y) {
            a = MatMul (x, w) t = Transpose <perm = [0, 2, 1]> (x) y = MatMul (a, t) }""",
        rng.normal(0, 1, (1, 5, 8)).astype(np.float32),
        w=rng.normal(0, 1, (8, 8)).astype(np.float32),
    )
    assert found.total_macs == 5 * 8 * 8 + 5 * 5 * 8


def test_widths() -> None:
    text, w = "g (float[N,8] x) => (float[N,4] y) { y = Gemm (x, w) }", np.eye(8, 4, dtype=np.float32)
    data = np.random.default_rng(0).normal(0, 1, (2, 8)).astype(np.float32)
    found = facts_of(text, data, weights="int4", activations="int16", w=w)
    assert dict(found.macs) == {Width(4, 16, is_float=False): 32}
    assert found.quantized.weight_bytes == 16
    assert str(next(iter(found.macs))) == "int4 x int16"


def test_float_products_count_too() -> None:
    text = "g (float[N,4] x) => (float[N,4] y) { a = Gemm <transA = 1> (x, w) y = Neg (a) }"
    data = np.random.default_rng(0).normal(0, 1, (1, 4, 4)).astype(np.float32)
    found = facts_of(text, data, w=np.eye(4, dtype=np.float32))
    assert dict(found.macs) == {Width(32, 32, is_float=True): 4 * 4 * 4}


def test_energy_by_hand() -> None:
    assert multiply_accumulate_pj(8, 8, is_float=False) == pytest.approx(0.3)
    assert multiply_accumulate_pj(32, 32, is_float=True) == pytest.approx(4.6)
    assert multiply_accumulate_pj(16, 16, is_float=False) == pytest.approx(0.9)
    # published: 32 x 32 bits 3.1 pJ
    assert multiply_accumulate_pj(32, 32, is_float=False) == pytest.approx(3.1 + 0.1, rel=0.05)
    spent = energy([2e6], weight_bytes=4000, activation_bytes=4000)
    assert (spent.arithmetic_uj, spent.weights_uj, spent.activations_uj) == pytest.approx((2, 0.64, 0.005))
    assert spent.total_uj == pytest.approx(2.645)


def test_costs_in_words() -> None:
    model, data = small_models.cnn(), small_models.images(2)
    found = he.quantize_model(model, data).compare(model, data)
    lines = "\n".join(cost_lines(found))
    assert "ISSCC 2014" in lines
    assert "An estimate, not a measurement" in lines
    assert "median of" in lines
    assert found.speed is not None
    assert min(found.speed.float_s, found.speed.quantized_s) > 0
    assert "measured time" not in "\n".join(
        cost_lines(he.quantize_model(model, data).compare(model, data, speed=False))
    )


def test_numbers_for_people() -> None:
    assert (count(16_315_376), count(12), count(0)) == ("16.3 M", "12", "0")
    assert (size(1023), size(1536), size(3 * 1024**2)) == ("1023 B", "1.50 KiB", "3.00 MiB")
    assert (microjoules(0.5), microjoules(2500)) == ("0.5 µJ", "2.5 mJ")
