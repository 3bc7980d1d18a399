"""The other end of `accuracy_peers.Served`: a job is read, a model is quantized, batches are answered until the end.

This runs in a peer's own interpreter, where halfeven is not installed. Standard output carries arrays alone: what the
tool prints goes to standard error.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Job:
    """What to quantize, with which data and which of the tool's settings."""

    model: str
    input_name: str
    setting: str
    calibration: list[Any]


def serve(quantize: Callable[[Job], Callable[[Any], Mapping[str, Any]]]) -> None:
    """Quantize the job in the arguments, then answer arrays with outputs."""
    model, input_name, setting, data = sys.argv[1:5]
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        with np.load(data) as arrays:
            job = Job(model, input_name, setting, [arrays[name] for name in arrays.files])
        run = quantize(job)
        _write(answers, {"ready": np.ones(1)})
        while (batch := _read(sys.stdin.buffer)) is not None:
            _write(answers, run(batch))


def _read(stream: Any) -> Any:
    """An array behind the number of its bytes in numpy's format; None at the end."""
    head = stream.read(8)
    return np.load(io.BytesIO(stream.read(int.from_bytes(head, "little")))) if head else None


def _write(stream: Any, outputs: Mapping[str, Any]) -> None:
    """The number of outputs, then of each the arrays of its name and its values."""
    stream.write(len(outputs).to_bytes(8, "little"))
    for name, array in outputs.items():
        for part in (np.frombuffer(name.encode(), np.uint8), np.asarray(array)):
            buffer = io.BytesIO()
            np.save(buffer, part)
            stream.write(buffer.tell().to_bytes(8, "little") + buffer.getvalue())
    stream.flush()
