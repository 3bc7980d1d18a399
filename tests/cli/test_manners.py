"""How the command line behaves when it is called wrongly, interrupted, or shown in a small window."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import small_models

from halfeven import api
from halfeven.cli import inspect, main
from halfeven.cli.commands import SHORT_HELP

Halfeven = Callable[..., int]


@pytest.fixture
def halfeven(monkeypatch: pytest.MonkeyPatch) -> Halfeven:
    """Run the command and return its exit status."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr("sys.argv", ["halfeven", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0)

    return run


WRONG_CALLS = {
    "unknown option": (("quantize", "--nope"), "--nope", "halfeven quantize --help"),
    "unknown command": (("quantise",), "quantise", "halfeven --help"),
    "missing argument": (("compare", "a.onnx"), "QUANT.onnx", "halfeven compare --help"),
    "value out of range": (("verify", "a.onnx", "--limit", "0"), "--limit", "halfeven verify --help"),
    "empty path": (("quantize", "a.onnx", "--data", "", "-o", "b.onnx"), "empty path", "halfeven quantize --help"),
    "value of another kind": (("verify", "a.onnx", "--limit", "x"), "--limit", "halfeven verify --help"),
}


@pytest.mark.parametrize(("arguments", "named", "hint"), WRONG_CALLS.values(), ids=WRONG_CALLS.keys())
def test_a_wrong_call_is_one_line(
    arguments: tuple[str, ...], named: str, hint: str, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    assert halfeven(*arguments) == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.count("\n") == 1
    assert named in said.err
    assert hint in said.err


def test_help_lists_the_commands_and_each_has_one(halfeven: Halfeven, capsys: pytest.CaptureFixture[str]) -> None:
    assert halfeven("--help") == 0
    listed = capsys.readouterr().out
    for name, short in SHORT_HELP.items():
        assert f"{name} " in listed
        assert short in listed, "cut short"
        assert import_module(f"halfeven.cli.{name}").command.__doc__
        assert halfeven(name, "--help") == 0
        assert f"halfeven {name}" in capsys.readouterr().out


def test_without_a_command_there_is_help_and_nothing_done(
    halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    assert halfeven() == 2
    assert "Commands:" in capsys.readouterr().out


def test_help_and_info_load_no_model_library() -> None:
    run_and_list = "try: main()\nexcept SystemExit: print(*sys.modules, file=sys.stderr)"
    program = f"import sys; from halfeven.cli import main\n{run_and_list}"
    for command in ("--help", "info"):
        run = subprocess.run([sys.executable, "-c", program, command], capture_output=True, text=True, check=True)
        loaded = set(run.stderr.split())
        assert "halfeven" in loaded
        assert not loaded & {"onnx", "onnx_ir", "onnxruntime", "torch", "sympy"}


def test_interrupted_says_so_and_writes_nothing(
    tmp_path: Path, halfeven: Halfeven, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "quantize_model", stop)
    output = tmp_path / "int8.onnx"
    assert halfeven("quantize", tmp_path / "m.onnx", "--data", tmp_path / "d.npz", "-o", output) == 130
    assert capsys.readouterr().err == "halfeven: interrupted: nothing was written\n"
    assert not output.exists()


def test_interrupted_where_nothing_is_written(
    halfeven: Halfeven, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "load", stop)
    assert halfeven("inspect", "m.onnx") == 130
    assert capsys.readouterr().err == "halfeven: interrupted\n"


def test_inspect_fits_a_narrow_terminal(
    halfeven: Halfeven, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    np.savez(tmp_path / "data.npz", image=small_models.images(4))
    written = tmp_path / "int8.onnx"
    assert halfeven("quantize", tmp_path / "cnn.onnx", "--data", tmp_path / "data.npz", "-o", written) == 0
    capsys.readouterr()
    assert halfeven("inspect", written) == 0
    wide = capsys.readouterr().out
    monkeypatch.setattr(inspect, "TABLE_WIDTH", 1000)
    assert halfeven("inspect", written) == 0
    narrow = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in narrow[1:]), "the first line is a path"
    shown = " ".join(" ".join(narrow).split())
    for word in ("|acc| <=", "reads image_quantized", "zero point 0", "multiplier"):
        assert word in shown
    assert "|acc| <=" in wide
