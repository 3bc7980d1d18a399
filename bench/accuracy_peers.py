"""Peers of `accuracy.py`: ONNX Runtime's quantize_static in this process, others in interpreters of their own."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
from accuracy_tasks import Array, Run, Task, float_runner, samples
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

OLDEST_OPSET = 13
SCRIPTS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Peer:
    """A tool with the settings of which its best counts.

    Attributes
    ----------
    script
        Of a tool in an interpreter of its own; its package, which is asked for the version.
    """

    name: str
    package: str
    settings: Sequence[str]
    script: str = ""


ONNXRUNTIME = Peer("onnxruntime", "onnxruntime", ("MinMax", "Entropy", "Percentile"))
NNCF = Peer("nncf", "nncf", ("openvino mixed", "openvino performance", "onnx mixed"), "nncf_peer.py")
AIMET = Peer("aimet", "aimet-onnx", ("min_max -", "tf_enhanced -", "min_max cle", "tf_enhanced cle"), "aimet_peer.py")
PEERS: Mapping[str, Peer] = {peer.name: peer for peer in (ONNXRUNTIME, NNCF, AIMET)}


class PeerError(Exception):
    """A peer could not quantize or run a model; the last line that it said."""


@contextmanager
def quantized(peer: Peer, task: Task, setting: str, python: str) -> Iterator[Run]:
    """Quantize the task's model with one setting of a peer; what comes runs it until the block ends.

    Raises
    ------
    PeerError
        The tool failed.
    """
    if not peer.script:
        yield quantize_statically(task, setting)
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "calibration.npz"
        np.savez(data, *task.calibration)
        command = [python, str(SCRIPTS / peer.script), str(task.model), task.input_name, setting, str(data)]
        with (
            (Path(folder) / "said.txt").open("w+") as said,
            subprocess.Popen(  # scripts of this folder
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
            ) as process,
        ):
            served = Served(process, Path(said.name))
            served.read()
            yield served.run
            served.close()


class Served:
    """A model in another process: an array goes in, outputs come back, all on its standard streams."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path) -> None:
        self._process, self._said = process, said

    def run(self, x: Array) -> dict[str, Array]:
        """Send one batch, wait for its outputs."""
        buffer = io.BytesIO()
        np.save(buffer, x)
        stream: Any = self._process.stdin
        try:
            stream.write(buffer.tell().to_bytes(8, "little") + buffer.getvalue())
            stream.flush()
        except BrokenPipeError as error:
            raise PeerError(self._last_words()) from error
        return self.read()

    def read(self) -> dict[str, Array]:
        """Wait for outputs."""
        head = self._part(8)
        return {self._array().tobytes().decode(): self._array() for _ in range(int.from_bytes(head, "little"))}

    def _array(self) -> Array:
        found: Array = np.load(io.BytesIO(self._part(int.from_bytes(self._part(8), "little"))))
        return found

    def _part(self, size: int) -> bytes:
        stream: Any = self._process.stdout
        part = bytes(stream.read(size))
        if len(part) < size:
            raise PeerError(self._last_words())
        return part

    def close(self) -> None:
        """End its input, and with it the process."""
        stream: Any = self._process.stdin
        stream.close()

    def _last_words(self) -> str:
        lines = [line for line in self._said.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it ended without a word"


class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped in ONNX Runtime
    """Samples one after the other. With a stride of 1 the calibrators that keep every tensor keep one sample's."""

    def __init__(self, task: Task) -> None:
        self._samples = list(samples(task))
        self._left: Iterator[dict[str, Array]] = iter(self._samples)

    def __len__(self) -> int:
        return len(self._samples)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Read these from now on."""
        self._left = iter(self._samples[start_index:end_index])

    def get_next(self) -> dict[str, Array] | None:
        """Return the next sample; None behind the last."""
        return next(self._left, None)


def per_channel_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in an opset whose DequantizeLinear knows one scale a channel."""
    given = next(entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"})
    return onnx.version_converter.convert_version(model, OLDEST_OPSET) if given < OLDEST_OPSET else model


def quantize_statically(task: Task, method: str) -> Run:
    """quantize_static: QDQ, unsigned activations, signed weights of one scale a channel."""
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        source, prepared, made = (Path(folder) / f"{name}.onnx" for name in ("source", "prepared", "quantized"))
        try:
            onnx.save(per_channel_opset(onnx.load(str(task.model))), str(source))
            # symbolic shapes fail on some graphs with dynamic sizes
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared), str(made), Reader(task), quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod[method], extra_options={"CalibStridedMinMax": 1},
            )  # fmt: skip
            onnx.checker.check_model(str(made))
            return float_runner(made, task.input_name)
        except Exception as error:  # whatever the tool raises is what there is to say about it
            raise PeerError(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error
