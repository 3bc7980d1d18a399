"""What one demo model brings: a file, samples to calibrate with, samples to judge by, and the judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Outputs: TypeAlias = Mapping[str, npt.NDArray[Any]]
Metric: TypeAlias = Callable[[Outputs], float]


@dataclass(frozen=True, eq=False)
class DemoTask:
    """One float model with its data. No evaluation sample is a calibration sample.

    Attributes
    ----------
    calibration, evaluation
        (N, C, H, W) float32, ready for the input ``input_name``.
    labels
        (N,) int64, of ``evaluation``.
    metric
        The model's outputs for all of ``evaluation``, by name, to a score between 0 and 1.
    """

    name: str
    model_path: Path
    input_name: str
    calibration: npt.NDArray[np.float32]
    evaluation: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    metric: Metric
    metric_name: str


def accuracy_of(output_name: str, labels: npt.NDArray[np.int64]) -> Metric:
    """Return the metric ``mean(argmax(outputs[output_name], axis=1) == labels)``."""
    return partial(_accuracy, output_name=output_name, labels=labels)


def _accuracy(outputs: Outputs, *, output_name: str, labels: npt.NDArray[np.int64]) -> float:
    return float(np.mean(outputs[output_name].argmax(axis=1) == labels))
