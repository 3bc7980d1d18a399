"""What calibration costs beside plain inference of the same samples: seconds and peak memory, each in its own process.

Time counts from the model file to the result, reading the samples (a folder of .npy files) included and imports not;
memory is the greatest resident size of the whole process. Medians of interleaved rounds.

    python bench/calibration.py [--networks resnet50 rec det] [--samples 64 256] [--ways ...] [--rounds 3]

inference    onnxruntime, float, its default settings
statistics   ours: a histogram of every tensor that gets codes, and from it ranges by max, percentile, kl and mse
max          ours with extremes alone
ranges       quantize_model without accuracy algorithms: its default choice of ranges looks at a few samples again
minmax, entropy, percentile   onnxruntime.quantization's calibrators up to their ranges; they keep what they see, so
             each gets --limit-gb of memory and a row that says so where that was not enough
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

Sample = dict[str, NDArray[np.float32]]
GIB = 1 << 30


# --- in a process of its own: one way ---


def read_samples(folder: Path, count: int) -> Iterator[Sample]:
    """One at a time."""
    return ({"x": np.load(folder / f"{k}.npy")} for k in range(count))


def inference(model: Path, samples: Iterator[Sample]) -> None:
    """Plain, to compare with."""
    import onnxruntime as ort  # noqa: PLC0415

    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    for sample in samples:
        session.run(None, sample)


def our_statistics(model: Path, samples: Iterator[Sample], methods: tuple[str, ...]) -> int:
    """The first pass of quantize_model, and one range a tensor by each method; the peak that was stated before."""
    from halfeven.ptq.calibrate import calibrate  # noqa: PLC0415
    from halfeven.ptq.memory import calibration_memory  # noqa: PLC0415
    from halfeven.ptq.quantize import plan_quantization  # noqa: PLC0415
    from halfeven.ranges import Histogram, MinMax, choose_range  # noqa: PLC0415

    cleaned, plan = plan_quantization(model)
    kind = Histogram if len(methods) > 1 else MinMax
    tensors, first = plan.placement.observed, next(samples)
    memory = calibration_memory(cleaned.model, tensors, {n: a.shape for n, a in first.items()}, kind=kind)
    stated = memory.total + resident_bytes("VmRSS")
    seen, _ = calibrate(cleaned.model, tensors, chain([first], samples), kind=kind)
    for found in seen.values():
        for method in methods:
            choose_range(found, method)
    return stated


def our_ranges(model: Path, samples: Iterator[Sample]) -> None:
    """All of it."""
    from halfeven.ptq.quantize import quantize  # noqa: PLC0415

    quantize(model, samples, algorithms=())


def peer(method: str, model: Path, samples: Iterator[Sample]) -> None:
    """One of onnxruntime's calibrators, on the model as its own pre-processing leaves it."""
    from onnxruntime.quantization import CalibrationMethod, create_calibrator  # noqa: PLC0415
    from onnxruntime.quantization.calibrate import CalibrationDataReader  # noqa: PLC0415

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped
        def get_next(self) -> Sample | None:
            return next(samples, None)

    with tempfile.TemporaryDirectory() as folder:
        augmented = f"{folder}/augmented.onnx"
        made = create_calibrator(model, None, augmented, getattr(CalibrationMethod, method))
        made.collect_data(Reader())
        made.compute_data()


ALL = ("max", "percentile", "kl", "mse")
WAYS: dict[str, Callable[[Path, Iterator[Sample]], int | None]] = {
    "inference": inference,
    "statistics": lambda model, samples: our_statistics(model, samples, ALL),
    "max": lambda model, samples: our_statistics(model, samples, ("max",)),
    "ranges": our_ranges,
    "minmax": lambda model, samples: peer("MinMax", model, samples),
    "entropy": lambda model, samples: peer("Entropy", model, samples),
    "percentile": lambda model, samples: peer("Percentile", model, samples),
}


def import_first(way: str) -> None:
    """What is loaded is not what is timed."""
    import onnxruntime  # noqa: PLC0415

    if way in ("statistics", "max", "ranges"):
        import halfeven.lower  # noqa: PLC0415
        import halfeven.ptq.quantize  # noqa: F401, PLC0415
    elif way != "inference":
        import onnxruntime.quantization  # noqa: F401, PLC0415


def run_one(way: str, model: str, folder: str, count: str) -> None:
    """Print what it took, as JSON."""
    logging.disable(logging.WARNING)
    import_first(way)
    start, cpu = time.perf_counter(), time.process_time()
    try:
        stated = WAYS[way](Path(model), read_samples(Path(folder), int(count)))
    except Exception as error:  # noqa: BLE001  whatever a tool raises where memory ends
        print(json.dumps({"error": " ".join(str(error).split())[:100] or type(error).__name__}))
        return
    spent = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
    print(json.dumps({**spent, "bytes": resident_bytes("VmHWM"), "stated": stated}))


def resident_bytes(which: str) -> int:
    """Of this process: VmRSS now, VmHWM at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(which))


# --- all ways side by side ---


@dataclass(frozen=True)
class Case:
    """A model and a folder of its samples."""

    name: str
    model: Path
    folder: Path
    count: int


def resnet50(folder: Path) -> Path:
    """With random weights."""
    from networks import resnet50  # noqa: PLC0415

    onnx.save(resnet50(), folder / "model.onnx")
    return folder / "model.onnx"


def images(count: int) -> Iterator[NDArray[np.float32]]:
    """Noise that is smooth like pictures."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        small = rng.normal(0, 1, (1, 3, 28, 28)).astype(np.float32)
        yield small.repeat(8, axis=2).repeat(8, axis=3)


def lines(count: int) -> Iterator[NDArray[np.float32]]:
    """Of text, each at its own width."""
    from halfeven.demo import ppocr  # noqa: PLC0415
    from halfeven.demo.text_images import text_lines  # noqa: PLC0415

    return (ppocr.line_input(line.image) for line in text_lines(count, seed=1000))


def pages(count: int) -> Iterator[NDArray[np.float32]]:
    """Of text, 640 by 480."""
    from halfeven.demo import ppocr  # noqa: PLC0415
    from halfeven.demo.text_images import text_pages  # noqa: PLC0415

    return (ppocr.page_input(page.image) for page in text_pages(count, seed=1001))


def prepare(name: str, count: int, folder: Path) -> Case:
    """Write model and samples."""
    if name == "resnet50":
        model, samples = resnet50(folder), images(count)
    else:
        from halfeven.demo import ppocr  # noqa: PLC0415

        model, samples = (ppocr.rec_model(), lines(count)) if name == "rec" else (ppocr.det_model(), pages(count))
    for k, sample in enumerate(samples):
        np.save(folder / f"{k}.npy", sample)
    return Case(name, model, folder, count)


def measure(way: str, case: Case, limit_gb: float) -> dict[str, Any]:
    """In a new process, which may take so much memory."""
    command = [sys.executable, __file__, "--one", way, str(case.model), str(case.folder), str(case.count)]
    limit = int(limit_gb * GIB)
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    if done.returncode or not done.stdout.strip():
        return {"error": (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1][:100]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def show(case: Case, ways: list[str], rounds: int, limit_gb: float) -> None:
    """One row a way."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            if not any("error" in row for row in found[way]):
                found[way].append(measure(way, case, limit_gb))
    print(f"\n{case.name}, {case.count} samples")
    print(f"  {'':12}{'s':>9}{'ratio':>8}{'CPU s':>9}{'MB':>9}{'ratio':>8}{'stated':>9}")
    plain = found["inference"]
    for way, rows in found.items():
        if "error" in rows[-1]:
            print(f"  {way:12}  with {limit_gb:g} GiB: {rows[-1]['error']}")
            continue
        seconds, cpu, size = (statistics.median(row[key] for row in rows) for key in ("seconds", "cpu", "bytes"))
        times, larger = (
            statistics.median(row[key] for row in rows) / statistics.median(row[key] for row in plain)
            for key in ("seconds", "bytes")
        )
        stated = f"{rows[0]['stated'] / 1e6:9.0f}" if rows[0]["stated"] else ""
        print(f"  {way:12}{seconds:9.2f}{times:8.2f}{cpu:9.2f}{size / 1e6:9.0f}{larger:8.2f}{stated}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=["resnet50", "rec", "det"], default=["resnet50", "rec", "det"])
    parser.add_argument("--samples", nargs="+", type=int, default=[64, 256])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit-gb", type=float, default=6)
    options = parser.parse_args()
    ways = list(dict.fromkeys(["inference", *options.ways]))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cores} cores; medians of {options.rounds} rounds; ratios to plain inference")
    for name in options.networks:
        for count in options.samples:
            with tempfile.TemporaryDirectory() as folder:
                show(prepare(name, count, Path(folder)), ways, options.rounds, options.limit_gb)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_one(*sys.argv[2:])
    else:
        main()
