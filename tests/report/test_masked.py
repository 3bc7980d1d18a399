"""What a mask of attention pushed out counts in no error; everything else does."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import onnx
import pytest
from defects import build, changed, times

import halfeven as he
from halfeven.report.amount import amount
from halfeven.report.comparison import Comparison
from halfeven.report.csv_file import csv_text
from halfeven.report.finding import Kind
from halfeven.report.page import page
from halfeven.report.row import LayerRow
from halfeven.report.text import text

N = 16
RNG = np.random.default_rng(3)
X = RNG.normal(size=(12, N, N)).astype(np.float32)  # no score is as low by itself
W = (RNG.normal(size=(N, N)) / 4).astype(np.float32)
CAUSAL = np.tri(N) > 0
MASKED = 1 - CAUSAL.mean()
LOW = {"-1e4": -1e4, "-inf": -np.inf, "finfo.min": float(np.finfo(np.float32).min)}
FORMS = {
    "a constant is added": "s = Add(t, m)  y = Softmax(s)",
    "Where chooses": "s = Where(c, t, low)  y = Softmax(s)",
    "a Reshape lies between": "s = Add(t, m)  r = Reshape(s, shape)  y = Softmax(r)",
    "rows lie across": "s = Add(t, m)  r = Transpose<perm=[0,2,1]>(s)  y = Softmax<axis=1>(r)",
    "the mask is an input": "s = Add(t, k)  y = Softmax(s)",
    "the mask is moved": "u = Identity(k)  v = Unsqueeze(u, zero)  j = Squeeze(v, zero)  s = Add(t, j)  y = Softmax(s)",
}


def masked(form: str, low: float) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    body = FORMS[form]
    constants = {
        "m": np.where(CAUSAL, 0, low).astype(np.float32),
        "low": np.float32(low),
        "c": CAUSAL,
        "shape": np.array([-1, N, N]),
        "zero": np.array([0]),
    }
    used = {name: a for name, a in constants.items() if re.search(rf"\b{name}\b", body)}
    inputs, feeds = f"float[B,{N},{N}] x", {"x": X}
    if re.search(r"\bk\b", body):
        inputs += f", float[B,{N},{N}] k"
        feeds["k"] = np.broadcast_to(np.where(CAUSAL, 0, low), X.shape).astype(np.float32)
    graph = f"g ({inputs}) => (float[B,{N},{N}] y) {{ t = MatMul(x, w)  {body} }}"
    return build(graph, w=W, **used), feeds


def kinds(found: Comparison, row: LayerRow) -> set[Kind]:
    return {f.kind for f in found.findings[row.index]}


COMPUTED = ("the mask is an input", "the mask is moved")  # samples are finite, and so are their ranges
CASES = [(form, low) for form in FORMS for low in LOW if form not in COMPUTED or low == "-1e4"]


@pytest.mark.parametrize(("form", "low"), CASES)
def test_a_mask_raises_no_alarm(form: str, low: str) -> None:
    model, feeds = masked(form, LOW[low])
    found = he.quantize_model(model, feeds).compare(model, feeds, speed=False)
    pushed = [row for row in found.rows if row.left_out]
    assert {row.name for row in pushed} >= {"s"}
    for row in pushed:
        assert row.left_out == MASKED
        assert row.lo > -100
        assert row.clipped is not None
        assert row.clipped < 0.01
    for row in found.rows:
        assert row.sqnr_db > 25
        assert row.max_error_steps is None or row.max_error_steps < 100
        assert (Kind.MASKED in kinds(found, row)) == bool(row.left_out)
        assert not kinds(found, row) & {Kind.TRUNCATION, Kind.BIAS, Kind.CUT_OPERANDS, Kind.WIDE, Kind.PREPROCESSING}


def test_scores_that_are_cut_off_are_still_found() -> None:
    model, feeds = masked("Where chooses", -np.inf)
    quantized = he.quantize_model(model, feeds)
    finer = dict.fromkeys(("t_scale", "s_scale"), times(1 / 8))  # one scale, called by either
    found = changed(quantized, finer).compare(model, feeds, speed=False)
    row = next(r for r in found.rows if r.name == "s")
    assert row.sqnr_db < 20
    assert row.left_out == MASKED
    assert Kind.TRUNCATION in kinds(found, row)


def test_scores_as_low_by_themselves_set_no_range_and_count_in_no_error() -> None:
    model, feeds = masked("Where chooses", -np.inf)
    feeds = {"x": feeds["x"] * 3}
    found = he.quantize_model(model, feeds).compare(model, feeds, speed=False)
    row = next(r for r in found.rows if r.name == "s")
    assert MASKED < row.left_out < MASKED + 0.1
    assert Kind.TRUNCATION not in kinds(found, row)


def test_what_is_read_elsewhere_is_compared_in_full() -> None:
    m = np.where(CAUSAL, 0, -1e4).astype(np.float32)
    graph = f"g (float[B,{N},{N}] x) => (float[B,{N},{N}] y, float[B,{N},{N}] s) {{ s = Add(x, m)  y = Softmax(s) }}"
    model = build(graph, m=m)
    found = he.quantize_model(model, X).compare(model, X, speed=False)
    row = next(r for r in found.rows if r.name == "s")
    assert (row.left_out, row.elements) == (0, X.size)


def test_a_row_masked_whole_and_a_tensor_masked_whole() -> None:
    graph = f"g (float[B,{N},{N}] x) => (float[B,{N},{N}] y) {{ t = MatMul(x, w)  s = Add(t, m)  y = Softmax(s) }}"
    for keep, share in ((1, 1 - 1 / N), (0, 1.0)):
        m = np.full((N, N), np.finfo(np.float32).min)
        m[:keep] = 0
        model = build(graph, w=W, m=m)
        found = he.quantize_model(model, X).compare(model, X, speed=False)
        row = next(r for r in found.rows if r.name == "s")
        assert row.left_out == share
        assert "inf to" not in page(found)
        assert text(found)


def test_the_share_is_told() -> None:
    model, feeds = masked("Where chooses", -np.inf)
    found = he.quantize_model(model, feeds).compare(model, feeds, speed=False)
    row = next(r for r in found.rows if r.name == "s")
    share = f"{row.left_out:.2%}"
    assert f"{share} masked, left out" in text(found)
    assert f"{share} of the values are left out" in page(found)
    told = next(line for line in csv.DictReader(io.StringIO(csv_text(found))) if line["name"] == "s")
    assert float(told["left_out"]) == row.left_out
    assert share in told["diagnosis"]


def test_no_number_is_long() -> None:
    """Beyond what codes reach by far, though nothing masks it."""
    model = build("g (float[N,4] x) => (float[N,4] y) { a = Abs (x) y = Neg (a) }")
    quantized = he.quantize_model(model, X.reshape(-1, 4))
    found = quantized.compare(model, X.reshape(-1, 4) * np.float32(1e36), speed=False)
    for told in (text(found), page(found), csv_text(found)):
        assert not re.search(r"\d{18}", told)
    assert re.search(r"\be\+3\d|\de\+3\d", text(found))


@pytest.mark.parametrize(
    ("value", "said"), [(1.25, "1.2"), (-99999.0, "-99999.0"), (7.455e39, "7.5e+39"), (1e6, "1e+06")]
)
def test_amounts(value: float, said: str) -> None:
    assert amount(value) == said
