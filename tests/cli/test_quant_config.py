"""``halfeven quantize --config``: settings shown, applied, refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models

from halfeven.cli import main

Quantize = Callable[..., int]


@pytest.fixture
def quantize(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Quantize:
    """``quantize(config, *arguments)`` on a small network; the exit status."""
    small_models.saved(small_models.cnn(), tmp_path / "cnn.onnx")
    np.savez(tmp_path / "data.npz", image=small_models.images(8))

    def run(config: Any, *arguments: object) -> int:
        (tmp_path / "quant_config.json").write_text(json.dumps(config))
        given = ["quantize", tmp_path / "cnn.onnx", "--config", tmp_path / "quant_config.json", *arguments]
        monkeypatch.setattr("sys.argv", ["halfeven", *map(str, given)])
        try:
            main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run


def conv_name(quantize: Quantize, capsys: pytest.CaptureFixture[str]) -> str:
    assert quantize({}, "--print-config") == 0
    lines = capsys.readouterr().out.splitlines()
    return next(line.split()[0] for line in lines if line.split()[1:2] == ["Conv"])


def test_print_config_shows_each_node_and_needs_no_data(
    tmp_path: Path, quantize: Quantize, capsys: pytest.CaptureFixture[str]
) -> None:
    name = conv_name(quantize, capsys)
    assert (
        quantize({"op_config": {"GRU": {"qtype": "int8"}}, "node_config": {name: {"type": "int16"}}}, "--print-config")
        == 0
    )
    said = capsys.readouterr()
    memory = [line for line in said.out.splitlines() if line.startswith("memory: ")]
    assert len(memory) == 2
    assert memory[0].startswith("memory: calibration takes about ")
    assert memory[1].startswith("memory: second-order-rounding and bias-correction then take about ")
    row = next(line.split() for line in said.out.splitlines() if line.split()[0] == name)
    assert row[3:] == ["int16", "int8", f"node_config.{name}"]
    remarks = said.err.strip().splitlines()
    assert len(remarks) == 2
    assert "read as 'qtype'" in remarks[0]
    assert "has no GRU" in remarks[1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cnn.onnx", "data.npz", "quant_config.json"]


def test_the_configuration_is_applied(tmp_path: Path, quantize: Quantize, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.onnx"
    config = {"model_config": {"all_node_type": "int16", "activation": {"calibration_type": "max"}}}
    assert quantize(config, "--data", tmp_path / "data.npz", "-o", output) == 0
    assert "by max (symmetric)" in capsys.readouterr().out
    from halfeven.api import load  # noqa: PLC0415

    assert {p.params.qtype.name for p in load(output).inputs if p.params} == {"int16"}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"node_config": {"Cnv_0": {"qtype": "int8"}}}, ["quant_config.json: node_config", "'Cnv_0'"]),
        ({"model_config": {"all_node_type": "float16"}}, ["model_config.all_node_type", "not supported here"]),
        ({"model_config": {"activation": {"num_bin": 12}}}, ["num_bin", "from 129", "got 12"]),
    ],
)
def test_a_wrong_configuration_is_one_line(
    config: Any, words: list[str], tmp_path: Path, quantize: Quantize, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.onnx"
    assert quantize(config, "--data", tmp_path / "data.npz", "-o", output) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("halfeven: ")
    assert all(word in line for word in words)
    assert not output.exists()


@pytest.mark.parametrize(("given", "missing"), [((), "--data"), (("--data", "data.npz"), "--output")])
def test_data_and_output_are_needed_otherwise(
    given: tuple[str, ...], missing: str, quantize: Quantize, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quantize({}, *given) == 2
    assert missing in capsys.readouterr().err


def test_a_method_beside_the_configuration_s_is_refused(quantize: Quantize, capsys: pytest.CaptureFixture[str]) -> None:
    config = {"model_config": {"activation": {"calibration_type": "kl"}}}
    assert quantize(config, "--method", "mse", "--print-config") == 2
    assert "given twice" in capsys.readouterr().err
