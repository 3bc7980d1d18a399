"""The parts of a model that have no integer form, and whole float models, in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ModelError
from halfeven.ir.instructions import Float

Array = NDArray[Any]

KEEP_SIGNED = "session.qdqisint8allowed"
"""Keeps int8 activations as they are. On x86 ONNX Runtime (1.32) makes them uint8, and then refuses what it has made
itself of a quantized product of three axes with a bias (``gemm_input_reshape``), whose output_dtype stays int8."""


@lru_cache(maxsize=256)
def _session(model: bytes, threads: int, *, optimize: bool) -> Any:
    return open_session(model, threads=threads, optimize=optimize)


def open_session(model: bytes | str, *, threads: int = 0, optimize: bool = True) -> Any:
    """Open an ONNX Runtime session on the CPU; a model it refuses raises ModelError."""
    import onnxruntime as ort  # noqa: PLC0415  heavy, only where used

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        with suppress(Exception):  # what it said first is what counts
            options.add_session_config_entry(KEEP_SIGNED, "1")
            return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        raise ModelError(f"ONNX Runtime refuses the model: {_first_line(error)}") from error


def run_session(session: Any, feeds: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
    """Outputs by name; a failure inside ONNX Runtime raises ModelError."""
    names = list(outputs) if outputs is not None else [o.name for o in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))
    except Exception as error:
        raise ModelError(f"ONNX Runtime cannot run the model: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__


def run_float(part: Float, arrays: Sequence[Array], threads: int = 1) -> tuple[Array, ...]:
    """Results of a float instruction. One node, so the optimizer is off and every backend gets the same bits."""
    session = _session(part.model, threads, optimize=False)
    feeds = {name: np.asarray(a, order="C") for name, a in zip(part.xs, arrays, strict=True)}
    values = run_session(session, feeds, part.ys)
    return tuple(values[name] for name in part.ys)
