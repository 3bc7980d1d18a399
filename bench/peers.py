"""Other engines with the same float network, quantized by their own tools: ONNX Runtime, OpenVINO, NNCF, LiteRT."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

Feeds = dict[str, NDArray[np.float32]]
Run = Callable[[], object]
LEAST_OPSET = 13  # of scales one a channel
LITERT = Path(__file__).parent / "peers" / "litert_peer.py"
LITERT_NETWORKS = ("resnet50", "mobilenetv2")  # there is no converter from ONNX: it builds them itself


class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped in ONNX Runtime
    """The samples, one after the other."""

    def __init__(self, samples: list[Feeds]) -> None:
        self._left = iter(samples)

    def get_next(self) -> Feeds | None:
        """Return the next sample; None behind the last."""
        return next(self._left, None)


def quantized_by_onnxruntime(model: onnx.ModelProto, samples: list[Feeds], *, signed: bool) -> bytes:
    """QDQ with one scale a channel; activations int8 where ``signed``, else uint8."""
    if model.opset_import[0].version < LEAST_OPSET:
        model = onnx.version_converter.convert_version(model, LEAST_OPSET)
    with tempfile.TemporaryDirectory() as folder:
        plain, ready, out = (str(Path(folder) / f"{part}.onnx") for part in ("plain", "ready", "out"))
        onnx.save(model, plain)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        types: dict[str, Any] = {
            "activation_type": QuantType.QInt8 if signed else QuantType.QUInt8,
            "weight_type": QuantType.QInt8,
        }
        options = {"ActivationSymmetric": True} if signed else {}
        quantize_static(
            ready, out, Reader(samples), quant_format=QuantFormat.QDQ, per_channel=True, extra_options=options, **types
        )
        return Path(out).read_bytes()


def peers(model: onnx.ModelProto, samples: list[Feeds], threads: int) -> Iterator[tuple[str, Callable[[], Run]]]:
    """What to open, by name; opening it may fail."""
    floats = model.SerializeToString()
    unsigned = quantized_by_onnxruntime(model, samples, signed=False)
    feeds = samples[0]
    yield "onnxruntime float32", lambda: onnxruntime_run(floats, feeds, threads)
    yield "onnxruntime U8S8", lambda: onnxruntime_run(unsigned, feeds, threads)
    signed = quantized_by_onnxruntime(model, samples, signed=True)
    yield "onnxruntime S8S8", lambda: onnxruntime_run(signed, feeds, threads)
    if find_spec("openvino"):
        yield "openvino float32", lambda: openvino_run(floats, feeds, threads)
        yield "openvino U8S8", lambda: openvino_run(unsigned, feeds, threads)
        yield "openvino S8S8", lambda: openvino_run(signed, feeds, threads)
    if find_spec("nncf"):
        yield "openvino, nncf", lambda: _nncf_run(floats, samples, threads)


def onnxruntime_run(model: bytes, feeds: Feeds, threads: int) -> Run:
    """A session whose threads do not spin beside another's rounds."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads == 1 else "0")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feeds)


def openvino_run(model: Any, feeds: Feeds, threads: int) -> Run:
    """For latency; what is not integer in float32 (left alone it takes bfloat16 where the processor has it)."""
    import openvino as ov  # noqa: PLC0415  optional

    core = ov.Core()
    read = core.read_model(model, b"") if isinstance(model, bytes) else model
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(read, "CPU", settings).create_infer_request()
    return lambda: request.infer(feeds, share_inputs=True, share_outputs=True)


def litert_run(python: str, network: str, threads: int) -> Run:
    """The same architecture in LiteRT, in the interpreter ``python``; a run goes to it and back, about 0.03 ms.

    Raises
    ------
    OSError
        If it ends before its model is ready; what it said is on standard error.
    """
    command = [python, str(LITERT), network, str(threads)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def answer() -> None:
        if process.stdout is None or not process.stdout.read(1):
            raise OSError(f"{python} {LITERT.name} ended: is tensorflow installed there?")

    def run() -> None:
        if process.stdin is not None:
            process.stdin.write(b"r")
        answer()

    answer()
    return run


def _nncf_run(model: bytes, samples: list[Feeds], threads: int) -> Run:
    import nncf  # noqa: PLC0415  optional
    import openvino as ov  # noqa: PLC0415

    read = ov.Core().read_model(model, b"")
    read.reshape({name: list(a.shape) for name, a in samples[0].items()})
    attention = any(op.get_type_name() == "Softmax" for op in read.get_ops()[:-4])
    kind = {"model_type": nncf.ModelType.TRANSFORMER} if attention else {}
    made = nncf.quantize(read, nncf.Dataset(samples), subset_size=len(samples), **kind)
    return openvino_run(made, samples[0], threads)
