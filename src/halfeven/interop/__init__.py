"""ONNX in and out: the only place that knows files, operator sets and the spelling of exporters."""

from __future__ import annotations

from halfeven.interop.clean_up import CleanUp, Step, clean_up, simplify
from halfeven.interop.describe import Description, Port, describe
from halfeven.interop.equality import Equality, check_equal
from halfeven.interop.metadata import metadata, set_metadata, source_of
from halfeven.interop.qoperator import rewrite_qoperators
from halfeven.interop.read import read_model
from halfeven.interop.write import file_bytes, producer_version, sign, to_bytes, write_model

__all__ = [
    "CleanUp",
    "Description",
    "Equality",
    "Port",
    "Step",
    "check_equal",
    "clean_up",
    "describe",
    "file_bytes",
    "metadata",
    "producer_version",
    "read_model",
    "rewrite_qoperators",
    "set_metadata",
    "sign",
    "simplify",
    "source_of",
    "to_bytes",
    "write_model",
]
