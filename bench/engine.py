"""Whole models at batch 1: the native engine beside ONNX Runtime and OpenVINO, each with its own quantization.

All in one process, rounds interleaved, medians compared: what else runs on the machine meets all alike. Read ratios,
not milliseconds, and only those of an idle machine; ``best`` is the ratio of the fastest rounds. ONNX Runtime's threads
do not spin between runs. ONNX Runtime has no fast kernels for signed activations on x86, so its integer model is U8S8;
OpenVINO gets that file, an S8S8 one, and NNCF's. LiteRT runs ResNet-50 and MobileNetV2, built in Keras, in an
interpreter of its own that has tensorflow-cpu (--litert). What is not installed is left out and named. Random weights
but for the last three networks; nothing here speaks of accuracy.

    python bench/engine.py [--seconds 2] [--threads 1 2] [--layers] [--litert PYTHON] [resnet50 ... MODEL.onnx]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from memory import resident_growth
from networks import NETWORKS
from peers import LITERT_NETWORKS, Feeds, Run, litert_run, peers, quantized_by_onnxruntime

import halfeven
from halfeven import _native
from halfeven.demo import efficientnet, ppocr
from halfeven.report.bench.benchmark import OURS, Benchmark, benchmark
from halfeven.report.bench.text import layer_rows
from halfeven.report.bench.timing import Times, interleaved

SAMPLES = 2
Other = tuple[str, Callable[[], Run]]
MIB = 1 << 20


@dataclass(frozen=True)
class Real:
    """A network with weights of its own, and the size that it is measured at."""

    file: Callable[[], Path]
    shape: tuple[int, ...]


REAL = {
    "efficientnet_lite0": Real(efficientnet.efficientnet_model, (1, 3, 224, 224)),
    "ppocr_det": Real(ppocr.det_model, (1, 3, 640, 480)),
    "ppocr_rec": Real(ppocr.rec_model, (1, 3, 48, 320)),
}


def read(name: str) -> tuple[onnx.ModelProto, list[Feeds]]:
    """The float model, and noise for it."""
    shape: tuple[int, ...] | None = None
    if name in NETWORKS:
        model = NETWORKS[name]()
    elif name in REAL:
        model, shape = onnx.load(REAL[name].file()), REAL[name].shape
    else:
        model = onnx.load(name)
    rng = np.random.default_rng(1)
    constants = {w.name for w in model.graph.initializer}
    shapes = {
        i.name: shape or [d.dim_value or (1 if k == 0 else 224) for k, d in enumerate(i.type.tensor_type.shape.dim)]
        for i in model.graph.input
        if i.name not in constants
    }
    return model, [{n: rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()} for _ in range(SAMPLES)]


def compare(name: str, threads: list[int], seconds: float, litert: str, *, layers: bool) -> None:
    """Print a table for each number of threads, and what was measured once."""
    model, samples = read(name)
    data = {k: np.concatenate([s[k] for s in samples]) for k in samples[0]}
    ours = halfeven.quantize_model(model, data, method="max")
    print(f"\n{Path(name).stem} {samples[0][next(iter(samples[0]))].shape}")
    found: dict[int, Benchmark] = {}
    for count in threads:
        others = list(peers(model, samples, count))
        if litert and name in LITERT_NETWORKS:
            others.append(("litert, xnnpack", partial(litert_run, litert, name, count)))
        found[count] = _one(ours, others, samples, count, seconds)
    if {1, 2} <= set(found):
        print(f"  1 -> 2 threads: {found[1].own.median_s / found[2].own.median_s:.2f} times as fast")
    _print_planning(ours, samples[0])
    _print_memory(ours, model, samples, next(iter(found.values())))
    if layers:
        for row in layer_rows(next(iter(found.values())), 12):
            print("    " + "  ".join(row))


def _one(
    ours: halfeven.QuantizedModel, others: list[Other], samples: list[Feeds], threads: int, seconds: float
) -> Benchmark:
    opened = ((name, _opened(name, make)) for name, make in others)
    runs = {name: run for name, run in opened if run is not None}
    own = benchmark(ours.program, b"", samples[0], threads=threads, seconds=0)
    wanted = [p.name for p in ours.outputs]
    engine = ours._engine  # noqa: SLF001  without the checks at the boundary, as the peers run
    engine.run(samples[0], wanted, threads)
    runs[OURS] = lambda: engine.run(samples[0], wanted, threads)
    times = interleaved(runs, seconds * len(runs))
    _print_times(times, threads, own)
    return Benchmark(**{**own.__dict__, "times": times})


def _opened(name: str, make: Callable[[], Run]) -> Run | None:
    try:
        run = make()
        run()
    except Exception as error:  # noqa: BLE001  a peer that refuses a model is a row, not the end
        print(f"  {name} does not run it: {' '.join(str(error).split())[:120]}")
        return None
    return run


def _print_times(times: dict[str, Times], threads: int, own: Benchmark) -> None:
    ours = times[OURS]
    share = 2 * own.macs / ours.median_s / own.peak
    print(f"  {threads} thread(s), {own.isa}: {share:.0%} of the integer peak, {own.peak / 1e9:.0f} GOPS")
    for name, t in times.items():
        ratio, best = ours.median_s / t.median_s, ours.best_s / t.best_s
        print(f"    {name:<20} {t.median_s * 1e3:8.2f} ms   halfeven / it {ratio:.2f}, best {best:.2f}")


def _print_planning(ours: halfeven.QuantizedModel, feeds: Feeds) -> None:
    from halfeven.execute.engine import Engine  # noqa: PLC0415
    from halfeven.lower import lower  # noqa: PLC0415

    start = time.perf_counter()
    program = lower(ours._graph, ours.profile)  # noqa: SLF001  loading the file is not lowering it
    lowered = time.perf_counter()
    Engine(program).run(feeds, [p.name for p in program.outputs], 1)
    print(f"  lowered in {lowered - start:.2f} s, planned and run once in {time.perf_counter() - lowered:.2f} s")


def _print_memory(
    ours: halfeven.QuantizedModel, model: onnx.ModelProto, samples: list[Feeds], found: Benchmark
) -> None:
    from halfeven.interop import to_bytes  # noqa: PLC0415

    peer = resident_growth("onnxruntime", quantized_by_onnxruntime(model, samples, signed=False), samples[0])
    own = resident_growth("halfeven", to_bytes(ours._graph), samples[0])  # noqa: SLF001
    planned = found.footprint.total
    print(
        f"  memory: {planned / MIB:.1f} MiB packed weights, tensors and tables, {planned / peer:.2f} of the "
        f"{peer / MIB:.1f} MiB that onnxruntime's U8S8 session adds to a process; "
        f"a loaded model of ours adds {own / MIB:.1f} MiB"
    )


def main() -> None:
    """Compare each model at each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*NETWORKS, *REAL]
    parser.add_argument("models", nargs="*", default=names, help=f"{', '.join(names)}, or float ONNX files")
    parser.add_argument("--seconds", type=float, default=2.0, help="of timing for each engine")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--layers", action="store_true", help="also the slowest layers")
    parser.add_argument("--litert", default="", metavar="PYTHON", help="an interpreter with tensorflow-cpu")
    arguments = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f}: more than a tenth of the cores makes the numbers below noise")
    for package in ("openvino", "nncf"):
        if not find_spec(package):
            print(f"{package} is not installed: pip install {package}")
    if not arguments.litert:
        print("LiteRT is left out: --litert PYTHON, an interpreter with tensorflow-cpu")
    print(f"instruction set {_native.active_isa()}")
    for name in arguments.models:
        compare(name, arguments.threads, arguments.seconds, arguments.litert, layers=arguments.layers)


if __name__ == "__main__":
    main()
