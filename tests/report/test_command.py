"""``halfeven compare`` as its users type it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_models

import halfeven as he
from halfeven.cli import main

Halfeven = Callable[..., int]


@pytest.fixture
def halfeven(monkeypatch: pytest.MonkeyPatch) -> Halfeven:
    """Run the command and return its exit status."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr("sys.argv", ["halfeven", *map(str, arguments)])
        try:
            main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``cnn.onnx``, ``int8.onnx`` and ``data.npz``."""
    model = small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    he.quantize_model(model, small_models.images(8)).save(tmp_path / "int8.onnx")
    np.savez(tmp_path / "data.npz", image=small_models.images(6))
    return tmp_path


def test_compare_writes_what_it_is_asked_for(
    folder: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    files = "--html", folder / "r.html", "--csv", folder / "r.csv"
    models = folder / "cnn.onnx", folder / "int8.onnx"
    assert halfeven("compare", *models, "--data", folder / "data.npz", "--limit", 4, *files, "--full") == 0
    said = capsys.readouterr()
    assert f"{folder}/int8.onnx (profile journey6) against {folder}/cnn.onnx, 4 samples" in said.out
    assert "Output 'score'" in said.out
    assert "comparing: 4 of 4" in said.err
    assert (folder / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert len((folder / "r.csv").read_text(encoding="utf-8").splitlines()) == 11


def test_another_profile_is_other_arithmetic(
    folder: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    models = folder / "cnn.onnx", folder / "int8.onnx"
    options = "--data", folder / "data.npz", "--profile", "onnxruntime", "--no-speed"
    assert halfeven("compare", *models, *options) == 0
    said = capsys.readouterr().out
    assert "(profile onnxruntime)" in said
    assert "measured time" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("int8.onnx", "cnn.onnx", "--data", "data.npz"),
            "cnn.onnx: is the float model, and int8.onnx the quantized one",
        ),
        (("int8.onnx", "int8.onnx", "--data", "data.npz"), "int8.onnx: is quantized itself"),
        (("cnn.onnx", "int8.onnx", "--data", "none.npz"), "none.npz: no such file or folder"),
        (("none.onnx", "int8.onnx", "--data", "data.npz"), "none.onnx"),
        (("cnn.onnx", "int8.onnx", "--data", "data.npz", "--html", "no/r.html"), "create it first"),
        (("cnn.onnx", "int8.onnx", "--data", "data.npz", "--profile", "journey7"), "journey7"),
    ],
)
def test_bad_input_is_one_line(
    folder: Path,
    halfeven: Halfeven,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    assert halfeven("compare", *arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("comparing:")]
    assert len(lines) == 1
    assert lines[0].startswith("halfeven: ")
    assert words in lines[0]
    assert sorted(folder.iterdir()) == before


def test_a_wrong_sample_among_many_is_named(
    folder: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "samples").mkdir()
    for k, image in enumerate(small_models.images(5)):
        np.save(folder / "samples" / f"{k}.npy", image if k != 3 else image[:, :4])
    models = folder / "cnn.onnx", folder / "int8.onnx"
    assert halfeven("compare", *models, "--data", folder / "samples", "--csv", folder / "r.csv") == 2
    assert "3.npy" in capsys.readouterr().err
    assert not (folder / "r.csv").exists()


def test_an_interruption_leaves_nothing(folder: Path, halfeven: Halfeven, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("halfeven.report.compare.layer_sums", stop)
    before = sorted(folder.iterdir())
    models = folder / "cnn.onnx", folder / "int8.onnx"
    assert halfeven("compare", *models, "--data", folder / "data.npz", "--html", folder / "r.html") == 130
    assert sorted(folder.iterdir()) == before
