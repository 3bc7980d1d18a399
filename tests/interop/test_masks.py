"""Masks of attention become a choice by their condition, and a guard against NaN one too, in every spelling."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx_build import cleaned, ops, port, reals, run

from halfeven.interop import to_bytes

LOWEST = float(np.finfo(np.float32).min)
KEEP = np.array([[True, True, False, False], [True, False, True, True], [False] * 4, [True] * 4])
X = reals(2, 3, 4, 4, seed=3)
FEEDS = {"x": X, "c": np.broadcast_to(KEEP[:2, None, None], (2, 1, 1, 4)).copy()}


def masked(body: str, low: float = -np.inf, condition: str = "bool[B, 1, 1, N]", **constants: Any) -> onnx.ModelProto:
    text = f"""<ir_version: 10, opset_import: ["" : 21]>
      g (float[B, 3, M, N] x, {condition} c) => (float[B, 3, M, N] y) {{ {body} }}"""
    made = onnx.parser.parse_model(text)
    known: dict[str, Any] = {"zero": np.float32(0), "low": np.float32(low), "axes": np.array([1]), **constants}
    used = {name for node in made.graph.node for name in node.input}
    tensors = (onnx.numpy_helper.from_array(np.asarray(a), name) for name, a in known.items() if name in used)
    made.graph.initializer.extend(tensors)
    return made


def same(proto: onnx.ModelProto, feeds: dict[str, np.ndarray] = FEEDS) -> dict[str, int]:
    """Operators of the cleaned model, which computes the same bits."""
    found = cleaned(proto).model
    onnx.checker.check_model(onnx.load_from_string(to_bytes(found)), full_check=True)
    for expected, got in zip(run(proto, feeds), run(found, feeds), strict=True):
        np.testing.assert_array_equal(got, expected)
    return ops(found)


GUARD = "p = Softmax (s)  n = IsNaN (p)  y = Where (n, zero, p)"


@pytest.mark.parametrize("low", [-np.inf, LOWEST, -1e31])
@pytest.mark.parametrize(
    "added", ["m = Where (c, zero, low)", "n = Not (c)  m = Where (n, low, zero)", "m = Where (c, low, zero)"]
)
@pytest.mark.parametrize("order", ["Add (x, m)", "Add (m, x)"])
def test_a_mask_that_is_added_is_a_choice(added: str, order: str, low: float) -> None:
    feeds = FEEDS | {"c": ~FEEDS["c"]} if "c, low" in added else FEEDS
    assert same(masked(f"{added}  s = {order}  y = Softmax (s)", low), feeds) == {"Where": 1, "Softmax": 1}


@pytest.mark.parametrize("low", [-1e4, -1e9])
def test_a_mask_that_adds_is_none(low: float) -> None:
    assert same(masked("m = Where (c, zero, low)  s = Add (x, m)  y = Softmax (s)", low))["Add"] == 1


def test_what_moves_a_mask_moves_its_condition() -> None:
    body = "m = Where (c, zero, low)  u = Unsqueeze (m, axes)  v = Unsqueeze (u, axes)  s = Add (x, v)  y = Softmax (s)"
    found = same(masked(body, condition="bool[B, N]"), FEEDS | {"c": KEEP[:2]})
    assert found == {"Unsqueeze": 2, "Where": 1, "Softmax": 1}


@pytest.mark.parametrize(
    ("mask", "ops_behind"),
    [
        ("m = Where (c, zero, low)  s = Add (x, m)", {"ReduceMax": 1}),
        ("s = Where (c, x, low)", {"ReduceMax": 1}),
        ("i = Not (c)  s = Where (i, low, x)", {"ReduceMax": 1}),
        ("s = Where (c, low, x)", {"ReduceMin": 1}),
    ],
)
def test_a_row_without_scores_is_zero(mask: str, ops_behind: dict[str, int]) -> None:
    rows = np.broadcast_to(KEEP, (2, 1, 4, 4)).copy()
    feeds = FEEDS | {"c": ~rows if "c, low" in mask else rows}
    found = same(masked(f"{mask}  {GUARD}", condition="bool[B, 1, M, N]"), feeds)
    assert found == {"Where": 2, "Softmax": 1, **ops_behind}
    y = run(cleaned(masked(f"{mask}  {GUARD}", condition="bool[B, 1, M, N]")).model, feeds)[0]
    assert (y[:, :, 2] == 0).all()
    assert y[:, :, 3].all()


def test_a_condition_of_whole_rows_is_its_own() -> None:
    feeds = FEEDS | {"c": np.array([True, False, True, True]).reshape(1, 1, 4, 1).repeat(2, 0)}
    found = same(masked(f"s = Where (c, x, low)  {GUARD}", condition="bool[B, 1, M, 1]"), feeds)
    assert found == {"Where": 2, "Softmax": 1, "ReduceMax": 1}
    other = masked(f"s = Where (c, x, low)  {GUARD.replace('(s)', '<axis = 1> (s)')}")
    assert same(other)["ReduceMax"] == 1


def test_no_row_without_scores_needs_no_guard() -> None:
    assert same(masked(f"s = Where (c, x, low)  {GUARD}", LOWEST)) == {"Where": 1, "Softmax": 1}
    m = np.where(np.tri(4) > 0, 0, -np.inf).astype(np.float32)
    assert same(masked(f"b = Identity (c)  s = Add (x, m)  {GUARD}", m=m)) == {"Add": 1, "Softmax": 1}


def test_a_constant_mask_with_empty_rows_keeps_a_choice() -> None:
    m = np.where(KEEP, 0, -np.inf).astype(np.float32)
    assert same(masked(f"s = Add (x, m)  {GUARD}", m=m)) == {"Add": 1, "Softmax": 1, "Where": 1}
    assert same(masked(f"s = Where (k, x, low)  {GUARD}", k=KEEP)) == {"Softmax": 1, "Where": 2}


def test_scores_that_are_handed_out_stay() -> None:
    proto = masked(f"s = Where (c, x, low)  {GUARD}")
    proto.graph.output.append(port("s", ["B", 3, "M", "N"]))
    assert np.isneginf(run(cleaned(proto).model, FEEDS)[1]).any()
    same(proto)


@pytest.mark.parametrize(
    "body",
    [
        "p = Softmax (x)  n = IsNaN (p)  y = Where (n, zero, p)",  # scores that may be anything
        "s = Where (c, x, low)  p = Softmax (s)  n = IsNaN (x)  y = Where (n, zero, p)",  # NaN of something else
        "s = Where (c, x, low)  p = Softmax (s)  n = IsNaN (p)  y = Where (n, one, p)",  # another number
        "s = Where (c, x, low)  p = Exp (s)  n = IsNaN (p)  y = Where (n, zero, p)",  # no Softmax
        "m = Where (c, one, low)  y = Add (x, m)",  # neither number is 0
        f"a = Add (x, infinite)  s = Where (c, a, low)  {GUARD}",  # masked before: which rows, takes both
    ],
)
def test_what_is_no_mask_stays(body: str) -> None:
    proto = masked(body, one=np.float32(1), infinite=np.where(KEEP, 0, -np.inf).astype(np.float32))
    before = {node.op_type for node in proto.graph.node}
    assert set(same(proto)) == before
