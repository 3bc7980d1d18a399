"""The command line as its users type it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import small_models

import halfeven as he
from halfeven.cli import main
from halfeven.cli.run import read_npz, write_npz

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
def quantized(tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]) -> Path:
    small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    np.savez(tmp_path / "data.npz", image=small_models.images(16))
    status = halfeven("quantize", tmp_path / "cnn.onnx", "--data", tmp_path / "data.npz", "-o", tmp_path / "int8.onnx")
    assert status == 0, capsys.readouterr().err
    capsys.readouterr()
    return tmp_path / "int8.onnx"


def test_quantize_says_what_it_did(tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]) -> None:
    small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    np.savez(tmp_path / "data.npz", image=small_models.images(16))
    output = tmp_path / "int8.onnx"
    assert halfeven("quantize", tmp_path / "cnn.onnx", "--data", tmp_path / "data.npz", "-o", output) == 0
    said = capsys.readouterr().out
    assert "BatchNormalization folded 1" in said
    assert "calibrated on 16 samples, profile journey6" in said
    assert "every node is integer" in said
    onnx.checker.check_model(onnx.load(output), full_check=True)


def test_quantize_warns_of_outputs_far_from_the_float_models(
    tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model, rng = tmp_path / "net.onnx", np.random.default_rng(0)
    net = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[N, 8] x) => (float[N, 4] y) { y = MatMul (x, w) }'
    )
    net.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(0, 1, (8, 4)).astype(np.float32), "w"))
    onnx.save(net, model)
    x = rng.normal(0, 1, (16, 8)).astype(np.float32)
    spoiled = np.concatenate([x, 1e4 * x[:1]])  # one sample that was not preprocessed sets the range
    command = "quantize", model, "-o", tmp_path / "int8.onnx", "--method", "max", "--algorithms"
    for data, algorithms, far in ((x, "none", False), (spoiled[:3], "none", False), (spoiled, "none", True)):
        np.savez(tmp_path / "data.npz", x=data)
        assert halfeven(*command, algorithms, "--data", tmp_path / "data.npz") == 0
        said = capsys.readouterr()
        assert re.search(r"SQNR at the outputs -?\d+\.\d dB on \d samples of the calibration", said.out)
        assert ("far from the float model: are these the data" in said.err) == far
        if far:
            (warning,) = [line for line in said.err.splitlines() if "SQNR" in line]
            assert "'halfeven compare FLOAT.onnx QUANT.onnx --data PATH' names them" in warning


def test_quantize_warns_of_degenerate_ranges_by_name(
    tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    np.savez(tmp_path / "data.npz", image=np.zeros((2, 3, 12, 12), np.float32))
    assert halfeven("quantize", model, "--data", tmp_path / "data.npz", "-o", tmp_path / "int8.onnx") == 0
    assert "halfeven: warning: 'image' (0)" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_to_is_said_before_any_work(
    tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    missing = tmp_path / "nowhere" / "int8.onnx"
    assert halfeven("quantize", model, "--data", tmp_path / "not.npz", "-o", missing) == 2
    assert f"the folder {missing.parent} does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(("floor", "status"), [("1", 0), ("1000", 1)])
def test_a_search_that_does_not_reach_its_aim_is_a_failed_check(
    floor: str, status: int, tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model, output = small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx"), tmp_path / "found.onnx"
    np.savez(tmp_path / "data.npz", image=small_models.images(16))
    data = "--data", tmp_path / "data.npz", "--method", "max"
    assert halfeven("quantize", model, *data, "-o", output, "--min-sqnr", floor) == status
    assert ("was not reached" in capsys.readouterr().out) == bool(status)
    assert output.exists()


def test_run_equals_the_library(tmp_path: Path, quantized: Path, halfeven: Halfeven) -> None:
    x = small_models.images(3, seed=5)
    np.savez(tmp_path / "in.npz", image=x)
    for backend in ("native", "reference", "torch", "onnxruntime"):
        if backend == "torch":
            pytest.importorskip("torch", reason="the torch backend needs PyTorch")
        assert (
            halfeven("run", quantized, "--input", tmp_path / "in.npz", "--output", tmp_path / "y", "--backend", backend)
            == 0
        )
        with np.load(tmp_path / "y") as got:
            np.testing.assert_array_equal(got["score"], he.load(quantized).run({"image": x}, backend=backend)["score"])


def test_run_codes(tmp_path: Path, quantized: Path, halfeven: Halfeven) -> None:
    model = he.load(quantized)
    codes = he.quantize(small_models.images(3, seed=5), model.inputs[0].params)
    np.savez(tmp_path / "in.npz", image=codes)
    assert halfeven("run", quantized, "--input", tmp_path / "in.npz", "--output", tmp_path / "y.npz", "--codes") == 0
    with np.load(tmp_path / "y.npz") as got:
        assert got["score"].dtype == np.int8
        np.testing.assert_array_equal(got["score"], model.run_codes({"image": codes}, backend="reference")["score"])


def test_a_model_of_codes_goes_through_every_command(
    tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx"), tmp_path / "data.npz"
    np.savez(data, image=small_models.images(16))
    made = tmp_path / "codes.onnx"
    assert halfeven("quantize", model, "--data", data, "-o", made, "--boundary", "codes") == 0
    assert not {node.op_type for node in onnx.load(made).graph.node[:1]} & {"QuantizeLinear"}
    assert halfeven("inspect", made) == 0
    assert re.search(r"input +image +N x 3 x 12 x 12 +int8 +0\.0\d+ +0 ", capsys.readouterr().out)
    codes = he.quantize(small_models.images(2), he.load(made).inputs[0].params)
    np.savez(tmp_path / "in.npz", image=codes)
    assert halfeven("run", made, "--input", tmp_path / "in.npz", "--output", tmp_path / "y.npz") == 0
    with np.load(tmp_path / "y.npz") as got:
        assert got["score"].dtype == np.int8
    for samples in (data, tmp_path / "in.npz"):  # values, and codes
        assert halfeven("verify", made, "--data", samples) == 0
    assert halfeven("verify", made) == 0
    assert halfeven("compare", model, made, "--data", data, "--no-speed", "--sensitivity") == 0
    assert halfeven("bench", made, "--seconds", "0.01", "--against", "onnxruntime") == 0
    capsys.readouterr()
    assert halfeven("run", made, "--input", data, "--output", tmp_path / "z.npz") == 2
    assert "'image' takes codes of int8, not float32" in capsys.readouterr().err
    assert not (tmp_path / "z.npz").exists()
    assert halfeven("run", made, "--input", data, "--output", tmp_path / "z.npz", "--float") == 0
    with np.load(tmp_path / "z.npz") as got:
        expected = he.load(made).with_boundary("float").run({"image": small_models.images(16)})["score"]
        np.testing.assert_array_equal(got["score"], expected)
    assert halfeven("run", made, "--input", data, "--output", tmp_path / "z.npz", "--float", "--codes") == 2
    assert "--codes and --float are opposites" in capsys.readouterr().err


def test_a_boundary_by_name(tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx"), tmp_path / "data.npz"
    np.savez(data, image=small_models.images(16))
    command = "quantize", model, "--data", data, "-o", tmp_path / "made.onnx"
    assert halfeven(*command, "--boundary", "image=codes", "--boundary", "score=unquantized") == 0
    ports = he.load(tmp_path / "made.onnx")
    assert (ports.inputs[0].dtype, ports.outputs[0].dtype) == (np.int8, np.float32)
    assert halfeven(*command, "--boundary", "score=float", "--boundary", "image=float") == 0
    assert halfeven("inspect", tmp_path / "made.onnx") == 0
    assert re.search(r"output +score +N x 5 +float32 as int8 ", capsys.readouterr().out)
    assert halfeven(*command, "--boundary", "codes", "--boundary", "score=float") == 2
    assert "--boundary codes is for all: give it alone, or NAME=FORM for each" in capsys.readouterr().err


def test_inspect_shows_sums_with_one_scale_a_channel(
    tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> g (float[N,4] x) => (float[N,3] y) { y = MatMul(x, w) }'
    )
    w = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(w, "w"))
    onnx.save(model, tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(9, 4)).astype(np.float32))
    command = "quantize", tmp_path / "m.onnx", "--data", tmp_path / "x.npy", "-o", tmp_path / "q.onnx"
    assert halfeven(*command, "--boundary", "y=unquantized") == 0
    assert halfeven("inspect", tmp_path / "q.onnx") == 0
    assert re.search(
        r"output +y +N x 3 +float32 as int32 +3 in \[0\.0\d+ \.\. 0\.0\d+\] +0 +-", capsys.readouterr().out
    )


def test_verify_agrees(quantized: Path, tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]) -> None:
    assert halfeven("verify", quantized) == 0
    assert halfeven("verify", quantized, "--data", tmp_path / "data.npz", "--limit", 3) == 0
    assert "3 samples" in capsys.readouterr().out


def test_verify_names_the_output_that_is_not_what_was_expected(
    quantized: Path, tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    x = small_models.images(1)
    np.savez(tmp_path / "one.npz", image=x)
    expected = he.load(quantized).run({"image": x})["score"]
    np.savez(tmp_path / "right.npz", score=expected)
    arguments = "verify", quantized, "--data", tmp_path / "one.npz", "--against"
    assert halfeven(*arguments, tmp_path / "right.npz") == 0
    expected[0, 2] += 1
    np.savez(tmp_path / "wrong.npz", score=expected)
    capsys.readouterr()
    assert halfeven(*arguments, tmp_path / "wrong.npz") == 1
    assert "output 'score': 1 of 5 elements differ" in capsys.readouterr().err


def test_verify_holds_every_sample_against_what_was_expected(
    quantized: Path, tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model = he.load(quantized)
    score = model.run({"image": small_models.images(16)})["score"]
    np.savez(tmp_path / "all.npz", score=score)
    np.savez(tmp_path / "some.npz", score=score[:3])
    score[11, 2] += 1
    np.savez(tmp_path / "wrong.npz", score=score)
    arguments = "verify", quantized, "--data", tmp_path / "data.npz", "--against"
    assert halfeven(*arguments, tmp_path / "all.npz") == 0
    assert "outputs of 16 sample(s): as in" in capsys.readouterr().out
    assert halfeven(*arguments, tmp_path / "wrong.npz") == 1
    assert "first at [11, 2]" in capsys.readouterr().err
    assert halfeven(*arguments, tmp_path / "wrong.npz", "--limit", 11) == 1
    assert "of 11 sample(s) is float32 (11, 5), and float32 (16, 5) in" in capsys.readouterr().err
    assert halfeven(*arguments, tmp_path / "some.npz", "--limit", 3) == 0
    assert halfeven("verify", quantized, "--against", tmp_path / "all.npz") == 2
    assert "give these with --data" in capsys.readouterr().err


def test_work_that_takes_longer_shows_progress(
    quantized: Path,
    tmp_path: Path,
    halfeven: Halfeven,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = "run", quantized, "--input", tmp_path / "data.npz", "--output", tmp_path / "y.npz", "--backend"
    assert halfeven("verify", quantized) == 0
    assert halfeven(*run, "reference") == 0
    assert capsys.readouterr().err == "", "short work needs none"
    monkeypatch.setattr("halfeven.cli.console.SHORT_S", 0.0)
    assert halfeven("verify", quantized, "--data", tmp_path / "data.npz", "--limit", 3) == 0
    said = capsys.readouterr().err.splitlines()
    assert (said[0], said[-1]) == ("verifying: 0 of 3", "verifying: 3 of 3")  # the number is known from the start
    for backend, last in (("reference", "running: 11 of 11"), ("native", "running: 16 of 16")):
        assert halfeven(*run, backend) == 0
        assert last in capsys.readouterr().err


def test_sizes_count_the_data_beside_a_model(
    tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    inside, beside = tmp_path / "inside.onnx", tmp_path / "beside.onnx"
    onnx.save(small_models.cnn(), inside)
    onnx.save(small_models.cnn(), beside, save_as_external_data=True, location="weights.bin", size_threshold=0)
    np.savez(tmp_path / "data.npz", image=small_models.images(4))
    for model in (inside, beside):
        assert halfeven("quantize", model, "--data", tmp_path / "data.npz", "-o", tmp_path / "q.onnx") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " -> " in line and ".onnx" in line]
    sizes = [float(re.search(r"\.onnx ([\d.]+) KiB ->", line)[1]) for line in lines]  # type: ignore[index]
    assert beside.stat().st_size < 1024 * sizes[1] - 1000
    assert abs(sizes[1] - sizes[0]) < 1.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--min-sqnr", "-5"), "--min-sqnr must be a number of decibels, 0 or more, not -5"),
        (("--min-cosine", "2"), "--min-cosine must be a number from 0 to 1"),
        (("--min-cosine", ".9", "--min-sqnr", "30"), "--min-sqnr and --min-cosine are both floors"),
        (("--max-wide", "50"), "--max-wide must be a share from 0 to 1"),
        (("--max-bytes", "0"), "--max-bytes must be a number of bytes"),
        (("--max-wide", ".5", "--time-limit", "-1"), "--time-limit must be a number of seconds"),
    ],
)
def test_a_wrong_search_is_told_in_the_words_of_the_options(
    options: tuple[str, ...], words: str, tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    assert halfeven("quantize", model, "--data", tmp_path / "d.npz", "-o", tmp_path / "q.onnx", *options) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "_" not in said.replace(str(tmp_path), "")


def test_a_missing_shape_names_the_option(
    tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    text = small_models.CNN.replace("float[N, 3, 12, 12]", "float[N, 3, H, W]")
    model = small_models.cnn()
    free = onnx.parser.parse_model(text)
    free.graph.initializer.extend(model.graph.initializer)
    made = he.quantize_model(free, small_models.images(4), method="max")
    made.save(tmp_path / "free.onnx")
    for command in ("bench", "verify"):
        assert halfeven(command, tmp_path / "free.onnx") == 2
        assert "--shape image=" in capsys.readouterr().err
    assert halfeven("verify", tmp_path / "free.onnx", "--shape", "image=1x3x12x12") == 0


@pytest.mark.parametrize("command", ["run", "bench"])
def test_a_thousand_threads_are_refused(
    command: str, quantized: Path, tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    for backend in ("native", "onnxruntime", "torch") if command == "run" else ("",):
        files = ("--input", tmp_path / "data.npz", "--output", tmp_path / "y.npz", "--backend", backend)
        assert halfeven(command, quantized, *(files if command == "run" else ()), "--threads", 1000) == 2
        assert re.search(r"threads must be from 1 to \d+ on this machine of \d+ cores", capsys.readouterr().err)
        assert not (tmp_path / "y.npz").exists()


def test_inspect_shows_layers_and_numbers(
    quantized: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    assert halfeven("inspect", quantized) == 0
    said = capsys.readouterr().out
    assert "Softmax" in said
    assert "|acc| <=" in said
    assert halfeven("inspect", quantized, "--full") == 0
    assert "strides" not in capsys.readouterr().out


def test_profile_of_the_file_is_used_and_can_be_overridden(quantized: Path) -> None:
    assert he.load(quantized).profile.name == "journey6"
    assert he.load(quantized, profile="tflite").profile.name == "tflite"


def test_info(halfeven: Halfeven, capsys: pytest.CaptureFixture[str]) -> None:
    assert halfeven("info") == 0
    said = capsys.readouterr().out
    assert re.search(r"portable +yes +yes", said)
    assert "onnxruntime" in said


def test_float_nodes_are_named_and_refused_under_strict(
    tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_models.saved(small_models.not_integer(), tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(0, 1, (8, 4)).astype(np.float32))
    output = tmp_path / "out.onnx"
    arguments = "quantize", model, "--data", tmp_path / "x.npy", "-o", output
    assert halfeven(*arguments, "--strict") == 2
    complaint = capsys.readouterr().err.strip().splitlines()[-1]
    assert "CumSum" in complaint
    assert not output.exists()
    assert halfeven(*arguments) == 0
    assert "CumSum" in capsys.readouterr().out


def bad_text(folder: Path) -> Path:
    (folder / "notes.onnx").write_text("this is not a model\n")
    return folder / "notes.onnx"


def bad_truncated(folder: Path) -> Path:
    whole = small_models.cnn().SerializeToString()
    (folder / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    return folder / "cut.onnx"


def bad_missing_input(folder: Path) -> Path:
    model = small_models.cnn()
    del model.graph.initializer[0]
    return small_models.saved(model, folder / "missing.onnx")


@pytest.mark.parametrize("make", [bad_text, bad_truncated, bad_missing_input])
def test_bad_models_get_one_line(
    make: Callable[[Path], Path], tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "data.npz", image=small_models.images(4))
    model = make(tmp_path)
    output = tmp_path / "out.onnx"
    output.write_bytes(b"an older result")
    assert halfeven("quantize", model, "--data", tmp_path / "data.npz", "-o", output) == 2
    complaint = capsys.readouterr().err.strip().splitlines()
    assert len(complaint) == 1
    assert str(model) in complaint[0]
    assert output.read_bytes() == b"an older result"
    assert halfeven("inspect", model) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def wrong_shape() -> np.ndarray:
    return small_models.images(4)[:, :2]


def with_nan() -> np.ndarray:
    x = small_models.images(4)
    x[2, 1, 3, 3] = np.nan
    return x


@pytest.mark.parametrize(("make", "word"), [(wrong_shape, "shape"), (with_nan, "NaN")])
def test_bad_data_gets_one_line(
    make: Callable[[], np.ndarray], word: str, tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    np.savez(tmp_path / "data.npz", image=make())
    assert halfeven("quantize", model, "--data", tmp_path / "data.npz", "-o", tmp_path / "out.onnx") == 2
    complaint = [line for line in capsys.readouterr().err.strip().splitlines() if line.startswith("halfeven:")]
    assert len(complaint) == 1
    assert "image" in complaint[0]
    assert word in complaint[0]
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"picture": np.zeros((1, 3, 12, 12), np.float32)}, "'image' is missing"),
        ({"image": np.zeros((1, 3, 12, 13), np.float32)}, "shape"),
        ({"image": np.zeros((1, 3, 12, 12), np.int32)}, "float32"),
        ({"image": np.full((1, 3, 12, 12), np.nan, np.float32)}, "NaN"),
    ],
)
def test_bad_inputs_of_run_get_one_line(
    arrays: dict[str, np.ndarray],
    word: str,
    quantized: Path,
    tmp_path: Path,
    halfeven: Halfeven,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.savez(tmp_path / "in.npz", **arrays)
    assert halfeven("run", quantized, "--input", tmp_path / "in.npz", "--output", tmp_path / "y.npz") == 2
    complaint = capsys.readouterr().err.strip().splitlines()
    assert len(complaint) == 1
    assert word in complaint[0]
    assert not (tmp_path / "y.npz").exists()


def test_an_output_named_file_can_be_written(tmp_path: Path) -> None:
    write_npz(tmp_path / "y.npz", {"file": np.arange(3), "a/b": np.float32(2)})
    assert sorted(read_npz(tmp_path / "y.npz")) == ["a/b", "file"]


def test_verify_refuses_to_compare_nothing(
    quantized: Path, tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "empty.npz")
    for arguments, word in (
        (("--shape", "image=0x3x12x12"), "nothing was compared"),
        (("--shape", "picture=3"), "no input 'picture'"),
        (("--shape", "image=1x3x40x40"), "takes shape"),
        (("--shape", "image=3x32"), "takes shape"),
        (("--shape", "image=-1x3x12x12"), "takes shape"),
        (("--against", tmp_path / "empty.npz", "--data", tmp_path / "data.npz"), "no array 'score'"),
        (("--data", tmp_path / "data.npz", "--shape", "image=1x3x12x12"), "--shape"),
    ):
        assert halfeven("verify", quantized, *arguments) == 2, arguments
        complaint = capsys.readouterr().err.strip().splitlines()
        assert len(complaint) == 1, complaint
        assert word in complaint[0]


def test_the_float_model_is_not_overwritten(
    tmp_path: Path, halfeven: Halfeven, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    before = model.read_bytes()
    np.savez(tmp_path / "data.npz", image=small_models.images(4))
    assert halfeven("quantize", model, "--data", tmp_path / "data.npz", "-o", model) == 2
    assert "is the float model itself" in capsys.readouterr().err
    assert model.read_bytes() == before


def test_devices_are_not_replaced(quantized: Path) -> None:
    with pytest.raises(he.errors.ModelError, match="not a regular file"):
        he.load(quantized).save("/dev/null")
    with pytest.raises(he.errors.ParameterError, match="not a regular file"):
        write_npz(Path("/dev/null"), {"y": np.zeros(1)})


def test_a_single_array_is_no_npz(quantized: Path, tmp_path: Path, halfeven: Halfeven) -> None:
    np.save(tmp_path / "x.npy", small_models.images(1))
    assert halfeven("run", quantized, "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npz") == 2


def test_external_data_works_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    onnx.save(small_models.cnn(), folder / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    monkeypatch.chdir(tmp_path)
    x = small_models.images(4)
    got = he.quantize_model("models/m.onnx", x).run({"image": x})["score"]
    np.testing.assert_array_equal(got, he.quantize_model(small_models.cnn(), x).run({"image": x})["score"])


def test_debug_shows_the_traceback(tmp_path: Path, halfeven: Halfeven) -> None:
    with pytest.raises(he.errors.ModelError):
        halfeven("--debug", "inspect", bad_text(tmp_path))
