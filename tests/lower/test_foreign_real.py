"""Real networks, quantized by onnxruntime's own tool in every form: no float part, and its codes on real samples."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import version_converter
from qdq_graph import onnxruntime_outputs

import halfeven as he
from halfeven.demo.catalogue import SOURCES
from halfeven.demo.task import DemoTask
from halfeven.errors import UnavailableError

CALIBRATION, SAMPLES = 8, 12


class Reader:
    """Onnxruntime's way to hand over samples."""

    def __init__(self, task: DemoTask) -> None:
        self._samples = iter({task.input_name: x[None]} for x in task.calibration[:CALIBRATION])

    def get_next(self) -> Any:
        """One sample, or None at the end."""
        return next(self._samples, None)


@pytest.fixture(scope="module", params=[s.name for s in SOURCES])
def task(request: pytest.FixtureRequest) -> DemoTask:
    (source,) = [s for s in SOURCES if s.name == request.param]
    try:
        return source.load(None)
    except UnavailableError as error:
        pytest.skip(str(error))


FORMS: dict[str, dict[str, Any]] = {
    "QDQ U8S8": {"activation_type": "QUInt8", "weight_type": "QInt8"},
    "QDQ S8S8": {"activation_type": "QInt8", "weight_type": "QInt8"},
    "QDQ U8U8": {"activation_type": "QUInt8", "weight_type": "QUInt8"},
    "QDQ S8S8 a channel": {"activation_type": "QInt8", "weight_type": "QInt8", "per_channel": True},
    "QDQ U8S8 a channel": {"activation_type": "QUInt8", "weight_type": "QInt8", "per_channel": True},
    "QDQ U8S4": {"activation_type": "QUInt8", "weight_type": "QInt4"},
    "QDQ S8S8 float bias, Q and DQ on weights": {
        "activation_type": "QInt8", "weight_type": "QInt8",
        "extra_options": {"ActivationSymmetric": True, "QuantizeBias": False, "AddQDQPairToWeight": True},
    },
    "QOperator U8S8": {"activation_type": "QUInt8", "weight_type": "QInt8", "quant_format": "QOperator"},
    "QOperator S8S8 a channel": {
        "activation_type": "QInt8", "weight_type": "QInt8", "quant_format": "QOperator", "per_channel": True,
    },
}  # fmt: skip


def quantized(task: DemoTask, folder: Path, form: dict[str, Any]) -> Path:
    """What ``quantize_static`` writes."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static  # noqa: PLC0415

    options = dict(form)
    for key in ("activation_type", "weight_type"):
        options[key] = QuantType[options[key]]
    options["quant_format"] = QuantFormat[options.get("quant_format", "QDQ")]
    source, target = folder / "float.onnx", folder / "quantized.onnx"
    onnx.save(version_converter.convert_version(onnx.load(task.model_path), 17), source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            quantize_static(source, target, Reader(task), **options)
        finally:
            logging.disable(logging.NOTSET)
    return target


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_quantize_static(task: DemoTask, form: str, tmp_path: Path) -> None:
    path = quantized(task, tmp_path, FORMS[form])
    loaded = he.load(path, strict=True)  # strict: no float part
    feeds = {task.input_name: task.evaluation[:SAMPLES]}
    expected = onnxruntime_outputs(str(path), feeds)
    got = loaded.run(feeds)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


def test_16_bit_activations_are_close(task: DemoTask, tmp_path: Path) -> None:
    """Onnxruntime has no integer kernels for them: its float32 sums move a code now and then."""
    path = quantized(task, tmp_path, {"activation_type": "QInt16", "weight_type": "QInt8"})
    loaded = he.load(path, strict=True)
    feeds = {task.input_name: task.evaluation[:SAMPLES]}
    expected, got = onnxruntime_outputs(str(path), feeds), loaded.run(feeds)
    for name, array in expected.items():
        assert np.abs(got[name] - array).max() <= 0.002 * np.abs(array).max()


def test_our_own_files_under_the_profile(task: DemoTask, tmp_path: Path) -> None:
    for qtype in (he.uint8, he.int8):
        model = he.quantize_model(
            task.model_path, {task.input_name: task.calibration[:CALIBRATION]},
            activations=qtype, profile="onnxruntime", method="max",
        )  # fmt: skip
        model.save(tmp_path / "m.onnx")
        loaded = he.load(tmp_path / "m.onnx", strict=True)
        assert loaded.profile.name == "onnxruntime"
        feeds = {task.input_name: task.evaluation[:SAMPLES]}
        expected, got = onnxruntime_outputs(str(tmp_path / "m.onnx"), feeds), loaded.run(feeds)
        for name, array in expected.items():
            np.testing.assert_array_equal(got[name], array, err_msg=f"{name} {qtype}")
