"""How the command line behaves when it is called wrongly, interrupted, or shown in a small window."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import onnx
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


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A folder with a float model, its data, and the model quantized from it."""
    model = small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    np.savez(tmp_path / "data.npz", image=small_models.images(4))
    api.quantize_model(model, tmp_path / "data.npz", method="max").save(tmp_path / "q.onnx")
    return tmp_path


OVERWRITING = {
    "the model by its outputs": ("run", "q.onnx", "--input", "data.npz", "-o", "q.onnx"),
    "the inputs by the outputs": ("run", "q.onnx", "--input", "data.npz", "-o", "./data.npz"),
    "the float model": ("quantize", "cnn.onnx", "--data", "data.npz", "-o", "cnn.onnx"),
    "the data": ("quantize", "cnn.onnx", "--data", "data.npz", "-o", "data.npz"),
    "the data, by a link": ("quantize", "cnn.onnx", "--data", "data.npz", "-o", "link"),
    "a model by a report": ("compare", "cnn.onnx", "q.onnx", "--data", "data.npz", "--html", "q.onnx"),
    "one report by the other": ("compare", "cnn.onnx", "q.onnx", "--data", "data.npz", "--html", "r", "--csv", "r"),
}


@pytest.mark.parametrize("arguments", OVERWRITING.values(), ids=OVERWRITING.keys())
def test_nothing_takes_the_place_of_what_it_is_made_from(
    arguments: tuple[str, ...],
    good: Path,
    halfeven: Halfeven,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(good)
    (good / "link").symlink_to(good / "data.npz")
    before = {path.name: path.read_bytes() for path in good.iterdir()}
    assert halfeven(*arguments) == 2
    assert "name another file for the result" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in good.iterdir()} == before


def test_a_folder_that_cannot_be_written_to_is_named_before_any_work(
    good: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def access(path: object, mode: int) -> bool:
        return mode != os.W_OK or Path(str(path)) != good / "locked"

    monkeypatch.setattr(os, "access", access)  # tests may run as root, who may write anywhere
    (good / "locked").mkdir()
    model, data, out = good / "cnn.onnx", good / "data.npz", good / "locked" / "out"
    for arguments in (
        ("quantize", model, "--data", data, "-o", out),
        ("run", good / "q.onnx", "--input", data, "-o", out),
        ("compare", model, good / "q.onnx", "--data", data, "--csv", out),
    ):
        assert halfeven(*arguments) == 2
        assert (
            capsys.readouterr().err == f"halfeven: {out}: the folder {out.parent} is read-only: name a file elsewhere\n"
        )


def test_swapped_models_are_told_apart(good: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]) -> None:
    assert halfeven("compare", good / "q.onnx", good / "cnn.onnx", "--data", good / "data.npz") == 2
    assert "name the float model first" in capsys.readouterr().err
    assert halfeven("compare", good / "cnn.onnx", good / "cnn.onnx", "--data", good / "data.npz") == 2
    assert "no QuantizeLinear or DequantizeLinear in it" in capsys.readouterr().err


def test_names_that_look_like_markup_are_only_names(
    tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_models.cnn()
    for value in (model.graph.input[0], model.graph.output[0]):
        value.name = f"{value.name}[red]:smile:[/]"
    model.graph.node[0].input[0], model.graph.node[-1].output[0] = model.graph.input[0].name, model.graph.output[0].name
    path = small_models.saved(model, tmp_path / "[b]net[dim].onnx")
    np.save(tmp_path / "x.npy", small_models.images(4))
    out = tmp_path / "q[red].onnx"
    assert halfeven("quantize", path, "--data", tmp_path / "x.npy", "-o", out) == 0
    assert "[b]net[dim].onnx" in capsys.readouterr().out
    for command in ("inspect", "verify", "bench"):
        assert halfeven(command, out, *(("--seconds", "0.01") if command == "bench" else ())) == 0
        said = capsys.readouterr().out
        assert command == "verify" or "image[red]:smile:[/]" in said


def test_results_have_the_permissions_of_ordinary_files(good: Path, halfeven: Halfeven) -> None:
    old = os.umask(0o022)
    try:
        files = ("--input", good / "data.npz", "-o", good / "y.npz")
        assert halfeven("run", good / "q.onnx", *files) == 0
        assert (good / "y.npz").stat().st_mode & 0o777 == 0o644
        (good / "y.npz").chmod(0o600)
        assert halfeven("run", good / "q.onnx", *files) == 0
        assert (good / "y.npz").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(old)


def test_a_float_model_with_infinite_weights_can_be_held_against(good: Path, halfeven: Halfeven) -> None:
    broken = small_models.cnn()
    weight = next(t for t in broken.graph.initializer if t.name == "w3")
    array = onnx.numpy_helper.to_array(weight).copy()
    array[0, 0] = np.inf
    weight.CopyFrom(onnx.numpy_helper.from_array(array, "w3"))
    path = small_models.saved(broken, good / "inf.onnx")
    assert halfeven("compare", path, good / "q.onnx", "--data", good / "data.npz", "--no-speed") in (0, 2)


WRONG_WORDS = {
    "a boundary without its name": (("--boundary", "=codes"), "a name is missing before '='"),
    "a boundary given twice": (
        ("--boundary", "score=codes", "--boundary", "score=float"),
        "--boundary names 'score' twice, as codes and float: keep one of them",
    ),
    "a configuration that is not there": (
        ("--config", "nope.json"),
        "nope.json: no such file: a quant_config.json was expected, check the path",
    ),
    "a boundary of no port": (("--boundary", "imag=codes"), "no input or output 'imag': 'image' is near it"),
    "a type of activations": (("--activations", "int9"), "activations can be int8, uint8, int16 or uint16, not int9"),
    "a type of weights": (("--weights", "float16"), "weights can be int4, int8 or int16, not float16"),
}


@pytest.mark.parametrize(("options", "words"), WRONG_WORDS.values(), ids=WRONG_WORDS.keys())
def test_a_wrong_word_is_answered_with_the_right_ones(
    options: tuple[str, ...], words: str, good: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    files = (good / "cnn.onnx", "--data", good / "data.npz", "-o", good / "new.onnx")
    assert halfeven("quantize", *files, *options) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (good / "new.onnx").exists()


ENVIRONMENTS = {
    "no threads": ("HALFEVEN_NUM_THREADS", "0", "HALFEVEN_NUM_THREADS is '0', expected a positive integer"),
    "threads in words": ("HALFEVEN_NUM_THREADS", "many", "HALFEVEN_NUM_THREADS is 'many', expected a positive integer"),
    "an unknown set": ("HALFEVEN_ISA", "sse", "HALFEVEN_ISA is 'sse', expected one of"),
}


@pytest.mark.parametrize(("name", "value", "words"), ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_an_environment_that_cannot_be_is_one_line(name: str, value: str, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "halfeven", "info"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"halfeven: {words}")
    assert done.stderr.count("\n") == 1


def test_more_threads_in_the_environment_than_the_machine_can_use_are_cut(good: Path) -> None:
    command = [sys.executable, "-m", "halfeven", "run", good / "q.onnx", "--input", good / "data.npz"]
    for value in ("1000", "2"):
        done = subprocess.run(
            [*command, "-o", good / f"{value}.npz"],
            env={**os.environ, "HALFEVEN_NUM_THREADS": value},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
    np.testing.assert_array_equal(np.load(good / "1000.npz")["score"], np.load(good / "2.npz")["score"])


def test_one_sample_is_called_one(good: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(good / "one.npz", image=small_models.images(1))
    assert halfeven("quantize", good / "cnn.onnx", "--data", good / "one.npz", "-o", good / "new.onnx") == 0
    said = capsys.readouterr().out
    assert "equal to the original on 1 sample: " in said
    assert "calibrated on 1 sample, profile" in said
    assert halfeven("verify", good / "q.onnx", "--data", good / "one.npz") == 0
    assert "native, torch, native (whole runs) against the reference: 1 sample, " in capsys.readouterr().out


def test_a_weight_group_without_int4_is_refused_in_words_of_the_command(
    good: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ("quantize", good / "cnn.onnx", "--data", good / "data.npz", "-o", good / "new.onnx", "--weight-group", "32")
    assert halfeven(*call) == 2
    assert capsys.readouterr().err == "halfeven: --weight-group 32 is for int4 weights: give --weights int4 too\n"
    assert not (good / "new.onnx").exists()
