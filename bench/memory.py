"""What one model adds to a process of its own: resident bytes before it is loaded, and after it has run.

A model of one element has run in the engine before: modules and whatever else an engine keeps for all models are there.

python bench/memory.py halfeven|onnxruntime MODEL.onnx INPUTS.npz     prints the difference in bytes
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

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


def _smallest() -> Any:
    import onnx  # noqa: PLC0415  both engines find it in place

    constants = "<float s = {1.0}, int8 z = {0}>"
    nodes = "{ q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z) }"
    return onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 21]> one (float[1] x) => (float[1] y) {constants} {nodes}'
    )


def _halfeven(model: str, feeds: dict[str, NDArray[np.float32]]) -> int:
    import halfeven  # noqa: PLC0415  one engine a process

    halfeven.load(_smallest()).run({"x": np.zeros(1, np.float32)}, threads=1)
    before = _resident()
    loaded = halfeven.load(model)
    for _ in range(2):
        loaded.run(feeds, threads=1)
    return _resident() - before


def _onnxruntime(model: str, feeds: dict[str, NDArray[np.float32]]) -> int:
    import onnxruntime as ort  # noqa: PLC0415

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    smallest = ort.InferenceSession(_smallest().SerializeToString(), options, providers=["CPUExecutionProvider"])
    smallest.run(None, {"x": np.zeros(1, np.float32)})
    before = _resident()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for _ in range(2):
        session.run(None, feeds)
    return _resident() - before


if __name__ == "__main__":
    inputs = dict(np.load(sys.argv[3]))
    print({"halfeven": _halfeven, "onnxruntime": _onnxruntime}[sys.argv[1]](sys.argv[2], inputs))
