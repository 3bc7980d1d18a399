"""What one layer's codes do to the model's outputs: one at a time, and all but one."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import small_models

import halfeven as he
from halfeven.execute.float_part import open_session, run_session
from halfeven.ptq.difference import Difference, Measure
from halfeven.report import page
from halfeven.report.sensitivity import Sensitivity, Trial
from halfeven.report.sensitivity import measure as module

ALL = tuple(Trial)


@pytest.fixture(scope="module")
def model() -> he.QuantizedModel:
    return he.quantize_model(small_models.cnn(), small_models.images(16), method="symmetric")


@pytest.fixture(scope="module")
def found(model: he.QuantizedModel) -> Sensitivity:
    return model.sensitivity(small_models.cnn(), small_models.images(6, seed=3), trials=ALL, limit=4)


def test_layers_that_choose_codes_are_looked_at(found: Sensitivity) -> None:
    operators = {layer.operator for layer in found.layers}
    assert {"Quantize", "Conv", "HardSwish", "Add", "Softmax", "Linear"} <= operators
    assert not operators & {"MaxPool", "Flatten"}, "they hand on the codes that they read"
    assert found.samples == 4
    assert found.planned == len(found.layers)
    assert not found.interrupted


def test_trials_that_a_layer_does_not_have_are_missing(found: Sensitivity) -> None:
    for layer in found.layers:
        assert (Trial.WEIGHT in layer.trials) == (layer.operator in ("Conv", "Linear"))
        assert Trial.ACTIVATION in layer.trials
        assert Trial.WITHOUT in layer.trials


def by_hand(samples: np.ndarray, tensor: str, change: Callable[[np.ndarray], np.ndarray]) -> Difference:
    """The model as it was given, cut at ``tensor``: the first part, the change, the second part."""
    whole = small_models.cnn()
    made = onnx.shape_inference.infer_shapes(whole)
    ends = [v for v in made.graph.value_info if v.name == tensor]
    first, second = onnx.ModelProto(), onnx.ModelProto()
    first.CopyFrom(made)
    second.CopyFrom(made)
    first.graph.output.extend(ends)
    nodes = list(made.graph.node)
    at = next(k for k, node in enumerate(nodes) if tensor in node.output)
    del second.graph.node[:]
    second.graph.node.extend(nodes[at + 1 :])
    del second.graph.input[:]
    second.graph.input.extend(ends)
    total = Difference()
    one, two = open_session(first.SerializeToString()), open_session(second.SerializeToString())
    for x in samples:
        got = run_session(one, {"image": x[None]})
        total += Difference.between(got["score"], run_session(two, {tensor: change(got[tensor])})["score"])
    return total


def test_an_activation_alone_is_what_cutting_the_model_by_hand_gives(
    model: he.QuantizedModel, found: Sensitivity
) -> None:
    samples = small_models.images(6, seed=3)[:4]
    assert model.ptq is not None
    layer = next(x for x in found.layers if x.name == "g")  # everything behind it reads it alone
    params = model.ptq.params["g"]
    expected = by_hand(samples, "g", lambda f: np.asarray(he.fake_quantize(f, params)))
    assert layer.error(Trial.ACTIVATION) == pytest.approx(Measure.SQNR.of(expected), rel=1e-3)
    assert expected.e_energy > 0


def test_a_weight_alone_is_the_float_model_with_the_weight_of_the_codes(found: Sensitivity) -> None:
    changed = small_models.cnn()
    weight = next(t for t in changed.graph.initializer if t.name == "w3")
    values = onnx.numpy_helper.to_array(weight)
    params = he.choose_params(values.min(axis=1), values.max(axis=1), he.int8, axis=0)
    weight.CopyFrom(onnx.numpy_helper.from_array(np.asarray(he.fake_quantize(values, params)), "w3"))
    real, other = (open_session(m.SerializeToString()) for m in (small_models.cnn(), changed))
    expected = Difference()
    for x in small_models.images(6, seed=3)[:4]:
        f, e = (run_session(s, {"image": x[None]})["score"] for s in (real, other))
        expected += Difference.between(f, e)
    layer = next(x for x in found.layers if x.operator == "Linear")
    assert layer.error(Trial.WEIGHT) == pytest.approx(Measure.SQNR.of(expected), rel=1e-3)


def test_the_whole_is_the_integer_program(model: he.QuantizedModel, found: Sensitivity) -> None:
    session = open_session(small_models.cnn().SerializeToString())
    expected = Difference()
    for x in small_models.images(6, seed=3)[:4]:
        f = run_session(session, {"image": x[None]})["score"]
        expected += Difference.between(f, model.run({"image": x[None]}, backend="reference")["score"])
    assert Measure.SQNR.of(found.whole["score"]) == pytest.approx(Measure.SQNR.of(expected), rel=1e-4)


def test_a_spoilt_layer_is_first_and_leaving_it_out_mends_the_model(model: he.QuantizedModel) -> None:
    """16 levels for one tensor: its readers' config asks for what an int8 scale sixteen times as wide does."""
    from defects import changed  # noqa: PLC0415

    broken = changed(model, {"s_scale": lambda scale: scale * 16})
    found = broken.sensitivity(small_models.cnn(), small_models.images(4, seed=3), trials=ALL)
    for trial in (Trial.ACTIVATION, Trial.LAYER, Trial.WITHOUT):
        assert found.ranked(trial)[0].name == "s", trial
    layer = found.ranked()[0]
    assert layer.error(Trial.WITHOUT) < 0.3 * Measure.SQNR.of(found.whole["score"])


def test_equal_runs_give_equal_numbers(model: he.QuantizedModel, found: Sensitivity) -> None:
    again = model.sensitivity(small_models.cnn(), small_models.images(6, seed=3), trials=ALL, limit=4)
    assert again == found


@pytest.mark.parametrize("measure", list(Measure))
def test_ranking_is_by_the_measure(found: Sensitivity, measure: Measure) -> None:
    errors = [layer.error(Trial.LAYER, measure) for layer in found.ranked(Trial.LAYER, measure)]
    assert errors == sorted(errors, reverse=True)
    without = [layer.error(Trial.WITHOUT, measure) for layer in found.ranked(Trial.WITHOUT, measure)]
    assert without == sorted(without)


def test_an_interruption_returns_what_is_done(model: he.QuantizedModel) -> None:
    def stop(done: int, _total: int | None) -> None:
        if done >= 3:
            raise KeyboardInterrupt

    found = model.sensitivity(small_models.cnn(), small_models.images(2), progress=stop)
    assert found.interrupted
    assert 0 < len(found.layers) < found.planned
    assert "interrupted" in str(found)


def test_steps_add_up(model: he.QuantizedModel) -> None:
    seen: list[tuple[int, int | None]] = []
    model.sensitivity(small_models.cnn(), small_models.images(2), trials=ALL, progress=lambda *s: seen.append(s))
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_bad_questions(model: he.QuantizedModel) -> None:
    data = small_models.images(2)
    with pytest.raises(he.errors.ParameterError, match="'nodes'"):
        model.sensitivity(small_models.cnn(), data, trials=["nodes"])
    with pytest.raises(he.errors.ParameterError, match="at least 1"):
        model.sensitivity(small_models.cnn(), data, limit=0)
    with pytest.raises(he.errors.DataError, match="no sample"):
        model.sensitivity(small_models.cnn(), iter(()))


def test_reports_have_it(model: he.QuantizedModel, found: Sensitivity, tmp_path: Path) -> None:
    data = small_models.images(6, seed=3)
    plain = model.compare(small_models.cnn(), data, limit=4, speed=False)
    compared = plain.with_sensitivity(found)
    assert "without" in str(compared)
    assert "without" not in str(plain)
    compared.to_csv(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    layer = next(x for x in found.layers if x.name == "s")
    assert float(rows["s"]["sensitivity_without_sqnr_db"]) == layer.sqnr_db(Trial.WITHOUT)
    assert not rows["p"]["sensitivity_sqnr_db"]
    compared.to_html(tmp_path / "a.html")
    plain.to_html(tmp_path / "b.html")
    html = (tmp_path / "a.html").read_text()
    assert "Sensitivity at the outputs" in html
    assert html.count("data-choose=") == len([x for x in found.layers if Trial.LAYER in x.trials])
    assert html.count('data-kind="') == len(page.columns(compared)) == len(page.COLUMNS) + 1
    assert "Sensitivity at the outputs" not in (tmp_path / "b.html").read_text()


def test_products_without_codes_have_no_weight_trial() -> None:
    quantized = he.quantize_model(
        small_models.not_integer(), np.random.default_rng(0).normal(0, 1, (8, 4)).astype("f4")
    )
    assert any(module.is_quantized(node) for node in quantized._graph.graph if node.op_type == "MatMul")
    found = quantized.sensitivity(small_models.not_integer(), np.ones((1, 4), np.float32), trials=ALL)
    assert found.layers
