"""What a comparison counts, on networks small enough to work out by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import small_models
from defects import build, changed

import halfeven as he
from halfeven.errors import DataError, ModelError, NotANumberError, ParameterError
from halfeven.execute import run as execute
from halfeven.execute.float_part import open_session, run_session
from halfeven.interop import clean_up, read_model, to_bytes
from halfeven.ir.instructions import operands
from halfeven.ptq.segments import tap
from halfeven.report.comparison import Comparison
from halfeven.report.layers import pair
from halfeven.report.row import LayerRow
from halfeven.report.walk import Plan, Walk

CHAIN = "g (float[N,4] x) => (float[N,4] y) { a = Abs (x) y = Relu (a) }"
X = np.array([[2.6, -1.0, 0.4, 5.6]], np.float32)


@pytest.fixture
def chain() -> he.QuantizedModel:
    """``|x|`` on steps of 1, then 2, then its Relu on steps of 0.5."""
    scales = {"x": 1.0, "a": 2.0, "y": 0.5}
    model = he.quantize_model(build(CHAIN), X, method="symmetric")
    return changed(model, {f"{name}_scale": (lambda a, s=s: a * 0 + s) for name, s in scales.items()})


def by_name(found: Comparison) -> dict[str, LayerRow]:
    return {row.name: row for row in found.rows}


def test_accumulated_alone_and_codes_by_hand(chain: he.QuantizedModel) -> None:
    rows = by_name(chain.compare(build(CHAIN), X, speed=False))
    assert list(rows) == ["x", "a", "y"]
    assert rows["x"].max_error_steps == pytest.approx(0.4)  # codes 3 -1 0 6

    # codes of the run: 3 1 0 6 halved, to even: 2 0 0 3, so the reals 4 0 0 6
    energy = 2.6**2 + 1 + 0.16 + 5.6**2
    run = 1.4**2 + 1 + 0.16 + 0.16
    assert rows["a"].sqnr_db == pytest.approx(10 * math.log10(energy / run), rel=1e-6)
    assert rows["a"].mean_error_steps == pytest.approx((1.4 - 1 - 0.4 + 0.4) / 4 / 2, rel=1e-5)
    assert rows["a"].max_error_steps == pytest.approx(0.7)
    # the float result on codes of step 2: 1.3 0.5 0.2 2.8 -> 1 0 0 3
    assert rows["a"].rounding_sqnr_db == pytest.approx(10 * math.log10(energy / (0.36 + 1 + 0.16 + 0.16)), rel=1e-6)

    # alone, y reads a's codes of the float values: 2 0 0 6, which steps of 0.5 hold exactly
    assert rows["y"].alone_sqnr_db == pytest.approx(10 * math.log10(energy / (0.36 + 1 + 0.16 + 0.16)), rel=1e-6)
    assert rows["y"].sqnr_db == pytest.approx(10 * math.log10(energy / run), rel=1e-6)
    assert rows["y"].alone_max_error_steps == pytest.approx(2)
    # codes of step 0.5: 2.5 1 0.5 5.5
    assert rows["y"].rounding_sqnr_db == pytest.approx(10 * math.log10(energy / 0.03), rel=1e-5)


def test_ranges_and_shares_by_hand(chain: he.QuantizedModel) -> None:
    x = np.array([[200.0, -129.0, 127.2, 0.0]], np.float32)
    row = by_name(chain.compare(build(CHAIN), x, speed=False))["x"]
    assert (row.lo, row.hi) == (-129.0, 200.0)
    assert (row.representable_lo, row.representable_hi) == (-128.0, 127.0)
    assert row.clipped == 0.25  # 200 alone: -129 is one step outside
    assert (row.at_qmin, row.at_qmax) == (0.25, 0.5)


def test_samples_add_up_and_their_order_does_not_matter(chain: he.QuantizedModel) -> None:
    x = np.random.default_rng(3).integers(-90, 90, (6, 4)).astype(np.float32) / 4  # sums of squares are exact
    whole = chain.compare(build(CHAIN), x, speed=False)
    back = chain.compare(build(CHAIN), x[::-1].copy(), speed=False)
    parts = [chain.compare(build(CHAIN), x[k : k + 3], speed=False) for k in (0, 3)]
    for k, row in enumerate(whole.rows):
        merged = parts[0].rows[k].sums.merge(parts[1].rows[k].sums)
        assert merged.accumulated.sqnr_db == row.sqnr_db
        assert merged.alone is not None
        assert merged.alone.sqnr_db == row.alone_sqnr_db
        assert back.rows[k].sqnr_db == row.sqnr_db
        assert row.elements == 24


def test_limit_and_progress(chain: he.QuantizedModel) -> None:
    x = np.random.default_rng(3).normal(0, 9, (6, 4)).astype(np.float32)
    told: list[tuple[int, int | None]] = []
    found = chain.compare(
        build(CHAIN), x, limit=2, speed=False, progress=lambda done, total: told.append((done, total))
    )
    assert found.samples == 2
    assert told == [(1, 2), (2, 2)]


def test_samples_are_read_one_after_the_other(chain: he.QuantizedModel) -> None:
    """Nothing waits for the data's end, so nothing grows with their number."""
    held: list[int] = []

    def stream() -> Iterator[np.ndarray]:
        for k in range(5):
            held.append(k)
            yield X

    seen: list[int] = []
    chain.compare(build(CHAIN), stream(), speed=False, progress=lambda done, _: seen.append(len(held) - done))
    assert seen == [0] * 5


def test_few_tensors_are_held_at_a_time() -> None:
    """However long the network: a tensor goes when its last reader has it."""
    names = ["x", *(f"t{k}" for k in range(30))]
    nodes = " ".join(f"{b} = {'Neg' if k % 2 else 'Abs'} ({a})" for k, (a, b) in enumerate(pairwise(names)))
    model = build(f"g (float[N,4] x) => (float[N,4] t29) {{ {nodes} }}")
    quantized = he.quantize_model(model, X)
    pairing = pair(quantized.program, quantized._graph.graph, model)
    held: list[int] = []
    plan = Plan(quantized.program, pairing.layers, {}, execute.native_backend())
    walk = Walk(plan, {"x": X}, lambda *_: held.append(len(walk._run) + len(walk._ideal)))
    tap(pairing.float_model, names).run({"x": X}, walk.see)
    assert len(held) == 31
    assert max(held) <= 4
    walk.finish()
    assert len(walk._ideal) == 0


def test_equal_runs_give_equal_bytes() -> None:
    model, data = small_models.cnn(), small_models.images(3)
    quantized = he.quantize_model(model, data)
    texts = {str(quantized.compare(model, data, speed=False)) for _ in range(2)}
    assert len(texts) == 1


def test_every_tensor_of_our_own_models_pairs() -> None:
    model, data = small_models.cnn(), small_models.images(4)
    found = he.quantize_model(model, data).compare(model, data, speed=False)
    assert found.unpaired == ()
    assert [row.name for row in found.rows] == ["image", "a1", "c2", "a2", "s", "p", "g", "f", "d", "score"]
    assert all(row.alone_sqnr_db is not None for row in found.rows)
    assert [row.name for row in found.rows if row.is_output] == ["score"]
    assert [row.name for row in found.rows if row.is_input] == ["image"]
    assert all(row.sqnr_db > 15 for row in found.rows)
    # a layer's own error is no larger than what has been added up until there
    assert all(row.alone_sqnr_db >= row.sqnr_db - 1 for row in found.rows)


def test_alone_is_one_layer_of_the_program_on_the_float_models_values() -> None:
    """The same by another road: run the Program from inside, from the codes of the float values."""
    model, data = small_models.cnn(), small_models.images(1)
    quantized = he.quantize_model(model, data)
    program = quantized.program
    found = quantized.compare(model, data, speed=False)
    names = [row.name for row in found.rows]
    cleaned = clean_up(read_model(model)).model
    cleaned.graph.outputs.extend(v for node in cleaned.graph for v in node.outputs if v.name in names)
    real = {"image": data, **run_session(open_session(to_bytes(cleaned)), {"image": data})}
    codes = {
        row.layer.tensor: he.quantize(real[row.name], row.layer.params, program.profile)
        for row in found.rows
        if row.layer.params is not None
    }
    for row in found.rows[1:]:
        given = {name: codes[name] for name in operands(row.layer.instruction)}
        made = execute.run_program(program, given, [row.layer.tensor], execute.reference_backend())[row.layer.tensor]
        error = he.dequantize(made, row.layer.params).astype(np.float64) - real[row.name]
        expected = 10 * math.log10(float((real[row.name].astype(np.float64) ** 2).sum() / (error**2).sum()))
        assert row.alone_sqnr_db == pytest.approx(expected, abs=0.01)  # ONNX Runtime fuses the two runs differently


def test_float_parts_are_rows_too() -> None:
    model = small_models.not_integer()
    data = np.random.default_rng(0).normal(0, 1, (5, 4)).astype(np.float32)
    found = he.quantize_model(model, data).compare(model, data, speed=False)
    part = next(row for row in found.rows if row.qtype == "float32")
    assert (part.name, part.operator) == ("b", "CumSum (float32)")
    assert part.qtype == "float32"
    assert part.max_error_steps is None
    assert part.representable_lo is None
    assert part.alone_sqnr_db is not None
    assert part.sqnr_db > 20


def test_outputs_agree_and_the_worst_sample_is_named() -> None:
    model = build("g (float[N,3] x) => (float[N,3] y) { y = Abs (x) }")
    data = np.array([[1, 2, 3], [3, 1, 2], [0.3, 0.2, 3], [3, 4, 0]], np.float32)
    steps = {"x_scale": lambda a: a * 0 + 1.0, "y_scale": lambda a: a * 0 + 2.0}
    found = changed(he.quantize_model(model, data), steps).compare(model, data, speed=False)
    # codes 0 1 2 | 2 0 1 | 0 0 2 | 2 2 0: the first largest one moves in the last
    assert (found.outputs[0].same_largest, found.outputs[0].decisions) == (3, 4)
    # errors 2 of 14 | 2 of 14 | 1.13 of 9.13 | 1 of 25
    assert [w.sample for w in found.worst_samples] == [0, 1, 2, 3]


@pytest.mark.parametrize("sizes", [(8,), (3, 5, 9)])
def test_ragged_samples(sizes: tuple[int, ...]) -> None:
    model = build("g (float[N,2,L] x) => (float[N,2,L] y) { y = Abs (x) }")
    rng = np.random.default_rng(0)
    data = [{"x": rng.normal(0, 1, (1, 2, n)).astype(np.float32)} for n in sizes]
    found = he.quantize_model(model, data).compare(model, data, speed=False)
    assert found.rows[0].elements == 2 * sum(sizes)


# --- bad input ---


def test_models_the_wrong_way_round(chain: he.QuantizedModel, tmp_path: Path) -> None:
    chain.save(tmp_path / "q.onnx")
    with pytest.raises(ModelError, match=r"q.onnx: is quantized itself .* the float model comes first"):
        chain.compare(tmp_path / "q.onnx", X)


def test_another_model(chain: he.QuantizedModel) -> None:
    with pytest.raises(ModelError, match="its inputs are image, and those of the quantized model x"):
        chain.compare(small_models.cnn(), X)
    other = build("g (float[N,4] x) => (float[N,4] q) { p = Neg (x) q = Exp (p) }")
    with pytest.raises(ModelError, match=r"has none of the tensors .* such as 'a_quantized'"):
        chain.compare(other, X)


def test_data_of_the_wrong_shape(chain: he.QuantizedModel) -> None:
    with pytest.raises(DataError, match="input 'x'"):
        chain.compare(build(CHAIN), np.zeros((2, 5), np.float32))


def test_a_limit_below_one(chain: he.QuantizedModel) -> None:
    with pytest.raises(ParameterError, match="limit must be at least 1"):
        chain.compare(build(CHAIN), X, limit=0)


def test_nan_from_the_float_model() -> None:
    model = build("g (float[N,2] x) => (float[N,2] y) { s = Sqrt (x) y = Abs (s) }")
    quantized = he.quantize_model(model, np.array([[1, 4]], np.float32))
    with pytest.raises(NotANumberError, match="tensor 's' has 1 NaN"):
        quantized.compare(model, np.array([[1, -4]], np.float32), speed=False)


def test_a_tensor_without_counterpart_is_named() -> None:
    model = build("g (float[N,4] x) => (float[N,4] y) { a = Abs (x) b = Exp (a) y = Neg (b) }")
    quantized = he.quantize_model(model, X / 8)
    renamed = build("g (float[N,4] x) => (float[N,4] y) { a = Abs (x) other = Exp (a) y = Neg (other) }")
    found = quantized.compare(renamed, X / 8, speed=False)
    assert [row.name for row in found.rows] == ["x", "a", "y"]
    assert [str(u) for u in found.unpaired] == [
        "b_quantized: the float model has no float tensor 'b' or 'b_dequantized'"
    ]
    y = by_name(found)["y"]
    assert y.alone_sqnr_db is not None  # b and y together count as one layer
    assert any("Not compared, 1 tensor" in str(s) for s in found.summary)


@pytest.mark.parametrize("tail", ["y = MatMul (a, w)", "m = MatMul (a, w) y = Add (m, b)", "y = Gemm (a, w, b)"])
def test_outputs_straight_from_sums_are_summed_up(tail: str) -> None:
    rng = np.random.default_rng(2)
    arrays = {"w": rng.normal(0, 1, (4, 3)).astype(np.float32), "b": np.ones(3, np.float32)}
    model = build(f"g (float[N,4] x) => (float[N,3] y) {{ a = Relu (x) {tail} }}", **arrays)
    x = rng.normal(0, 1, (6, 4)).astype(np.float32)
    found = he.quantize_model(model, x, boundary={"y": "unquantized"}).compare(model, x, speed=False)
    row = by_name(found)["y"]
    assert row.is_output
    assert (row.operator, row.node) == ("Linear", tail.split(maxsplit=1)[0])  # it is the product's, with its weight
    assert (row.qtype, row.weight_bits, row.macs) == ("float32", 8, 12)
    assert row.weight_sqnr_db is not None
    assert 30 < row.weight_sqnr_db < 80
    (output,) = found.outputs
    assert (output.name, output.sqnr_db, output.decisions) == ("y", row.sqnr_db, 6)
    assert math.isfinite(output.sqnr_db)
    assert {w.sample for w in found.worst_samples} == set(range(6))
    said = [str(s) for s in found.summary]
    assert said[0].startswith(f"Output 'y': SQNR {output.sqnr_db:.1f} dB, the largest score is the same ")
    assert any(s.startswith("Samples whose outputs differ most: ") for s in said)


def test_another_shape_is_named() -> None:
    model = build("g (float[N,4] x) => (float[N,4] y) { a = Abs (x) y = Neg (a) }")
    quantized = he.quantize_model(model, X)
    other = build("g (float[N,4] x) => (float[N,2,2] y) { a = Abs (x) y = Reshape (a, s) }", s=np.array([0, 2, 2]))
    found = quantized.compare(other, X, speed=False)
    assert [row.name for row in found.rows] == ["x", "a"]
    assert str(found.unpaired[0]) == "y_quantized: its shape is [1, 4], and [1, 2, 2] in the float model"


def test_a_constant_output() -> None:
    model = build("g (float[N,4] x) => (float[N,4] y) { z = Mul (x, zero) y = Abs (z) }", zero=np.float32(0))
    found = he.quantize_model(model, X).compare(model, X, speed=False)
    assert by_name(found)["y"].sqnr_db == math.inf
    assert "exact" in str(found)


def test_token_inputs() -> None:
    table = np.random.default_rng(0).normal(0, 1, (10, 4)).astype(np.float32)
    model = build("g (int64[N,3] ids) => (float[N,3,4] y) { e = Gather (table, ids) y = Abs (e) }", table=table)
    data = [{"ids": np.array([[1, 2, 9]])}, {"ids": np.array([[0, 0, 5]])}]
    found = he.quantize_model(model, data).compare(model, data, speed=False)
    assert by_name(found)["y"].sqnr_db > 30


def test_enormous_values(chain: he.QuantizedModel) -> None:
    found = chain.compare(build(CHAIN), np.array([[1e30, -1e30, 1, 2]], np.float32), speed=False)
    assert by_name(found)["x"].clipped == 0.5
    assert "preprocessing mismatch" in str(found)
