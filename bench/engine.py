"""Whole models at batch 1: the native engine beside ONNX Runtime, its float32 and its U8S8 integers, in one process.

Rounds are interleaved and medians compared, so that what else runs on the machine meets all alike: read ratios, not
milliseconds, and only those of an idle machine. ``best`` is the ratio of the fastest rounds. S8S8 is not a peer: ONNX
Runtime has no fast kernel for it on x86. Random weights, or any models given: this says nothing of accuracy.

    python bench/engine.py [--rounds 15] [--threads 1 2] [--layers] [resnet50 mobilenetv2 MODEL.onnx ...]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from networks import NETWORKS
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import halfeven
from halfeven.execute.engine import Engine
from halfeven.execute.plan.stage import NativeStage

SAMPLES = 2
RUNS_A_ROUND = 3
Feeds = dict[str, NDArray[np.float32]]


class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped in ONNX Runtime
    """The samples, one after the other."""

    def __init__(self, samples: list[Feeds]) -> None:
        self._left = iter(samples)

    def get_next(self) -> Feeds | None:
        """Return the next sample; None behind the last."""
        return next(self._left, None)


@dataclass(frozen=True)
class Models:
    """One network in its forms, and something to run them on."""

    name: str
    floats: bytes
    peer: bytes
    ours: halfeven.QuantizedModel
    feeds: Feeds


def samples_for(model: onnx.ModelProto) -> list[Feeds]:
    """Normal noise for each input; free sizes are 1, then 224."""
    rng = np.random.default_rng(1)
    constants = {w.name for w in model.graph.initializer}
    shapes = {
        i.name: [d.dim_value or (1 if k == 0 else 224) for k, d in enumerate(i.type.tensor_type.shape.dim)]
        for i in model.graph.input
        if i.name not in constants
    }
    return [{n: rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()} for _ in range(SAMPLES)]


def prepare(name: str) -> Models:
    """Make or read the model, quantize it by both tools from the same samples."""
    model = NETWORKS[name]() if name in NETWORKS else onnx.load(name)
    samples = samples_for(model)
    with tempfile.TemporaryDirectory() as folder:
        plain, ready, out = (str(Path(folder) / f"{part}.onnx") for part in ("plain", "ready", "u8s8"))
        onnx.save(model, plain)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        types: dict[str, Any] = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(ready, out, Reader(samples), quant_format=QuantFormat.QDQ, per_channel=True, **types)
        peer = Path(out).read_bytes()
    data = {k: np.concatenate([s[k] for s in samples]) for k in samples[0]}
    ours = halfeven.quantize_model(model, data, method="max")
    return Models(Path(name).stem, model.SerializeToString(), peer, ours, samples[0])


def session(model: bytes, threads: int) -> ort.InferenceSession:
    """ONNX Runtime whose threads do not spin beside another's rounds."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads == 1 else "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def seconds(run: Callable[[], object]) -> float:
    """Seconds of the fastest of a few runs."""
    times = []
    for _ in range(RUNS_A_ROUND):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def compare(models: Models, threads: int, rounds: int) -> None:
    """Print one line for each engine."""
    floats, peer = session(models.floats, threads), session(models.peer, threads)
    engine, wanted = Engine(models.ours.program), [p.name for p in models.ours.outputs]
    start = time.perf_counter()
    engine.run(models.feeds, wanted, threads)
    print(f"{models.name}, {threads} thread(s), planned in {time.perf_counter() - start:.2f} s")
    cases: dict[str, Callable[[], object]] = {
        "halfeven": lambda: engine.run(models.feeds, wanted, threads),
        "onnxruntime float32": lambda: floats.run(None, models.feeds),
        "onnxruntime U8S8": lambda: peer.run(None, models.feeds),
    }
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds + 1):
        for name, run in cases.items():
            times[name].append(seconds(run))
    own = times["halfeven"][1:]
    for name, all_rounds in times.items():
        t = all_rounds[1:]
        ratio, best = statistics.median(own) / statistics.median(t), min(own) / min(t)
        print(f"  {name:<20} {statistics.median(t) * 1e3:8.2f} ms   ours is {ratio:.2f} of it, best {best:.2f}")


def layers(models: Models, threads: int, rounds: int) -> None:
    """Print the slowest steps of the plan, by the median of each."""
    engine = Engine(models.ours.program)
    engine.run(models.feeds, [p.name for p in models.ours.outputs], threads)
    for stage in engine.plans()[-1].stages:
        if not isinstance(stage, NativeStage):
            print(f"  step by step: {stage.instruction.name}")
            continue
        ends = stage.ends(models.feeds)
        spent = np.median([stage.plan.profile(*ends, threads) for _ in range(rounds)], axis=0)
        print(f"  {spent.sum() * 1e3:.2f} ms in {spent.size} steps, {stage.plan.arena_bytes / 1e6:.1f} MB of tensors")
        for k in np.argsort(-spent)[:12]:
            print(f"    {spent[k] * 1e6:8.1f} us {stage.steps[k]}")


def main() -> None:
    """Compare each model at each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(NETWORKS), help="resnet50, mobilenetv2, or float ONNX files")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--layers", action="store_true", help="also the slowest steps")
    arguments = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f}: more than a tenth of the cores makes the numbers below noise")
    for name in arguments.models:
        models = prepare(name)
        for threads in arguments.threads:
            compare(models, threads, arguments.rounds)
            if arguments.layers:
                layers(models, threads, arguments.rounds)


if __name__ == "__main__":
    main()
