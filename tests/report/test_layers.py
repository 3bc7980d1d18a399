"""Pairing with other tools' names, and channel axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import small_models
from defects import build
from onnxruntime import quantization

import halfeven as he
from halfeven.report.channels import axis_for, channel_axes


class Reader(quantization.CalibrationDataReader):
    """Calibration samples for onnxruntime."""

    def __init__(self, data: np.ndarray) -> None:
        self._samples = iter(data)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next sample."""
        sample = next(self._samples, None)
        return None if sample is None else {"image": sample[None]}


@pytest.mark.parametrize("form", [quantization.QuantFormat.QDQ, quantization.QuantFormat.QOperator])
def test_files_of_onnxruntime(tmp_path: Path, form: quantization.QuantFormat) -> None:
    model, data = small_models.cnn(), small_models.images(8)
    path = small_models.saved(model, tmp_path / "cnn.onnx")
    quantization.quantize_static(str(path), str(tmp_path / "q.onnx"), Reader(data), quant_format=form)
    found = he.load(tmp_path / "q.onnx").compare(path, data, speed=False)
    paired = {row.name for row in found.rows}
    assert {"image", "a1", "s", "d"} <= paired
    assert found.unpaired == ()
    assert all(row.sqnr_db > 15 for row in found.rows)
    assert all(row.alone_sqnr_db is None or row.alone_sqnr_db > 20 for row in found.rows)


def test_our_outputs_keep_their_names() -> None:
    model = build("g (float[N,4] x) => (float[N,4] a, float[N,4] y) { a = Abs (x) y = Neg (a) }")
    data = np.random.default_rng(0).normal(0, 1, (4, 4)).astype(np.float32)
    found = he.quantize_model(model, data).compare(model, data, speed=False)
    assert [(row.name, row.is_output) for row in found.rows] == [("x", False), ("a", True), ("y", True)]
    assert [o.name for o in found.outputs] == ["a", "y"]


def test_a_model_that_the_tool_did_not_clean_up_is_paired_as_it_is(tmp_path: Path) -> None:
    """The values between Conv and BatchNormalization, gone after our clean-up, are there in the file."""
    model, data = small_models.cnn(), small_models.images(4)
    path = small_models.saved(model, tmp_path / "cnn.onnx")
    ops = ["Conv", "Add", "MaxPool", "Gemm", "BatchNormalization"]
    quantization.quantize_static(str(path), str(tmp_path / "q.onnx"), Reader(data), op_types_to_quantize=ops)
    quantized = onnx.load(tmp_path / "q.onnx")
    assert any(n.op_type == "BatchNormalization" for n in quantized.graph.node)
    found = he.load(tmp_path / "q.onnx").compare(path, data, speed=False)
    assert "c1" in {row.name for row in found.rows}


def test_channel_axes() -> None:
    model = build(
        """g (float[N,3,4,4] x) => (float[N,16,8] y) {
            a = Conv (x, w) b = Relu (a) r = Reshape (b, shape)
            t = Transpose <perm = [0, 2, 1]> (r) y = MatMul (t, v) }""",
        w=np.ones((8, 3, 1, 1), np.float32),
        v=np.ones((8, 8), np.float32),
        shape=np.array([0, 8, 16]),
    )
    program = he.quantize_model(model, np.ones((2, 3, 4, 4), np.float32)).program
    axes = {name: axis for name, axis in channel_axes(program).items() if name.endswith("_quantized")}
    assert axes == {"x_quantized": 1, "b_quantized": 1, "r_quantized": -1, "t_quantized": 1, "y_quantized": -1}


def test_axis_for() -> None:
    assert axis_for(1, 2) == 1
    assert axis_for(-1, 1) == -1
    assert axis_for(1, 1) is None
    assert axis_for(1, 0) is None
