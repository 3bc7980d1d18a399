"""Quantize networks to integers with one answer: NumPy, PyTorch, native code and C++ give the same bits."""
