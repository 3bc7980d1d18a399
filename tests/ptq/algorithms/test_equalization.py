"""Equalization and SmoothQuant: which channels may be scaled, that nothing else changes, what is gained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

import halfeven as he
from halfeven.execute.float_part import open_session, run_session
from halfeven.interop import clean_up, read_model, to_bytes
from halfeven.ptq.algorithms import Equalization, SmoothQuant
from halfeven.ptq.algorithms.channels import channel_sets
from halfeven.ptq.algorithms.equalization import channel_sizes, factors_of
from halfeven.ptq.algorithms.rescale import rescale

Build = Callable[..., onnx.ModelProto]
RNG = np.random.default_rng(8)
SPREAD = 2.0 ** np.arange(-4, 4).astype(np.float32)  # of eight channels


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def behind(w: np.ndarray) -> np.ndarray:
    """Weights (O, I, ...) that take the spread back."""
    return w / SPREAD.reshape(-1, *[1] * (w.ndim - 2))


def before(w: np.ndarray) -> np.ndarray:
    """Weights or a bias (O, ...) that make the spread."""
    return w * SPREAD.reshape(-1, *[1] * (w.ndim - 1))


HEAD = "g (float[N,3,8,8] x) => (float[N,5,8,8] y)"
W1, B1, W2 = before(normal(8, 3, 3, 3)), before(normal(8)), behind(normal(5, 8, 1, 1))
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "Relu": ("b = Relu(a)  y = Conv(b, w2)", {}),
    "LeakyRelu": ("b = LeakyRelu(a)  y = Conv(b, w2)", {}),
    "PRelu": ("b = PRelu(a, p)  y = Conv(b, w2)", {"p": normal(8, 1, 1)}),
    "nothing": ("y = Conv(a, w2)", {}),
    "depthwise": (
        "b = Relu(a)  c = Conv <group = 8, pads = [1,1,1,1]> (b, wd, bd)  d = Relu(c)  y = Conv(d, w2)",
        {"wd": normal(8, 1, 3, 3), "bd": before(normal(8))},
    ),
    "grouped": (
        "b = Relu(a)  c = Conv <group = 2> (b, wg)  d = Relu(c)  y = Conv(d, w3)",
        {
            "wg": normal(8, 4, 1, 1) / SPREAD.reshape(2, 1, 4, 1, 1).repeat(4, 1).reshape(8, 4, 1, 1),
            "w3": normal(5, 8, 1, 1),
        },
    ),
    "residual": (
        "b = Relu(a)  c = Conv(b, wr, br)  s = Add(b, c)  y = Conv(s, w2)",
        {"wr": before(behind(normal(8, 8, 1, 1))), "br": before(normal(8))},
    ),
    "concat": (
        "b = Relu(a)  c = Conv(x, wc)  d = Concat <axis = 1> (b, c)  y = Conv(d, w3)",
        {"wc": normal(4, 3, 3, 3), "w3": np.concatenate([behind(normal(5, 8, 1, 1)), normal(5, 4, 1, 1)], axis=1)},
    ),
    "gate": (
        "b = Relu(a)  p = GlobalAveragePool(b)  q = Conv(p, w4)  r = Sigmoid(q)  s = Mul(b, r)  y = Conv(s, w2)",
        {"w4": behind(normal(8, 8, 1, 1))},
    ),
    "pooled": (
        "b = Relu(a)  p = AveragePool <kernel_shape = [3,3], pads = [1,1,1,1]> (b)  y = Conv(p, w2)",
        {},
    ),
    "transposed": (
        "b = Relu(a)  t = ConvTranspose <pads = [1,1,1,1]> (b, wt)  u = Relu(t)  y = Conv(u, w3)",
        {"wt": normal(8, 8, 3, 3) / SPREAD[:, None, None, None], "w3": normal(5, 8, 1, 1)},
    ),
}
X = {"x": normal(24, 3, 8, 8)}


def built(build: Build, name: str) -> onnx.ModelProto:
    body, more = BODIES[name]
    arrays = {"w1": W1, "b1": B1, "w2": W2} | more
    used = {
        k: v.astype(np.float32) for k, v in arrays.items() if f"{k})" in body or f"{k}," in body or k in ("w1", "b1")
    }
    pads = "" if name == "concat" else "pads = [1,1,1,1]"
    text = f"{HEAD} {{ a = Conv <{pads}> (x, w1, b1)  {body} }}".replace("<>", "")
    text = text.replace("[N,5,8,8]", "[N,5,6,6]") if name == "concat" else text
    return build(text, **used)


def float_run(model: Any, data: dict[str, np.ndarray]) -> np.ndarray:
    return run_session(open_session(model.SerializeToString()), data)["y"]


def decibels(real: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10((real**2).sum() / ((real - found) ** 2).sum()))


@pytest.mark.parametrize("name", BODIES)
def test_unequal_channels_lose_less_and_the_float_model_stays(build: Build, name: str) -> None:
    model = built(build, name)
    real = float_run(model, X)
    plain, made = (he.quantize_model(model, X, algorithms=a) for a in ((), "equalization"))
    assert made.ptq is not None
    (report,) = made.ptq.algorithms
    assert report.changes
    assert made.ptq.equality.max_relative < 1e-6
    gain = decibels(real, made.run(X)["y"]) - decibels(real, plain.run(X)["y"])
    assert gain > (0.5 if name in ("gate", "concat", "grouped", "transposed") else 3), f"{gain} dB"
    np.testing.assert_array_equal(made.run(X)["y"], made.run(X, backend="reference")["y"])


def test_powers_of_two_change_no_bit(build: Build) -> None:
    model = clean_up(read_model(built(build, "depthwise"))).model
    sizes = channel_sizes(model, [X])
    again = model.clone()
    sets = channel_sets(again.graph)
    factors = factors_of(sets, sizes, 0.5, behind_norms=False)
    assert len(set(factors)) > 4
    rescale(sets, factors)
    np.testing.assert_array_equal(float_of(model), float_of(again))


def float_of(model: Any) -> np.ndarray:
    return run_session(open_session(to_bytes(model)), X)["y"]


BLOCKED = {
    "Clip": "b = Clip(a, lo, hi)  y = Conv(b, w2)",
    "Sigmoid": "b = Sigmoid(a)  y = Conv(b, w2)",
    "HardSwish": "b = HardSwish(a)  y = Conv(b, w2)",
    "the input": "b = Conv(x, w5)  c = Add(a, b)  d = Sigmoid(c)  y = Conv(d, w2)",
    "two activations multiplied": "b = Relu(a)  c = Conv(x, w5)  d = Mul(b, c)  y = Conv(d, w2)",
    "a transpose": "b = Transpose <perm = [0,1,3,2]> (a)  y = Conv(b, w2)",
    "batch concat": "b = Relu(a)  c = Concat <axis = 0> (b, b)  y = Conv(c, w2)",
}


@pytest.mark.parametrize("name", BLOCKED)
def test_what_no_factor_passes_stays(build: Build, name: str) -> None:
    arrays = {"w1": W1, "b1": B1, "w2": W2, "w5": normal(8, 3, 3, 3), "lo": np.float32(0), "hi": np.float32(6)}
    text = f"{HEAD} {{ a = Conv <pads = [1,1,1,1]> (x, w1, b1)  {BLOCKED[name]} }}".replace(
        "(x, w5", "<pads = [1,1,1,1]> (x, w5"
    )
    used = {k: v for k, v in arrays.items() if f"{k})" in text or f"{k}," in text}
    made = he.quantize_model(build(text, **used), X, algorithms="equalization")
    plain = he.quantize_model(build(text, **used), X, algorithms=())
    assert made.ptq is not None
    (report,) = made.ptq.algorithms
    assert report.changes == ()
    assert any(line.startswith("a: its result goes where no factor passes") for line in report.left)
    np.testing.assert_array_equal(made.run(X)["y"], plain.run(X)["y"])


def test_rescaled_tensors_go_by_another_name_and_are_not_compared(build: Build) -> None:
    model = built(build, "Relu")
    made = he.quantize_model(model, X, algorithms="equalization")
    names = {i.name for i in made.program} | set(made.program.tensors)
    assert "b_rescaled_quantized" in names
    assert not any(n.startswith("b_quantized") for n in names)
    compared = made.compare(model, X, speed=False)
    assert {row.name for row in compared.rows} == {"x", "y"}
    assert any(u.tensor.startswith("b_rescaled") for u in compared.unpaired)


def test_the_report_names_who_scales_and_who_takes_up(build: Build) -> None:
    made = he.quantize_model(built(build, "depthwise"), X, algorithms=[Equalization(strengths=(0.5,))])
    assert made.ptq is not None
    (report,) = made.ptq.algorithms
    said = [str(c) for c in report.changes]
    assert said[0].startswith("a: ")
    assert "taken up by c (strength 0.5)" in said[0]
    assert said[1].startswith("c: ")
    assert report.after < report.before


TRANSFORMER = """g (float[N,6,8] x) => (float[N,6,8] y) {
  n = LayerNormalization <axis = -1> (x, gamma, beta)
  q = MatMul(n, wq)  qb = Add(q, bq)  k = MatMul(n, wk)  kt = Transpose <perm = [0,2,1]> (k)
  e = MatMul(qb, kt)  a = Softmax <axis = -1> (e)  v = MatMul(n, wv)  y = MatMul(a, v) }"""


def transformer(build: Build) -> onnx.ModelProto:
    outliers = np.ones(8, np.float32)
    outliers[[2, 5]] = 64
    rows = {name: normal(8, 8) / 4 / outliers[:, None] for name in ("wq", "wk", "wv")}
    return build(TRANSFORMER, gamma=outliers, beta=normal(8) * outliers, bq=normal(8), **rows)


def test_outlier_channels_of_a_normalization_are_smoothed(build: Build) -> None:
    model, data = transformer(build), {"x": normal(24, 6, 8)}
    real = run_session(open_session(model.SerializeToString()), data)["y"]
    plain, made = (he.quantize_model(model, data, algorithms=a) for a in ((), "smoothquant"))
    assert made.ptq is not None
    (report,) = made.ptq.algorithms
    (change,) = report.changes
    assert change.node == "n"
    assert "taken up by q, k, v" in change.what
    assert made.ptq.equality.max_relative < 1e-6
    assert decibels(real, made.run(data)["y"]) > decibels(real, plain.run(data)["y"]) + 6
    assert made.program.float_parts == ()


def test_smoothquant_leaves_products_alone_and_equalization_normalizations(build: Build) -> None:
    made = he.quantize_model(built(build, "Relu"), X, algorithms="smoothquant")
    assert made.ptq is not None
    assert made.ptq.algorithms[0].changes == ()
    made = he.quantize_model(transformer(build), {"x": normal(8, 6, 8)}, algorithms="equalization")
    assert made.ptq is not None
    assert "n" not in {c.node for c in made.ptq.algorithms[0].changes}


def test_the_same_data_give_the_same_bytes(build: Build) -> None:
    both = [Equalization(), SmoothQuant(), "bias-correction"]
    model = transformer(build)
    data = {"x": normal(8, 6, 8)}
    first, again = (to_bytes(he.quantize_model(model, data, algorithms=both)._graph) for _ in range(2))
    assert first == again
