"""Other runtimes that run the same file: ONNX Runtime and OpenVINO."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from halfeven.errors import ParameterError, UnavailableError
from halfeven.interop.unsigned import unsigned_activations

Array = NDArray[Any]
Feeds = Mapping[str, Array]
Run = Callable[[], object]
PEERS = ("onnxruntime", "openvino")
PLACE = re.compile(r"\.(cpp|hpp|h):\d+:?\s*$")  # a line of OpenVINO's that names its own source, before what is wrong


@dataclass(frozen=True)
class Opened:
    """What runs a model, by peer and form of the file; ``refused``: why, of those that do not run it."""

    runs: Mapping[str, Run]
    refused: Mapping[str, str]


def check_peers(against: str | Sequence[str]) -> tuple[str, ...]:
    """The peers' names, of one or several.

    Raises
    ------
    ParameterError
        For a name that is none of PEERS.
    UnavailableError
        For a peer that is not installed.
    """
    names = (against,) if isinstance(against, str) else tuple(against)
    for name in names:
        if name not in PEERS:
            raise ParameterError(f"there is no peer {name!r}: one of {', '.join(PEERS)} was expected")
        try:
            __import__(name)
        except ImportError:
            raise UnavailableError(f"the peer {name} is not installed: pip install {name}", name=name) from None
    return names


def open_peers(names: Sequence[str], model: bytes, feeds: Feeds, threads: int) -> Opened:
    """What runs the model in each peer: as the file is, and with unsigned activations where they are signed.

    Each has run once.
    """
    forms = {"": model}
    unsigned = unsigned_activations(onnx.load_from_string(model))
    if unsigned is not None:
        forms[", unsigned activations"] = unsigned.SerializeToString()
    tried = {name + form: _open(name, text, feeds, threads) for name in names for form, text in forms.items()}
    runs = {name: found for name, found in tried.items() if not isinstance(found, str)}
    return Opened(runs, {name: found for name, found in tried.items() if isinstance(found, str)})


def _open(name: str, model: bytes, feeds: Feeds, threads: int) -> Run | str:
    """What runs the model, after a first run; or why the peer does not."""
    openers = {"onnxruntime": _onnxruntime, "openvino": _openvino}
    try:
        run = openers[name](model, feeds, threads)
        run()
    except Exception as error:  # noqa: BLE001  whatever a peer says of a file that it does not run
        return _reason(error)
    return run


def _onnxruntime(model: bytes, feeds: Feeds, threads: int) -> Run:
    import onnxruntime as ort  # noqa: PLC0415  heavy, only where used

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    # Spinning threads would take the processors from whom they alternate with.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads == 1 else "0")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, dict(feeds))


def _openvino(model: bytes, feeds: Feeds, threads: int) -> Run:
    import openvino as ov  # noqa: PLC0415  optional

    core = ov.Core()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # of what is not integer; its own choice here may be bf16
    }
    request = core.compile_model(core.read_model(model, b""), "CPU", settings).create_infer_request()
    arrays = {name: np.ascontiguousarray(a) for name, a in feeds.items()}
    return lambda: request.infer(arrays, share_inputs=True, share_outputs=True)


def _reason(error: Exception) -> str:
    """One line of what a peer said, without the places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not PLACE.search(line)]
    return " ".join(lines)[:200] or type(error).__name__
