"""What one engine adds to a process of its own: resident bytes before a model is loaded, and after it has run.

python bench/memory.py halfeven|onnxruntime MODEL.onnx INPUTS.npz     prints the difference in bytes
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def resident_growth(engine: str, model: bytes, feeds: dict[str, NDArray[np.float32]]) -> int:
    """Bytes, measured in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.onnx").write_bytes(model)
        np.savez(Path(folder) / "inputs.npz", **feeds)
        command = [sys.executable, __file__, engine, f"{folder}/model.onnx", f"{folder}/inputs.npz"]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _resident() -> int:
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _halfeven(model: str, feeds: dict[str, NDArray[np.float32]]) -> int:
    import halfeven  # noqa: PLC0415  one engine a process
    from halfeven import interop, lower  # noqa: F401, PLC0415  what is loaded is not what is measured

    before = _resident()
    loaded = halfeven.load(model)
    for _ in range(2):
        loaded.run(feeds, threads=1)
    return _resident() - before


def _onnxruntime(model: str, feeds: dict[str, NDArray[np.float32]]) -> int:
    import onnxruntime as ort  # noqa: PLC0415

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    before = _resident()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for _ in range(2):
        session.run(None, feeds)
    return _resident() - before


if __name__ == "__main__":
    inputs = dict(np.load(sys.argv[3]))
    print({"halfeven": _halfeven, "onnxruntime": _onnxruntime}[sys.argv[1]](sys.argv[2], inputs))
