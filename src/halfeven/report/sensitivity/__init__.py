"""What each layer's codes do to the model's outputs: quantized alone, and alone left out."""

from halfeven.report.sensitivity.found import LayerSensitivity, Sensitivity, Trial, trials_named
from halfeven.report.sensitivity.measure import sensitivity

__all__ = ["LayerSensitivity", "Sensitivity", "Trial", "sensitivity", "trials_named"]
