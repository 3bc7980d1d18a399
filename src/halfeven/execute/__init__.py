"""Run a Program: reference (NumPy), native, torch; and float models in ONNX Runtime."""
