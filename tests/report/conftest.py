"""Quantize, break something, compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx
import pytest
from defects import Change, changed

import halfeven as he
from halfeven.report.comparison import Comparison


@pytest.fixture
def compared() -> Callable[..., Comparison]:
    """Quantize, change constants, compare: ``compared(float_model, calibration, data, changes, **options)``."""

    def run(
        model: onnx.ModelProto,
        calibration: np.ndarray,
        data: np.ndarray | None = None,
        changes: Mapping[str, Change] | None = None,
        *,
        against: onnx.ModelProto | None = None,
        **options: str,
    ) -> Comparison:
        quantized = changed(he.quantize_model(model, calibration, **options), changes or {})
        return quantized.compare(against or model, calibration if data is None else data, speed=False)

    return run
