"""What a benchmark states is so: all layers, all multiply-accumulates; peers that are missing are named."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from small_models import cnn, images, not_integer
from typer.testing import CliRunner

import halfeven
from halfeven import _native
from halfeven.cli import app
from halfeven.errors import DataError, ParameterError, ResourceError, UnavailableError
from halfeven.interop.unsigned import unsigned_activations
from halfeven.report.bench.peers import open_peers
from halfeven.report.bench.text import batch_rows, engine_rows, layer_rows, refusal_lines, summary_lines
from halfeven.report.bench.timing import LEAST_ROUNDS, interleaved


@pytest.fixture(scope="module")
def model() -> halfeven.QuantizedModel:
    return halfeven.quantize_model(cnn(), {"image": images(4)})


def test_layers_are_those_of_the_program(model: halfeven.QuantizedModel) -> None:
    found = model.bench(threads=1, against=["onnxruntime"], seconds=0)
    conv = 6 * 6 * 8 * 27 + 6 * 6 * 8 * 9  # 3x3, then depthwise 3x3
    assert found.macs == conv + 8 * 5
    assert {layer.name for layer in found.layers if layer.macs} == {"c1", "c2", "d"}
    assert all(layer.seconds is not None and layer.seconds > 0 for layer in found.layers)
    assert found.isa == _native.active_isa()
    assert found.footprint.total == found.footprint.weights + found.footprint.arena + found.footprint.tables
    assert min(found.footprint.weights, found.footprint.arena, found.footprint.tables) > 0
    assert set(found.times) == {"halfeven", "onnxruntime", "onnxruntime, unsigned activations"}
    assert found.ratio("halfeven") == 1
    assert len(engine_rows(found)) == 3
    assert len(layer_rows(found, 2)) == 2
    assert "of this machine's integer peak" in summary_lines(found)[1]


def test_parts_outside_the_engine_are_shown() -> None:
    x = np.random.default_rng(0).normal(0, 1, (8, 4)).astype(np.float32)
    found = halfeven.quantize_model(not_integer(), {"x": x}).bench(threads=1, seconds=0)
    assert [layer.name for layer in found.layers if layer.seconds is None]
    assert any(row[2] == "outside the engine" for row in layer_rows(found, 99))


def test_rounds_go_on_until_the_budget_is_spent_and_take_turns() -> None:
    turns: list[str] = []
    runs = {name: lambda name=name: turns.append(name) or time.sleep(0.02) for name in "ab"}
    times = interleaved(runs, 0)
    assert {len(t.rounds_s) for t in times.values()} == {LEAST_ROUNDS}
    assert all(t.best_s <= t.median_s for t in times.values())
    assert re.fullmatch("ab" + "(a+b+)" * LEAST_ROUNDS, "".join(turns))


def test_unsigned_activations_mean_the_same(model: halfeven.QuantizedModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m.onnx")
    signed = onnx.load(tmp_path / "m.onnx")
    unsigned = unsigned_activations(signed)
    assert unsigned is not None
    onnx.checker.check_model(unsigned)
    used = {name for node in unsigned.graph.node if node.op_type == "QuantizeLinear" for name in node.input[2:]}
    types = {t.name: numpy_helper.to_array(t).dtype for t in unsigned.graph.initializer}
    assert {types[name] for name in used} == {np.dtype(np.uint8)}
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    feeds = {"image": images(3, seed=9)}
    a, b = (
        ort.InferenceSession(m.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, feeds)[0]
        for m in (signed, unsigned)
    )
    np.testing.assert_array_equal(a, b)
    assert unsigned_activations(unsigned) is None


def test_shapes_of_free_sizes_must_be_given() -> None:
    net = cnn()
    for k in (2, 3):
        net.graph.input[0].type.tensor_type.shape.dim[k].dim_param = f"S{k}"
    model = halfeven.quantize_model(net, {"image": images(4)})
    with pytest.raises(ParameterError, match=r"input 'image' has free sizes .*image=1x3x224x224"):
        model.bench(seconds=0)
    found = model.bench(shapes={"image": (2, 3, 20, 16)}, seconds=0)
    assert found.shapes == {"image": (2, 3, 20, 16)}
    assert found.samples == 2
    with pytest.raises(ParameterError, match="there is no input 'picture': inputs are image"):
        model.bench(shapes={"picture": (1, 3, 8, 8)})
    with pytest.raises(DataError, match="takes shape"):
        model.bench(shapes={"image": (1, 4, 20, 16)})
    with pytest.raises(ParameterError, match=r"input 'image' has shape \(0, 3, 16, 16\), which is nothing to time"):
        model.bench(shapes={"image": (0, 3, 16, 16)})
    with pytest.raises(ResourceError, match=r"input 'image' .* needs [0-9,]+ bytes"):
        model.bench(shapes={"image": (1, 3, 2**20, 2**20)})


def test_peers_are_named(model: halfeven.QuantizedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match="there is no peer 'tvm': one of onnxruntime, openvino"):
        model.bench(against=["tvm"])
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UnavailableError, match="the peer openvino is not installed: pip install openvino"):
        model.bench(against=["openvino"])
    with pytest.raises(ParameterError, match="there is no peer 'tvm': one of onnxruntime, openvino"):
        model.bench(against="tvm")
    with pytest.raises(ParameterError, match="batch is '3'"):
        model.bench(batch="3")  # type: ignore[arg-type]
    assert "onnxruntime" in model.bench(against="onnxruntime", threads=1, seconds=0).times


def test_a_peer_that_refuses_the_file_is_a_row_and_its_reason_a_line(
    model: halfeven.QuantizedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_peers(("onnxruntime",), onnx.helper.make_model(onnx.GraphProto()).SerializeToString(), {}, 1)
    assert not opened.runs
    assert set(opened.refused) == {"onnxruntime"}
    assert opened.refused["onnxruntime"]

    def refuse(*_: object, **__: object) -> object:
        raise RuntimeError("Exception from src/core.cpp:105:\nno kernel for QuantizeLinear\nof int4")

    monkeypatch.setattr(ort, "InferenceSession", refuse)
    found = model.bench(threads=1, against="onnxruntime", seconds=0, batch=2)
    both = {"onnxruntime", "onnxruntime, unsigned activations"}
    assert set(found.times) == {"halfeven"}
    assert found.batch is not None
    assert set(found.refused) == set(found.batch.refused) == both
    assert [row[:2] for row in engine_rows(found)[1:]] == [(name, "refused") for name in found.refused]
    assert [row[1] for row in batch_rows(found.batch)].count("refused") == 2
    assert refusal_lines(found) == [
        f"{name} refuses the model: no kernel for QuantizeLinear of int4" for name in found.refused
    ]
    model.save(tmp_path / "m.onnx")
    arguments = ["bench", str(tmp_path / "m.onnx"), "--against", "onnxruntime", "--seconds", "0", "--threads", "1"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    for text in ("onnxruntime refuses the model: no kernel for QuantizeLinear of int4", "slowest layers", "halfeven"):
        assert text in done.output


def test_a_benchmark_prints_its_tables(model: halfeven.QuantizedModel) -> None:
    found = model.bench(threads=1, against="onnxruntime", seconds=0, batch=2)
    lines = str(found).splitlines()
    for cells in (*engine_rows(found), *batch_rows(found.batch), *layer_rows(found, 99)):
        assert any(all(cell in line for cell in cells) for line in lines), cells
    assert set(summary_lines(found)) <= set(lines)


def test_values_for_codes_are_refused_in_words_of_the_command(model: halfeven.QuantizedModel, tmp_path: Path) -> None:
    model.with_boundary("codes").save(tmp_path / "m.onnx")
    np.savez(tmp_path / "in.npz", image=images(1))
    refused = CliRunner().invoke(app, ["bench", str(tmp_path / "m.onnx"), "--input", str(tmp_path / "in.npz")])
    assert isinstance(refused.exception, DataError)
    assert str(refused.exception).endswith(
        "in.npz: input 'image' takes codes of int8, and these are values of float32: give codes, or leave --input out "
        "for random ones"
    )


def test_the_command_prints_tables(model: halfeven.QuantizedModel, tmp_path: Path) -> None:
    path = str(tmp_path / "m.onnx")
    model.save(path)
    arguments = ["bench", path, "--threads", "1", "--against", "onnxruntime", "--seconds", "0", "--layers", "3"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    for text in ("image 1x3x12x12; 1 thread(s)", "packed weights", "halfeven / it", "slowest layers", "of peak"):
        assert text in done.output
    np.savez(tmp_path / "in.npz", image=images(2))
    done = CliRunner().invoke(app, ["bench", path, "--input", str(tmp_path / "in.npz"), "--seconds", "0"])
    assert "image 2x3x12x12" in done.output
    for wrong in ("image", "=1x2", "image=1xA", "image=1,2"):
        refused = CliRunner().invoke(app, ["bench", path, "--shape", wrong])
        assert isinstance(refused.exception, ParameterError)
        assert "NAME=1x3x224x224 was expected" in str(refused.exception)


def test_the_peak_is_above_what_any_layer_does() -> None:
    for k, (_, _, supported) in enumerate(_native.isa_names()):
        if supported:
            assert _native.peak_operations_per_second(k, 1) > 1e8
    with pytest.raises(ValueError, match="threads"):
        _native.peak_operations_per_second(-1, -1)
    with pytest.raises(ValueError, match="rounds"):
        _native.peak_operations_per_second(-1, 1, 0)


def test_a_batch_is_timed_both_ways_and_in_peers(model: halfeven.QuantizedModel, tmp_path: Path) -> None:
    found = model.bench(threads=2, against=["onnxruntime"], seconds=0, batch=3)
    assert found.samples == 1
    assert found.batch is not None
    assert found.batch.samples == 3
    ours = {"halfeven", "halfeven, one by one"}
    peers = {"onnxruntime", "onnxruntime, unsigned activations"}
    assert set(found.batch.times) == ours | peers
    for name in ours | peers:
        assert found.batch.samples_per_second(name) == 3 / found.batch.times[name].median_s
    assert [row[-1] == "" for row in batch_rows(found.batch)] == [True, False, False, False]
    assert model.bench(threads=1, seconds=0).batch is None
    model.save(tmp_path / "m.onnx")
    done = CliRunner().invoke(app, ["bench", str(tmp_path / "m.onnx"), "--batch", "2", "--seconds", "0"])
    assert "2 samples at once" in done.output
    with pytest.raises(ParameterError, match="batch is -1"):
        model.bench(batch=-1)


def test_peers_that_take_no_batch_run_its_samples_one_by_one() -> None:
    net = cnn()
    net.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    found = halfeven.quantize_model(net, {"image": images(4)}).bench(against=["onnxruntime"], seconds=0, batch=2)
    assert found.batch is not None
    assert set(found.batch.times) - {"halfeven", "halfeven, one by one"} == {
        "onnxruntime, one by one",
        "onnxruntime, unsigned activations, one by one",
    }
