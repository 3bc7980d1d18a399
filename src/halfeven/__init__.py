"""Quantize networks to integers with one answer: NumPy, PyTorch, native code and C++ give the same bits."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from halfeven import errors
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.nonlinear import BinaryParams, Log2Params
from halfeven.numerics.params import AffineParams, choose_params
from halfeven.numerics.profile import Profile, profiles
from halfeven.numerics.qtype import QType, int4, int8, int16, int32, uint4, uint8, uint16
from halfeven.on_demand import OnDemand
from halfeven.ops import dequantize, fake_quantize, quantize, quantized_conv2d, quantized_matmul, requantize

if TYPE_CHECKING:
    from halfeven.api import QuantizedModel, load, quantize_model
    from halfeven.search import MixedPrecision

    __version__: str

__all__ = [
    "AffineParams",
    "BinaryParams",
    "Log2Params",
    "MixedPrecision",
    "Multiplier",
    "Profile",
    "QType",
    "QuantizedModel",
    "__version__",
    "choose_params",
    "dequantize",
    "errors",
    "fake_quantize",
    "int4",
    "int8",
    "int16",
    "int32",
    "load",
    "profiles",
    "quantize",
    "quantize_model",
    "quantized_conv2d",
    "quantized_matmul",
    "requantize",
    "uint4",
    "uint8",
    "uint16",
]

sys.meta_path.insert(0, OnDemand())
_MODELS = ("QuantizedModel", "load", "quantize_model")


def __getattr__(name: str) -> Any:
    """Models and the version load when first used: ``import halfeven`` needs NumPy and the extension alone."""
    if name in _MODELS:
        value = getattr(import_module("halfeven.api"), name)
    elif name == "MixedPrecision":
        value = import_module("halfeven.search").MixedPrecision
    elif name == "__version__":
        value = _version()
    else:
        raise AttributeError(f"module 'halfeven' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    metadata = import_module("importlib.metadata")
    try:
        return str(metadata.version("halfeven"))
    except metadata.PackageNotFoundError:
        return "0+unknown"  # a source tree that was not installed
