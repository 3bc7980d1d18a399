"""NNCF on an OpenVINO or ONNX model; the result runs in OpenVINO. Settings: openvino | onnx, mixed | performance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import nncf
import onnx
import openvino as ov
from serve import Job, serve

PRESETS = {"mixed": nncf.QuantizationPreset.MIXED, "performance": nncf.QuantizationPreset.PERFORMANCE}


def quantize(job: Job) -> Callable[[Any], Mapping[str, Any]]:
    """Quantize with every calibration sample, and compile for this processor."""
    frontend, preset = job.setting.split()
    core = ov.Core()
    options = {"preset": PRESETS[preset], "subset_size": len(job.calibration)}
    if frontend == "openvino":
        made = nncf.quantize(core.read_model(job.model), nncf.Dataset(job.calibration), **options)
    else:
        data = nncf.Dataset(job.calibration, lambda x: {job.input_name: x})
        proto = nncf.quantize(onnx.load(job.model), data, **options)
        made = core.read_model(proto.SerializeToString())
    compiled = core.compile_model(made, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2})
    names = [port.get_any_name() for port in compiled.outputs]
    return lambda x: dict(zip(names, compiled([x]).values(), strict=True))


serve(quantize)
