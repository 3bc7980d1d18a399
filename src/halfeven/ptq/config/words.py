"""The words of quant_config.json: which there are, and which of them mean something here."""

from __future__ import annotations

from typing import Final

from halfeven.numerics.qtype import QType, int4, int8, int16

FLOAT32: Final = "float32"
"""The type of a node that is not quantized."""

NumberType = QType | str
"""A QType, or :data:`FLOAT32`."""

ACTIVATION_TYPES: dict[str, NumberType] = {"int8": int8, "int16": int16}
NODE_TYPES: dict[str, NumberType] = {**ACTIVATION_TYPES, "float32": FLOAT32}
WEIGHT_TYPES: dict[str, NumberType] = {"int4": int4, **ACTIVATION_TYPES}
OTHER_TYPES = (
    "float16",
    "mxint16",
    "mxint8",
    "mxint4",
    "mxfp8",
    "mxfp4",
    "nvfp4",
    "dual-int16",
    "int16-ec",
)
"""Types of that toolchain that have no form here."""

CALIBRATION_TYPES = ("max", "kl")
OTHER_CALIBRATION_TYPES = {
    "load": "thresholds are not loaded from files here",
    "histogram": "of the documented methods, max and kl are here",
    "default": "leave calibration_type out: the default is to choose the best method for each tensor",
    "mix": "leave calibration_type out: the default is to choose the best method for each tensor",
    "percentile": "write 'max', and the share in max_percentile",
    "min-max": "write 'max', and asymmetric true",
    "skip": "calibrate with a few samples",
}
"""Names that are used for it elsewhere, and what to do about them."""

QTYPE_ALIASES = ("type", "ON")
"""How some pages of the documentation write ``qtype``."""
