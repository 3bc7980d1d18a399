"""AIMET-onnx, run by its own simulation. Settings: min_max | tf_enhanced, then cle | -."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import onnx
from aimet_onnx.batch_norm_fold import fold_all_batch_norms_to_weight
from aimet_onnx.common.defs import QuantScheme
from aimet_onnx.cross_layer_equalization import equalize_model
from aimet_onnx.quantsim import QuantizationSimModel
from onnx import version_converter
from serve import Job, serve

SCHEMES = {"min_max": QuantScheme.min_max, "tf_enhanced": QuantScheme.post_training_tf_enhanced}
OLDEST_OPSET = 13


def quantize(job: Job) -> Callable[[Any], Mapping[str, Any]]:
    """Fold or equalize, simulate int8 everywhere, take encodings from every calibration sample."""
    scheme, rewrite = job.setting.split()
    model = onnx.load(job.model)
    names = [output.name for output in model.graph.output]
    if model.opset_import[0].version < OLDEST_OPSET:
        model = version_converter.convert_version(model, OLDEST_OPSET)
    if rewrite == "cle":
        equalize_model(model)
    else:
        fold_all_batch_norms_to_weight(model)
    sim = QuantizationSimModel(
        model, param_type="int8", activation_type="int8", quant_scheme=SCHEMES[scheme],
        dummy_input={job.input_name: job.calibration[0]}, providers=["CPUExecutionProvider"],
    )  # fmt: skip
    sim.compute_encodings([{job.input_name: x} for x in job.calibration])
    return lambda x: dict(zip(names, sim.session.run(None, {job.input_name: x}), strict=True))  # it renames outputs


serve(quantize)
