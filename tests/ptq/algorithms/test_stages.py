"""The frame: stages and their order, what is reported, what the file says, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import halfeven as he
from halfeven.errors import ModelError, ParameterError
from halfeven.interop import metadata, to_bytes
from halfeven.lower import lower
from halfeven.numerics.profile import JOURNEY6
from halfeven.ptq.algorithms import Algorithm, Change, Error, Refined, Rewritten, Tick, algorithms_of, apply, walk
from halfeven.ptq.algorithms.report import AlgorithmReport
from halfeven.ptq.algorithms.second_order import SecondOrderRounding
from halfeven.ptq.draft import Draft
from halfeven.ptq.keep import Sample
from halfeven.ptq.quantize import plan_quantization, quantize
from halfeven.ptq.weights import Constant

Build = Callable[..., onnx.ModelProto]
GRAPH = "g (float[N,4] x) => (float[N,5] y) { t = Gemm(x, w1, b1)  u = Relu(t)  y = Gemm(u, w2) }"
RNG = np.random.default_rng(7)
ARRAYS = {
    "w1": RNG.normal(size=(4, 6)).astype(np.float32),
    "b1": RNG.normal(size=6).astype(np.float32),
    "w2": RNG.normal(size=(6, 5)).astype(np.float32),
}
X = RNG.normal(size=(24, 4)).astype(np.float32)


@dataclass(frozen=True)
class Scaled:
    """Makes the first weight larger; the function stays where ``back`` makes the second one smaller."""

    name: ClassVar[str] = "scaled"
    factor: float = 2.0
    back: bool = True
    samples: int = 6

    def rewrite(self, model: ir.Model, samples: Sequence[Sample], error: Error) -> Rewritten:
        """Scale."""
        assert len(samples) == self.samples
        assert 0 < error(model) < 0.1
        made = model.clone()
        for name, factor in (("w1", self.factor), ("b1", self.factor), ("w2", 1 / self.factor if self.back else 1)):
            value = made.graph.initializers[name]
            value.const_value = ir.tensor(value.const_value.numpy() * np.float32(factor))
        return Rewritten(made, (Change("t", f"scaled by {self.factor}"),), ("y: nothing behind it",))


@dataclass(frozen=True)
class Down:
    """Rounds weights towards -inf."""

    name: ClassVar[str] = "down"
    samples: int = 3

    def round_weights(self, draft: Draft, samples: Sequence[Sample], tick: Tick) -> Refined:
        """Floor."""
        assert len(samples) == self.samples
        found = {}
        for product, nearest in draft.constants.weights.items():
            scale, _ = nearest.params.expanded(nearest.codes.shape)
            codes = np.clip(np.floor(draft.arrays[product.weight] / scale), -128, 127).astype(np.int8)
            found[product] = Constant(codes, nearest.params)
            tick()
        return Refined(draft.with_weights(found), tuple(Change(p.node, "rounded down") for p in found))


@dataclass(frozen=True)
class Shift:
    """Adds a number to every bias."""

    name: ClassVar[str] = "shift"
    by: float = 1.0
    samples: int = 2

    def correct_biases(self, draft: Draft, samples: Sequence[Sample], tick: Tick) -> Refined:
        """Shift."""
        assert len(samples) == self.samples
        found = {}
        for product in draft.placement.products:
            old = 0 if product.bias is None else draft.arrays[product.bias]
            found[product] = (np.zeros(draft.arrays[product.weight].shape[1]) + old + self.by).astype(np.float32)
            tick()
        return Refined(draft.with_biases(found), tuple(Change(p.node, "shifted") for p in found))


def made(build: Build, *algorithms: Algorithm, **options: Any) -> he.QuantizedModel:
    return he.quantize_model(build(GRAPH, **ARRAYS), X, algorithms=algorithms, **options)


def reports(model: he.QuantizedModel) -> tuple[AlgorithmReport, ...]:
    assert model.ptq is not None
    return model.ptq.algorithms


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step counts as a gain."""
    errors = iter(2.0**-k for k in range(100))
    monkeypatch.setattr(apply, "_error", lambda *_: float(next(errors)))
    monkeypatch.setattr(apply, "ENOUGH", 1.0)  # rewrites that change no error are kept


@pytest.mark.usefixtures("kept")
def test_stages_follow_each_other_whatever_the_order_given(build: Build) -> None:
    model = made(build, Shift(), Down(), Scaled())
    assert [r.name for r in reports(model)] == ["scaled", "down", "shift"]
    said = json.loads(metadata(model._graph)["halfeven.algorithms"])
    assert said == [
        {"name": "scaled", "factor": 2.0, "back": True, "samples": 6},
        {"name": "down", "samples": 3},
        {"name": "shift", "by": 1.0, "samples": 2},
    ]
    scaled, down, shift = reports(model)
    assert str(scaled).startswith("scaled: 1 place changed, 1 left as it was; SQNR at the outputs ")
    assert scaled.before == scaled.after
    assert str(scaled.changes[0]) == "t: scaled by 2.0"
    assert str(down).startswith("down: 2 places changed; SQNR at the outputs ")
    assert str(down).endswith(" on 6 samples held back (it saw 3 others)")
    assert down.after == shift.before


def test_what_brings_samples_held_back_no_nearer_is_undone(build: Build) -> None:
    model = made(build, Shift(), Down())
    assert to_bytes(model._graph) == to_bytes(made(build)._graph)
    for report in reports(model):
        assert report.undone
        assert report.changes == ()
        assert report.left == ("all of it was undone: it is kept only where the outputs come half a decibel nearer",)
        assert report.after > report.before
        assert str(report).startswith(
            f"{report.name}: undone: it is kept only where the outputs come half a decibel nearer; SQNR at the outputs "
        )


def test_what_is_kept_is_no_farther_on_samples_held_back(build: Build) -> None:
    model = he.quantize_model(build(GRAPH, **ARRAYS), X)
    assert [r.name for r in reports(model)] == ["second-order-rounding", "bias-correction"]
    assert all(r.undone or r.after <= 0.9 * r.before for r in reports(model) if r.changes)
    assert all((r.taught, r.judged) == (18, 6) for r in reports(model))
    assert any(r.changes for r in reports(model))


def test_what_cannot_act_says_why_and_the_others_do(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Refined:
        raise ModelError("onnxruntime cannot load the float model: no such operator")

    monkeypatch.setattr(SecondOrderRounding, "round_weights", fails)
    first, second = reports(he.quantize_model(build(GRAPH, **ARRAYS), X))
    assert str(first) == (
        "second-order-rounding: nothing changed: it cannot act on this model: "
        "onnxruntime cannot load the float model: no such operator"
    )
    assert second.taught == 18


def test_no_sample_both_teaches_and_judges() -> None:
    for count, judges in ((4, 1), (7, 1), (8, 2), (96, 24), (1000, 32)):
        taught, judging = apply.held_back([{"x": np.float32(k)} for k in range(count)])
        assert len(judging) == judges
        assert [*taught, *judging] == [{"x": k} for k in range(count)]


@pytest.mark.parametrize("count", [1, 3])
def test_few_samples_change_nothing_and_say_so(build: Build, count: int) -> None:
    plain, model = (he.quantize_model(build(GRAPH, **ARRAYS), X[:count], algorithms=a) for a in ((), None))
    assert to_bytes(plain._graph) == to_bytes(model._graph)
    for report in reports(model):
        assert str(report) == (
            f"{report.name}: nothing changed: 4 or more different samples were expected, one of which judges, "
            f"and there are {count}"
        )


def test_a_network_without_weights(build: Build) -> None:
    model = he.quantize_model(build("g (float[N,4] x) => (float[N,4] y) { t = Relu(x)  y = Add(t, x) }"), X)
    assert [r.left for r in reports(model)] == [("there are no weights with codes",)] * 2


def test_a_walk_takes_as_many_samples_as_memory_allows(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = quantize(build(GRAPH, **ARRAYS), X, algorithms=()).draft
    held = [{"x": x[None]} for x in X]
    assert walk.Walk(draft, ()).live_bytes(held[0]) == 4 * (6 + 5)  # behind the Relu: its input is gone
    monkeypatch.setattr(walk, "MOST_HELD", walk.COPIES * 4 * (6 + 5) * 7)
    assert list(walk.fitting(draft, held)) == held[:7]
    monkeypatch.setattr(walk, "MOST_HELD", 1)
    assert list(walk.fitting(draft, held)) == held[:1]
    assert list(walk.fitting(draft, [])) == []


def test_without_algorithms_the_file_says_nothing(build: Build) -> None:
    model = made(build)
    assert reports(model) == ()
    assert "halfeven.algorithms" not in metadata(model._graph)


def test_the_same_data_give_the_same_bytes(build: Build) -> None:
    first, again = (to_bytes(made(build, Scaled(), Down(), Shift())._graph) for _ in range(2))
    assert first == again


@pytest.mark.usefixtures("kept")
def test_a_rewritten_graph_is_calibrated_as_it_is(build: Build) -> None:
    plain, scaled = (made(build, *a, method="max").ptq for a in ((), (Scaled(factor=4.0),)))
    assert plain is not None
    assert scaled is not None
    u, v = (next(r for r in p.ranges if "u" in r.tensors) for p in (plain, scaled))
    assert v.hi == 4 * u.hi
    assert scaled.equality.equal


def test_a_rewrite_that_gains_nothing_on_samples_held_back_is_undone(build: Build) -> None:
    (report,) = reports(made(build, Scaled()))
    assert report.undone
    assert report.changes == ()
    assert report.left[-1] == apply.NO_NEARER
    assert (report.taught, report.judged) == (6, 6)
    assert report.before is not None
    assert report.after is not None
    assert report.after > report.before * apply.ENOUGH


def test_rewrites_need_samples_to_judge_them(build: Build) -> None:
    model = he.quantize_model(build(GRAPH, **ARRAYS), X[:3], algorithms=[Scaled()])
    (report,) = reports(model)
    assert str(report).startswith("scaled: nothing changed: 4 or more different samples were expected")


def test_a_rewrite_that_changes_the_function_is_undone_and_says_so(build: Build) -> None:
    model = made(build, Scaled(back=False))
    (report,) = reports(model)
    assert report.changes == ()
    assert report.left[-1].startswith("all of it was undone: the rewritten model is DIFFERENT from the original")
    assert str(report).startswith("scaled: undone: the rewritten model is DIFFERENT from the original")
    assert to_bytes(model._graph) != b""
    assert model.ptq is not None
    assert model.ptq.equality.equal


def test_chosen_codes_are_the_files_codes(build: Build) -> None:
    draft = quantize(build(GRAPH, **ARRAYS), X, algorithms=()).draft
    down = Down().round_weights(draft, [{"x": x[None]} for x in X[:3]], lambda: None).draft
    for a, b in zip(*(lower(d.write(), JOURNEY6) for d in (draft, down)), strict=True):
        if hasattr(a, "weight"):
            difference = a.weight.astype(int) - b.weight.astype(int)
            assert set(np.unique(difference)) == {0, 1}
            assert (a.bias == b.bias).all()


@pytest.mark.usefixtures("kept")
def test_a_bias_is_added_where_there_is_none(build: Build) -> None:
    shifted = made(build, Shift(by=0.5))
    (second,) = (i for i in shifted.program if getattr(i, "name", "") == "y")
    x = shifted.ptq.params["u"]
    assert second.bias.tolist() == [round(0.5 / (float(x.scale) * float(s))) for s in scales_of(shifted, "w2")]


def scales_of(model: he.QuantizedModel, weight: str) -> np.ndarray:
    value = next(v for name, v in model._graph.graph.initializers.items() if name == f"{weight}_scale")
    return np.asarray(value.const_value.numpy())


def test_progress_counts_the_products(build: Build) -> None:
    calls: list[tuple[int, int | None]] = []
    made(build, Down(), Shift(), method="max", progress=lambda *c: calls.append(c))
    assert calls == [(k + 1, 24 + 2 * 2) for k in range(24 + 2 * 2)]


class Listener:
    """What is told, part by part."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, list[tuple[int, int | None]]]] = []

    def begin(self, label: str) -> None:
        """Another part."""
        self.parts.append((label, []))

    def __call__(self, done: int, total: int | None) -> None:
        """So much of it."""
        self.parts[-1][1].append((done, total))


def test_a_listener_to_parts_is_told_of_each(build: Build) -> None:
    told = Listener()
    made(build, Down(), Shift(), progress=told)
    counts = {label: [(k + 1, n) for k in range(n)] for label, n in (("calibrating", 24), ("down", 2), ("shift", 2))}
    assert [label for label, _ in told.parts] == [
        *("calibrating", "comparing ranges", "comparing outputs", "down", "comparing outputs", "shift"),
        "comparing outputs",
    ]
    for label, seen in told.parts:
        assert seen == counts.get(label, [(k + 1, len(seen)) for k in range(len(seen))])
        assert seen


def test_parts_whose_things_take_unequally_long_are_counted_in_percent(build: Build) -> None:
    told = Listener()
    made(build, SecondOrderRounding(), progress=told)
    (seen,) = (seen for label, seen in told.parts if label == "second order rounding (%)")
    assert [total for _, total in seen] == [100, 100]
    assert 0 < seen[0][0] < seen[1][0] == 100


def test_a_plan_shows_the_algorithms(build: Build) -> None:
    _, plan = plan_quantization(build(GRAPH, **ARRAYS), algorithms=[Down(), Scaled()])
    assert "algorithms: scaled(factor=2.0, back=True, samples=6), down(samples=3)" in str(plan).splitlines()


def test_options_are_values_of_the_algorithm() -> None:
    assert algorithms_of([replace(Scaled(), factor=3.0)]) == (Scaled(factor=3.0),)
    assert algorithms_of(()) == algorithms_of("none") == algorithms_of(["none"]) == ()
    assert [one.name for one in algorithms_of(None)] == ["second-order-rounding", "bias-correction"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("bias_corection", "no algorithm is named 'bias_corection'"),
        (["up"], "no algorithm is named 'up'"),
        ([Down(), Down(samples=1)], "the algorithm 'down' is given twice"),
        ([Down], "is no algorithm: a name or an instance"),
        (["none", Down()], "the algorithm 'none' stands alone"),
        ([3], "3 is no algorithm"),
    ],
)
def test_what_is_no_algorithm_is_refused(build: Build, asked: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        quantize(build(GRAPH, **ARRAYS), X, algorithms=asked)
