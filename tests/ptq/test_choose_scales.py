"""Ranges chosen by what the readers of a tensor make of its codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from halfeven.errors import ParameterError
from halfeven.interop import to_bytes
from halfeven.numerics.affine import fake_quantize
from halfeven.numerics.profile import JOURNEY6
from halfeven.numerics.qtype import int8
from halfeven.ptq.choice import DEFAULT, NAMES, BestOf, Candidate, get_choice
from halfeven.ptq.difference import Difference, Measure
from halfeven.ptq.placement import PlacedBlock, place
from halfeven.ptq.quantize import quantize
from halfeven.ptq.readers import Trial, measure
from halfeven.ranges import KL, MAX, MSE, Codes, Fixed

Build = Callable[..., onnx.ModelProto]
Cleaned = Callable[..., ir.Model]
RNG = np.random.default_rng(11)
W = RNG.normal(size=(4, 5)).astype(np.float32)
ASKED_SYMMETRIC = {"model_config": {"activation": {"calibration_type": "max", "asymmetric": False}}}
PARAMS = tuple(Codes(int8).params(-t, t) for t in (4.0, 1.0))


def samples(count: int) -> list[dict[str, np.ndarray]]:
    return [{"x": RNG.normal(size=(3, 4)).astype(np.float32)} for _ in range(count)]


def block_of(model: ir.Model, node: str) -> PlacedBlock:
    return next(b for b in place(model).blocks if b.node == node)


def test_a_reader_is_run_on_the_codes_and_compared_with_itself(cleaned: Cleaned) -> None:
    model = cleaned("g (float[N,4] x) => (float[N,5] y) { t = Gemm(x, w)  y = Relu(t) }", w=W)
    trial = Trial(("x",), PARAMS, block_of(model, str(model.graph[0].name)))
    data = samples(3)
    (found,) = measure(model, [trial], data, JOURNEY6)
    for params, difference in zip(PARAMS, found, strict=True):
        expected = Difference()
        for x in (s["x"] for s in data):
            through = np.maximum(fake_quantize(x, params) @ W, 0)
            expected += Difference.between(np.maximum(x @ W, 0), through)
        assert difference.count == expected.count == 3 * 3 * 5
        assert difference.e_energy == pytest.approx(expected.e_energy, rel=1e-3)


def test_the_tensors_alone(cleaned: Cleaned) -> None:
    model = cleaned("g (float[N,4] x) => (float[N,4] y) { t = Tanh(x)  y = Sigmoid(t) }")
    data = samples(2)
    ((found, _),) = measure(model, [Trial(("x", "t"), PARAMS)], data, JOURNEY6)
    expected = Difference()
    for x in (s["x"] for s in data):
        for values in (x, np.tanh(x)):
            expected += Difference.between(values, fake_quantize(values, PARAMS[0]))
    assert found.e_energy == pytest.approx(expected.e_energy, rel=1e-3)


def test_an_operand_that_is_read_twice_is_quantized_twice(cleaned: Cleaned) -> None:
    model = cleaned("g (float[N,4] x) => (float[N,4] y) { t = Tanh(x)  y = Mul(t, t) }")
    block = next(b for b in place(model).blocks if b.operands == ("t", "t"))
    data = samples(1)
    ((found, _),) = measure(model, [Trial(("t",), PARAMS, block)], data, JOURNEY6)
    t = np.tanh(data[0]["x"])
    q = fake_quantize(t, PARAMS[0])
    assert found.e_energy == pytest.approx(Difference.between(t * t, q * q).e_energy, rel=1e-3)


def test_the_least_error_at_the_reader_wins(build: Build) -> None:
    # only the large values pass the Relu, so clipping them is worse than coarse steps
    graph = "g (float[N,4] x) => (float[N,4] y) { t = Tanh(x)  s = Add(t, k)  y = Relu(s) }"
    model = build(graph, k=np.full(4, -0.9, np.float32))
    x = RNG.normal(0, 0.5, size=(64, 4)).astype(np.float32)
    x[::8, 0] = 5
    narrow, wide = Fixed.threshold(0.31), Fixed.threshold(1.0)
    choice = BestOf((Candidate(narrow), Candidate(wide)))
    row = next(r for r in quantize(model, x, method=choice).ranges if "t" in r.tensors)
    assert (row.hi, row.method) == (1.0, str(wide))
    # a reader that levels the large values is served better by finer steps
    levelled = "g (float[N,4] x) => (float[N,4] y) { t = Tanh(x)  y = Clip(t, lo, hi) }"
    model = build(levelled, lo=np.float32(-0.3), hi=np.float32(0.3))
    row = next(r for r in quantize(model, x, method=choice).ranges if "t" in r.tensors)
    assert row.hi == 0.31


def test_outputs_keep_the_widest_range(build: Build) -> None:
    model = build("g (float[N,4] x) => (float[N,5] y) { y = Gemm(x, w) }", w=W)
    x = RNG.standard_t(2, size=(400, 4)).astype(np.float32)
    result = quantize(model, x)
    y = next(r for r in result.ranges if "y" in r.tensors)
    assert (y.lo, y.hi, y.method) == (y.seen_lo, y.seen_hi, "max (asymmetric)")


def test_of_equals_the_first_is_named(build: Build) -> None:
    model = build("g (float[N,4] x) => (float[N,5] y) { y = Gemm(x, w) }", w=W)
    x = np.full((16, 4), 0.5, np.float32)
    assert [r.method for r in quantize(model, x, method="symmetric").ranges] == ["max", "max"]


def test_a_single_sample_and_an_infinite_mask(build: Build) -> None:
    mask = np.where(np.tri(4) > 0, 0, -np.inf).astype(np.float32)
    graph = "g (float[N,4,4] x) => (float[N,4,4] y) { s = Add(x, m)  y = Softmax(s) }"
    result = quantize(build(graph, m=mask), RNG.normal(size=(1, 4, 4)).astype(np.float32))
    assert all(np.isfinite([row.lo, row.hi]).all() for row in result.ranges)


@pytest.mark.parametrize("by", Measure)
def test_every_measure_chooses(build: Build, by: Measure) -> None:
    model = build("g (float[N,4] x) => (float[N,4] y) { t = Tanh(x)  y = Sigmoid(t) }")
    choice = BestOf((Candidate(MAX), Candidate(MSE), Candidate(Fixed.threshold(1e-3))), by)
    rows = quantize(model, RNG.normal(size=(64, 4)).astype(np.float32), method=choice).ranges
    assert all(row.method != "fixed [-0.001, 0.001]" for row in rows)


def test_candidates_may_be_asymmetric(build: Build) -> None:
    model = build("g (float[N,4] x) => (float[N,4] y) { t = Sigmoid(x)  y = Tanh(t) }")
    x = RNG.normal(size=(64, 4)).astype(np.float32)
    choice = BestOf((Candidate(MAX, symmetric=True), Candidate(MAX, symmetric=False)))
    rows = {row.tensors[0]: row for row in quantize(model, x, method=choice).ranges}
    assert rows["t"].method == "max (asymmetric)"
    assert rows["t"].params.qtype is int8
    assert rows["t"].params.zero_point < -100


def test_the_order_of_the_data_does_not_matter(build: Build) -> None:
    model = build("g (float[N,4] x) => (float[N,5] y) { t = Tanh(x)  y = Gemm(t, w) }", w=W)
    x = RNG.standard_t(3, size=(64, 4)).astype(np.float32)
    assert to_bytes(quantize(model, x).model) == to_bytes(quantize(model, x[::-1].copy()).model)


def test_one_sided_tensors_have_asymmetric_codes_by_default(build: Build) -> None:
    model = build("g (float[N,4] x) => (float[N,4] y) { t = Sigmoid(x)  y = Tanh(t) }")
    x = RNG.normal(size=(64, 4)).astype(np.float32)
    rows = {row.tensors[0]: row for row in quantize(model, x).ranges}
    assert rows["t"].params.zero_point == -128
    assert "asymmetric" in rows["t"].method
    for how in ({"method": "symmetric"}, {"method": "max"}, {"config": ASKED_SYMMETRIC}):
        assert all(not row.params.zero_point.any() for row in quantize(model, x, **how).ranges)


def test_zeros_alone_have_a_harmless_zero_point(build: Build) -> None:
    model = build("g (float[N,4] x) => (float[N,4] y) { t = Relu(x)  y = Tanh(t) }")
    for activations, middle in (("int8", 0), ("uint8", 128)):
        rows = quantize(model, np.zeros((2, 4), np.float32), activations=activations).ranges
        assert [int(row.params.zero_point) for row in rows] == [middle] * len(rows)


def test_names() -> None:
    assert get_choice("default") is DEFAULT
    assert get_choice("kl") is KL
    assert get_choice(MSE) is MSE
    assert NAMES == ("default", "symmetric", "max", "percentile", "kl", "mse")
    with pytest.raises(ParameterError, match=r"'defualt'.*default, symmetric, max, percentile, kl, mse"):
        get_choice("defualt")
