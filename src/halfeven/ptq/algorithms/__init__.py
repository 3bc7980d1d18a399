"""Accuracy algorithms: what is done to a network so that quantization costs less.

Each is a frozen dataclass of its options with one method, that of its stage. Stages, in this order:

1. :class:`FloatRewrite` - before calibration: the same function in a float graph that quantizes better.
2. :class:`WeightRounding` - after ranges are chosen: codes of weights other than the nearest.
3. :class:`BiasCorrecting` - at the end: biases that make up for what the codes shifted.

A new algorithm is one file here, and one line in ``names.py``.
"""

from halfeven.ptq.algorithms.bias_correction import BiasCorrection
from halfeven.ptq.algorithms.equalization import Equalization, SmoothQuant
from halfeven.ptq.algorithms.names import algorithms_of
from halfeven.ptq.algorithms.report import AlgorithmReport, Change
from halfeven.ptq.algorithms.stages import (
    Algorithm,
    BiasCorrecting,
    Error,
    FloatRewrite,
    Refined,
    Rewritten,
    Tick,
    WeightRounding,
)

__all__ = [
    "Algorithm",
    "AlgorithmReport",
    "BiasCorrecting",
    "BiasCorrection",
    "Change",
    "Equalization",
    "Error",
    "FloatRewrite",
    "Refined",
    "Rewritten",
    "SmoothQuant",
    "Tick",
    "WeightRounding",
    "algorithms_of",
]
