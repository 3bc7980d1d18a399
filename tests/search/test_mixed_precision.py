"""Mixed precision: the fewest bits that do, the best that limits allow, and always some model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import small_models

import halfeven as he
from halfeven import search as module
from halfeven.execute.float_part import open_session, run_session
from halfeven.interop import to_bytes
from halfeven.ptq.difference import Difference, Measure
from halfeven.search import Judged, MixedPrecision
from halfeven.search.finish import Finish, Finished
from halfeven.search.run import _Search

DATA = small_models.images(24)
FLOOR_DB = 44.0
PLAIN: dict[str, Any] = {"method": "max", "algorithms": ()}


def quantized(settings: MixedPrecision, **options: Any) -> he.QuantizedModel:
    return he.quantize_model(small_models.cnn(), DATA, search=settings, **{**PLAIN, **options})


@pytest.fixture(scope="module")
def found() -> he.QuantizedModel:
    return quantized(MixedPrecision(min_sqnr_db=FLOOR_DB))


def sqnr_db(model: he.QuantizedModel, data: np.ndarray) -> float:
    session, total = open_session(small_models.cnn().SerializeToString()), Difference()
    for x in data:
        f = run_session(session, {"image": x[None]})["score"]
        total += Difference.between(f, model.run({"image": x[None]}, backend="reference")["score"])
    return float(-10 * np.log10(Measure.SQNR.of(total)))


def same_file(a: he.QuantizedModel, b: he.QuantizedModel) -> bool:
    return to_bytes(a._graph) == to_bytes(b._graph)


def test_the_floor_is_reached_with_less_than_everything(found: he.QuantizedModel) -> None:
    result = found.search
    assert result is not None
    assert result.reached
    assert 0 < len(result.best.wide) < result.knobs
    assert result.narrowest.error > 10 ** (-FLOOR_DB / 10), "else there is nothing to search"
    assert sqnr_db(found, DATA) > FLOOR_DB - 1.5  # judged on a part of the same samples
    widths = {t.params.qtype.bits for t in found.program.tensors.values() if t.params is not None}
    assert widths == {8, 16}


def test_no_knob_of_the_result_can_be_turned_back(found: he.QuantizedModel) -> None:
    result = found.search
    assert result is not None
    by_knobs = {j.wide: j for j in result.judged}
    for knob in result.best.wide:
        fewer = by_knobs.get(result.best.wide - {knob})
        assert fewer is not None, "every single one was tried"
        assert fewer.error > 10 ** (-FLOOR_DB / 10)


def test_the_configuration_gives_the_same_file(found: he.QuantizedModel, tmp_path: Path) -> None:
    assert found.search is not None
    found.search.save_config(tmp_path / "found.json")
    again = he.quantize_model(small_models.cnn(), DATA, config=tmp_path / "found.json", **PLAIN)
    assert same_file(found, again)
    assert set(json.loads((tmp_path / "found.json").read_text())) == {"node_config"}


def test_equal_searches_find_the_same(found: he.QuantizedModel) -> None:
    assert same_file(found, quantized(MixedPrecision(min_sqnr_db=FLOOR_DB)))


def test_four_bit_weights_under_a_size(tmp_path: Path) -> None:
    smallest = he.quantize_model(small_models.cnn(), DATA, method="max", weights="int4", algorithms=())
    size = len(to_bytes(smallest._graph))
    limit = size + 100
    model = quantized(MixedPrecision(max_bytes=limit, max_wide=0.0), weights="int4", algorithms=())
    assert model.search is not None
    assert model.search.narrowest.size_bytes == size
    assert size < model.search.best.size_bytes <= limit
    assert model.search.best.wide_share == 0
    assert model.search.best.error < model.search.narrowest.error
    model.search.save_config(tmp_path / "found.json")
    assert '"int4"' in (tmp_path / "found.json").read_text()
    for beside in ({}, {"weights": "int4"}, {"weights": "int16"}):  # the file says all
        again = he.quantize_model(
            small_models.cnn(), DATA, method="max", config=tmp_path / "found.json", algorithms=(), **beside
        )
        assert same_file(model, again)


def test_a_configuration_of_eight_bit_weights_says_so(found: he.QuantizedModel) -> None:
    assert found.search is not None
    again = he.quantize_model(small_models.cnn(), DATA, weights="int4", config=found.search.config, **PLAIN)
    assert same_file(found, again)


@pytest.mark.parametrize("algorithm", ["bias-correction", "second-order-rounding"])
def test_a_size_holds_for_the_file_after_its_algorithms(algorithm: str, tmp_path: Path) -> None:
    smallest = he.quantize_model(small_models.cnn(), DATA, method="max", weights="int4", algorithms=[algorithm])
    limit = len(to_bytes(smallest._graph)) + 900
    model = quantized(MixedPrecision(max_bytes=limit, max_wide=0.0), weights="int4", algorithms=[algorithm])
    assert model.search is not None
    assert model.search.best.wide
    assert model.search.best.size_bytes == len(to_bytes(model._graph)) <= limit
    model.save(tmp_path / "found.onnx")
    assert (tmp_path / "found.onnx").stat().st_size == model.search.best.size_bytes
    assert model.search.reached


def test_a_size_below_the_smallest_model_is_not_reached() -> None:
    result = quantized(MixedPrecision(max_bytes=100), algorithms=()).search
    assert result is not None
    assert not result.reached
    assert result.best == result.narrowest


def test_a_share_of_the_operations_is_kept() -> None:
    errors = []
    for most in (0.0, 0.1, 0.5, 1.0):
        result = quantized(MixedPrecision(max_wide=most)).search
        assert result is not None
        assert result.best.wide_share <= most
        errors.append(result.best.error)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1 * errors[0]


def test_a_floor_out_of_reach_says_so_and_gives_the_nearest() -> None:
    result = quantized(MixedPrecision(min_sqnr_db=300)).search
    assert result is not None
    assert result.reached is False
    assert "not reached" in str(result)
    assert result.best.error == min(j.error for j in result.judged)


def test_a_floor_that_int8_has_needs_no_search() -> None:
    result = quantized(MixedPrecision(min_sqnr_db=1)).search
    assert result is not None
    assert result.reached
    assert not result.best.wide
    assert len(result.judged) == 1
    assert result.config == {"node_config": {node: {"input1": "int8"} for node in ("c1", "c2", "d")}}


def test_what_a_configuration_says_stays() -> None:
    config = {"op_config": {"Conv": {"qtype": "int8"}}, "node_config": {}}
    plain = quantized(MixedPrecision(max_wide=1.0), config=config)
    assert plain.search is not None
    conv = {i.name for i in plain.program if type(i).__name__ == "Conv"}
    assert conv
    assert plain.search.config["op_config"] == config["op_config"]
    for instruction in plain.program:
        if instruction.name in conv:
            assert plain.program.tensors[instruction.x].params.qtype is he.int8
    assert plain.search.best.wide


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interruption_leaves_the_best_so_far(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def stop(_self: Any, count: int) -> None:
        calls.append(count)
        if count >= after:
            raise KeyboardInterrupt

    monkeypatch.setattr(_Search, "_tick", stop)
    model = quantized(MixedPrecision(min_sqnr_db=FLOOR_DB))
    assert model.search is not None
    assert model.search.interrupted
    assert "interrupted" in str(model.search)
    assert len(calls) == after + 1
    again = he.quantize_model(small_models.cnn(), DATA, config=model.search.config, **PLAIN)
    assert same_file(model, again)


def test_an_end_in_time_leaves_the_best_so_far() -> None:
    model = quantized(MixedPrecision(min_sqnr_db=FLOOR_DB, seconds=0))
    assert model.search is not None
    assert "time" in model.search.ended
    assert model.search.best == model.search.narrowest
    assert same_file(model, he.quantize_model(small_models.cnn(), DATA, config={}, **PLAIN))


def floor_between(narrow_db: float, refined_db: float) -> MixedPrecision:
    assert refined_db > narrow_db + 1, "else there is nothing to see"
    return MixedPrecision(min_sqnr_db=(narrow_db + refined_db) / 2)


def level(judged: Any) -> float:
    return float(-10 * np.log10(judged.error))


@pytest.fixture(scope="module")
def refined() -> he.QuantizedModel:
    return quantized(MixedPrecision(min_sqnr_db=0), algorithms=None)


def test_what_algorithms_reach_needs_no_more_bits(refined: he.QuantizedModel) -> None:
    assert refined.search is not None
    before, after = level(refined.search.narrowest), level(refined.search.best)
    model = quantized(floor_between(before, after), algorithms=None)
    assert model.search is not None
    assert model.search.reached
    assert not model.search.best.wide
    assert model.search.best.error < 10 ** (-(before + after) / 20) < model.search.candidate.error
    assert "before accuracy algorithms" in str(model.search)
    again = he.quantize_model(small_models.cnn(), DATA, method="max", config=model.search.config)
    assert same_file(model, again)


def test_what_algorithms_gain_saves_bits_above_their_reach_too(refined: he.QuantizedModel) -> None:
    assert refined.search is not None
    floor = level(refined.search.best) + 3.5
    model, without = (quantized(MixedPrecision(min_sqnr_db=floor), algorithms=a) for a in (None, ()))
    result, plain = model.search, without.search
    assert result is not None
    assert plain is not None
    assert result.reached
    assert plain.reached
    assert level(result.candidate) < floor <= level(result.best)
    assert 0 < result.best.wide_share < plain.best.wide_share
    assert "with accuracy algorithms these bits are enough" in str(result)
    again = he.quantize_model(small_models.cnn(), DATA, method="max", config=result.config)
    assert same_file(model, again)


def test_where_algorithms_gain_less_than_expected_the_floor_is_reached_without(
    refined: he.QuantizedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was gained on the narrowest model was luck: other models have nothing from their algorithms."""
    finished = Finish.__call__

    def unlucky(self: Finish, candidate: Judged) -> Finished:
        made = finished(self, candidate)
        return made if not candidate.wide else replace(made, judged=replace(made.judged, error=candidate.error))

    monkeypatch.setattr(Finish, "__call__", unlucky)
    assert refined.search is not None
    floor = level(refined.search.best) + 3.5
    result = quantized(MixedPrecision(min_sqnr_db=floor), algorithms=None).search
    assert result is not None
    assert result.reached
    assert floor <= level(result.candidate)


def test_an_interruption_between_algorithms_leaves_the_best_so_far(
    refined: he.QuantizedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = Finish.__call__

    def stopped(self: Finish, candidate: Judged) -> Finished:
        made = finished(self, candidate)
        return replace(made, interrupted=True) if candidate.wide else made

    monkeypatch.setattr(Finish, "__call__", stopped)
    assert refined.search is not None
    model = quantized(MixedPrecision(min_sqnr_db=level(refined.search.best) + 3.5), algorithms=None)
    assert model.search is not None
    assert model.search.interrupted
    assert "it was interrupted: the best model so far is taken" in str(model.search)


def test_algorithms_that_are_stopped_leave_the_model_without_them(
    refined: he.QuantizedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Finish, "_tick", stop)
    model = quantized(MixedPrecision(min_sqnr_db=300), algorithms=None)
    assert model.search is not None
    assert model.search.interrupted
    assert "interrupted" in str(model.search)
    assert model.search.best == model.search.candidate
    plain = he.quantize_model(small_models.cnn(), DATA, config=model.search.config, **PLAIN)
    assert same_file(model, plain)
    assert not same_file(model, refined)


def test_both_outputs_count() -> None:
    net = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
      net (float[N, 8] x) => (float[N, 8] a, float[N, 8] b) { h = Relu(x)  a = MatMul(h, w)  b = MatMul(x, v) }""")
    rng = np.random.default_rng(0)
    for name in "wv":
        net.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(0, 1, (8, 8)).astype("f4"), name))
    data = rng.normal(0, 1, (16, 8)).astype("f4")
    model = he.quantize_model(net, data, method="max", search=MixedPrecision(min_sqnr_db=50))
    assert model.search is not None
    assert model.search.reached
    again = he.quantize_model(net, data, method="max", config=model.search.config)
    assert same_file(model, again)
    assert {p.params.qtype for p in model.outputs} == {he.int16}


BAD: dict[str, dict[str, Any]] = {
    "nothing asked for": {},
    "two floors": {"min_sqnr_db": 30, "min_cosine": 0.9},
    "a cosine above 1": {"min_cosine": 1.5},
    "a share in percent": {"max_wide": 20},
    "a text": {"min_sqnr_db": "30"},
    "no samples": {"min_sqnr_db": 30, "samples": 0},
    "more error than signal": {"min_sqnr_db": -5},
    "NaN": {"min_sqnr_db": float("nan")},
}


@pytest.mark.parametrize("settings", BAD.values(), ids=BAD.keys())
def test_settings_that_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(he.errors.ParameterError):
        MixedPrecision(**settings)


@pytest.mark.parametrize("options", [{"activations": "int16"}, {"activations": "uint8"}, {"weights": "int16"}])
def test_types_that_leave_nothing_to_choose(options: dict[str, Any]) -> None:
    with pytest.raises(he.errors.ParameterError, match="mixed precision"):
        quantized(MixedPrecision(min_sqnr_db=30), **options)


def test_a_search_of_ranges_for_the_whole_model_is_refused() -> None:
    with pytest.raises(he.errors.ParameterError, match="modelwise_search"):
        he.quantize_model(
            small_models.cnn(),
            DATA,
            config={"model_config": {"modelwise_search": {}}},
            search=module.MixedPrecision(max_wide=0.5),
        )
