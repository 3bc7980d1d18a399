"""Other runtimes that run the same file: ONNX Runtime and OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from halfeven.errors import ModelError, ParameterError, UnavailableError
from halfeven.interop.unsigned import unsigned_activations

Array = NDArray[Any]
Feeds = Mapping[str, Array]
Run = Callable[[], object]
PEERS = ("onnxruntime", "openvino")


def check_peers(names: tuple[str, ...]) -> None:
    """Raise ParameterError for a name that is none of PEERS, UnavailableError for one that is not installed."""
    for name in names:
        if name not in PEERS:
            raise ParameterError(f"there is no peer {name!r}: one of {', '.join(PEERS)} was expected")
        try:
            __import__(name)
        except ImportError:
            raise UnavailableError(f"the peer {name} is not installed: pip install {name}", name=name) from None


def open_peers(names: tuple[str, ...], model: bytes, feeds: Feeds, threads: int) -> dict[str, Run]:
    """What runs the model in each peer: as the file is, and with unsigned activations where they are signed."""
    forms = {"": model}
    unsigned = unsigned_activations(onnx.load_from_string(model))
    if unsigned is not None:
        forms[", unsigned activations"] = unsigned.SerializeToString()
    openers = {"onnxruntime": _onnxruntime, "openvino": _openvino}
    return {f"{name}{form}": openers[name](text, feeds, threads) for name in names for form, text in forms.items()}


def _onnxruntime(model: bytes, feeds: Feeds, threads: int) -> Run:
    import onnxruntime as ort  # noqa: PLC0415  heavy, only where used

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    # Spinning threads would take the processors from whom they alternate with.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads == 1 else "0")
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"onnxruntime refuses the model: {_first_line(error)}") from error
    return lambda: session.run(None, dict(feeds))


def _openvino(model: bytes, feeds: Feeds, threads: int) -> Run:
    import openvino as ov  # noqa: PLC0415  optional

    core = ov.Core()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # of what is not integer; its own choice here may be bf16
    }
    try:
        compiled = core.compile_model(core.read_model(model, b""), "CPU", settings)
    except Exception as error:
        raise ModelError(f"openvino refuses the model: {_first_line(error)}") from error
    request = compiled.create_infer_request()
    arrays = {name: np.ascontiguousarray(a) for name, a in feeds.items()}
    return lambda: request.infer(arrays, share_inputs=True, share_outputs=True)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
