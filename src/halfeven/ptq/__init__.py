"""Post-training quantization: data, placement of quantizers, calibration, QDQ."""
