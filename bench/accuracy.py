"""Accuracy of integer models on real networks and data, beside other tools on the same samples.

Float, our integer program (native backend, default settings), and each peer at its best of several settings, chosen by
the first score. No sample that calibrates is judged by. Models and data come by package name; what cannot be had is
skipped and said. Scores of peers are kept in the cache, for they change with the data and the tool's version alone.

    python bench/accuracy.py [--tasks rec det ...] [--peers onnxruntime nncf=PYTHON aimet=PYTHON] [--activations int16]

PYTHON is the interpreter of an environment that has that tool (pip install nncf openvino; pip install aimet-onnx).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from accuracy_peers import PEERS, Peer, PeerError, quantized
from accuracy_tasks import TASKS, Array, Counts, Run, Scores, Task, float_runner, samples

import halfeven
from halfeven.demo.cache import cache_folder, write_file
from halfeven.errors import UnavailableError
from halfeven.ptq.difference import Difference, Measure

PROTOCOL = 2  # of the peers' scripts: a change makes kept scores stale


@dataclass(frozen=True)
class Row:
    """What one tool made of one task."""

    tool: str
    setting: str
    scores: Scores
    seconds: float | None = None
    remark: str = ""


def judged(task: Task, options: argparse.Namespace) -> Iterator[Row]:
    """Float, ours, peers; each as soon as it is known."""
    yield Row("float", "", task.judge(float_runner(task.model, task.input_name)))
    yield ours(task, options)
    for peer, python in options.peers:
        yield best(peer, task, python, refresh=options.refresh)


def ours(task: Task, options: argparse.Namespace) -> Row:
    """Quantize with what `halfeven.quantize_model` does by default, but for the options of the command line."""
    chosen = {key: getattr(options, key) for key in ("activations", "weights", "method", "algorithms")}
    asked = {key: value for key, value in chosen.items() if value is not None}
    start = time.perf_counter()
    model = halfeven.quantize_model(task.model, list(samples(task)), **asked)
    seconds = time.perf_counter() - start
    scores = judged_beside_float(task, lambda x: model.run({task.input_name: x}, backend="native", threads=2))
    in_float = len(model.program.float_parts)
    setting = " ".join(" ".join(v) if isinstance(v, list) else str(v) for v in asked.values()) or "default"
    return Row("halfeven", setting, scores, seconds, f"{in_float} parts in float32" if in_float else "")


def judged_beside_float(task: Task, run: Run) -> Scores:
    """The task's scores and ``near dB``: the SQNR of all outputs against the float model's on the same inputs.

    A score may lie above the float model's by luck; no luck brings outputs nearer to it.
    """
    real, sums = float_runner(task.model, task.input_name), {}

    def both(x: Array) -> Mapping[str, Array]:
        found = run(x)
        for name, expected in real(x).items():
            if name in found:
                sums[name] = sums.get(name, Difference()) + Difference.between(expected, found[name])
        return found

    scores = task.judge(both)
    error = sum(Measure.SQNR.of(difference) for difference in sums.values())
    return {**scores, "near dB": -10 * math.log10(error)} if 0 < error < math.inf else scores


def best(peer: Peer, task: Task, python: str, *, refresh: bool) -> Row:
    """The setting of the peer with the best first score; settings that fail are named."""
    rows, failed = [], []
    for setting in peer.settings:
        found = kept(peer, task, setting, python, refresh=refresh)
        if "error" in found:
            failed.append(f"{setting}: {found['error']}")
        else:
            rows.append(Row(peer.name, setting, found["scores"], found["seconds"]))
    if not rows:
        return Row(peer.name, "-", {}, None, failed[0])
    first = max(rows, key=lambda row: tuple(row.scores.values()))
    others = f"of {len(rows)} settings" + (f"; failed: {'; '.join(failed)}" if failed else "")
    return Row(first.tool, first.setting, first.scores, first.seconds, others)


def kept(peer: Peer, task: Task, setting: str, python: str, *, refresh: bool) -> dict[str, Any]:
    """Scores and seconds, or the error, from the cache or measured now."""
    path = cache_folder() / "accuracy" / f"{digest(peer, task, setting, python)}.json"
    if path.is_file() and not refresh:
        return dict(json.loads(path.read_text()))
    start = time.perf_counter()
    try:
        with quantized(peer, task, setting, python) as run:
            seconds = time.perf_counter() - start
            found: dict[str, Any] = {"scores": judged_beside_float(task, run), "seconds": seconds}
    except PeerError as error:
        return {"error": str(error)}
    write_file(path, lambda staged: staged.write_text(json.dumps(found)))
    return found


def digest(peer: Peer, task: Task, setting: str, python: str) -> str:
    """Of everything that a peer's scores depend on."""
    known = hashlib.sha256(f"{PROTOCOL} {peer.name} {version(peer, python)} {setting} {task.input_name}".encode())
    known.update(task.model.read_bytes())
    for array in (*task.calibration, *task.evaluation):
        known.update(str(array.shape).encode())
        known.update(array.tobytes())
    return known.hexdigest()[:32]


def version(peer: Peer, python: str) -> str:
    """The tool's version in that interpreter."""
    code = f"from importlib.metadata import version; print(version('{peer.package}'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"accuracy.py: '{python}' has no {peer.package}: pip install {peer.package} there")
    return done.stdout.strip()


def show(task: Task, row: Row) -> None:
    scores = "  ".join(
        f"{name} {value:.4f}" if value < 2 else f"{name} {value:.1f}" for name, value in row.scores.items()
    )
    seconds = "" if row.seconds is None else f"{row.seconds:.0f} s"
    print(
        f"{task.name:20}{task.samples:6}  {row.tool:12}{row.setting:22}{scores:48}{seconds:>7}  {row.remark}",
        flush=True,
    )


def peer_of(text: str) -> tuple[Peer, str]:
    """``NAME`` or ``NAME=PYTHON``."""
    name, _, python = text.partition("=")
    if name not in PEERS:
        raise argparse.ArgumentTypeError(f"no peer is named '{name}': one of {', '.join(PEERS)} was expected")
    return PEERS[name], python or sys.executable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--peers", nargs="*", type=peer_of, default=[], metavar="NAME[=PYTHON]")
    parser.add_argument("--calibration", type=int, default=128, help="samples, 64 to 256")
    parser.add_argument("--quick", action="store_true", help="an eighth of the evaluation: a first look")
    parser.add_argument("--refresh", action="store_true", help="measure peers again")
    parser.add_argument("--activations", help="of halfeven's model, as for quantize_model; so for the next three")
    parser.add_argument("--weights")
    parser.add_argument("--method")
    parser.add_argument("--algorithms", nargs="*")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    for name in options.tasks:
        try:
            task = TASKS[name](Counts(options.calibration, options.quick))
        except UnavailableError as error:
            print(f"{name}: skipped: {error}", flush=True)
            continue
        for row in judged(task, options):
            show(task, row)


if __name__ == "__main__":
    main()
