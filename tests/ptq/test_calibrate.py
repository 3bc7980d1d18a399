"""Calibration: every value seen once, whatever the order, the pieces and the threads."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from numpy.testing import assert_array_equal

from halfeven.errors import ModelError
from halfeven.ptq import segments
from halfeven.ptq.calibrate import calibrate
from halfeven.ptq.segments import tap
from halfeven.ranges import Histogram, MinMax

Cleaned = Callable[..., ir.Model]
RNG = np.random.default_rng(5)
# a residual net: tensors live across several pieces
GRAPH = """g (float[N,4] x) => (float[N,4] y) {
    a = Mul(x, k)  b = Tanh(a)  c = Add(b, x)  d = Relu(c)  e = Mul(d, a)
    f = Sigmoid(e)  h = Add(f, b)  y = Sub(h, x) }"""
TENSORS = ["x", "a", "b", "c", "d", "e", "f", "h", "y"]
K = np.array([3.0, -1.0, 0.5, 2.0], np.float32)


def by_hand(x: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor of GRAPH."""
    a = x * K
    b = np.tanh(a)
    c = b + x
    d = np.maximum(c, 0)
    e = d * a
    f = 1 / (1 + np.exp(-e))
    return {"x": x, "a": a, "b": b, "c": c, "d": d, "e": e, "f": f, "h": f + b, "y": f + b - x}


def feeds(count: int) -> list[dict[str, np.ndarray]]:
    return [{"x": RNG.normal(size=(k % 3 + 1, 4)).astype(np.float32)} for k in range(count)]


@pytest.mark.parametrize("taps", [1, 2, 3, 100])
def test_pieces_show_every_tensor_once(cleaned: Cleaned, monkeypatch: pytest.MonkeyPatch, taps: int) -> None:
    monkeypatch.setattr(segments, "TAPS", taps)
    tapped = tap(cleaned(GRAPH, k=K), TENSORS)
    assert len(tapped.segments) == -(-8 // taps)
    for feed in feeds(3):
        seen: dict[str, np.ndarray] = {}

        def see(name: str, array: np.ndarray, seen: dict[str, np.ndarray] = seen) -> None:
            assert name not in seen
            seen[name] = array.copy()

        tapped.run(feed, see)
        expected = by_hand(feed["x"])
        assert seen.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_allclose(seen[name], array, rtol=1e-5, atol=1e-6)  # onnxruntime's tanh is its own


def test_statistics_are_those_of_all_samples(cleaned: Cleaned) -> None:
    data = feeds(7)
    found, count = calibrate(cleaned(GRAPH, k=K), TENSORS, data)
    assert count == 7
    x = np.concatenate([f["x"] for f in data])
    assert found["x"] == MinMax().update(x)
    assert_array_equal([found["a"].lo, found["a"].hi], [(x * K).min(), (x * K).max()])


@pytest.mark.parametrize("kind", [MinMax, Histogram])
def test_shards_merge_to_the_whole(cleaned: Cleaned, kind: type[MinMax | Histogram]) -> None:
    model, data = cleaned(GRAPH, k=K), feeds(6)
    whole, _ = calibrate(model, TENSORS, data, kind=kind)
    first, _ = calibrate(model, TENSORS, data[4:], kind=kind)
    second, _ = calibrate(model, TENSORS, data[:4][::-1], kind=kind)
    assert {n: first[n].merge(second[n]) for n in TENSORS} == whole


def test_progress_counts_samples(cleaned: Cleaned) -> None:
    calls: list[tuple[int, int | None]] = []
    calibrate(cleaned(GRAPH, k=K), ["y"], feeds(3), lambda *c: calls.append(c), total=3)
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_few_samples_are_held(cleaned: Cleaned) -> None:
    alive = 0

    class Sample(dict[str, np.ndarray]):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def stream() -> object:
        nonlocal alive
        for feed in feeds(5):
            alive += 1
            assert alive <= 2  # the one before is dropped when the next one has come; what runs runs on copies
            yield Sample(feed)

    calibrate(cleaned(GRAPH, k=K), ["y"], stream())


def test_a_tensor_is_dropped_once_it_was_seen(cleaned: Cleaned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "TAPS", 100)  # one piece: nothing is read by a later one
    shown: dict[str, weakref.ref[np.ndarray]] = {}

    def see(name: str, array: np.ndarray) -> None:
        assert {n for n, known in shown.items() if known() is not None} <= {"x"}
        shown[name] = weakref.ref(array)

    feed = feeds(1)[0]
    tap(cleaned(GRAPH, k=K), TENSORS).run(feed, see)
    assert shown.keys() == set(TENSORS)


MANY_SAMPLES = """
from pathlib import Path
import numpy as np, onnx, onnx_ir as ir
from halfeven.ptq.calibrate import calibrate
from halfeven.ranges import Histogram

graph = "g (float[N] x) => (float[N] y) { a = Relu(x)  b = Sigmoid(x)  c = Add(a, b)  d = Mul(c, b)  y = Add(d, c) }"
proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> {graph}')
model = ir.from_proto(onnx.shape_inference.infer_shapes(proto))

def most_bytes(samples):
    rng = np.random.default_rng(0)
    stream = ({"x": rng.normal(size=1 << 18).astype(np.float32)} for _ in range(samples))
    calibrate(model, list("xabcdy"), stream, kind=Histogram)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

few = most_bytes(24)
print(most_bytes(96) - few)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads memory in /proc")
def test_memory_does_not_grow_with_samples() -> None:
    done = subprocess.run([sys.executable, "-c", MANY_SAMPLES], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 24 << 20  # one tensor of each of the 72 more samples would be 72 MiB


def test_a_buffer_that_is_used_again_is_copied(cleaned: Cleaned) -> None:
    data, buffer = feeds(9), {"x": np.empty((1, 4), np.float32)}

    def stream() -> object:
        for feed in data:
            buffer["x"][:] = feed["x"][:1]
            yield buffer

    found, _ = calibrate(cleaned(GRAPH, k=K), TENSORS, stream(), kind=Histogram)
    assert found == calibrate(cleaned(GRAPH, k=K), TENSORS, [{"x": f["x"][:1]} for f in data], kind=Histogram)[0]


def test_a_model_that_computes_nan_is_named(cleaned: Cleaned) -> None:
    model = cleaned("g (float[N,4] x) => (float[N,4] y) { t = Log(x)  y = Tanh(t) }")
    good, bad = {"x": np.ones((1, 4), np.float32)}, {"x": np.array([[1, 1, -1, 2]], np.float32)}
    node = next(n.name for n in model.graph if n.op_type == "Log")
    with pytest.raises(ModelError, match=rf"computes 1 NaN value\(s\) in tensor 't' \(node '{node}'\) from sample 1"):
        calibrate(model, ["x", "t", "y"], [good, bad])


def test_infinities_are_counted(cleaned: Cleaned) -> None:
    model = cleaned("g (float[N,4] x) => (float[N,4] y) { t = Log(x)  y = Tanh(t) }")
    found, _ = calibrate(model, ["t"], [{"x": np.array([[1, 0, np.e, 1]], np.float32)}])
    assert (found["t"].lo, found["t"].hi, found["t"].inf) == (0.0, 1.0, 1)


def test_a_sample_that_cannot_run_is_one_line(cleaned: Cleaned) -> None:
    model = cleaned("g (float[N,4] x, float[N,4] z) => (float[N,4] y) { y = Add(x, z) }")
    feed = {"x": np.ones((2, 4), np.float32), "z": np.ones((3, 4), np.float32)}
    with pytest.raises(ModelError, match="onnxruntime cannot run the float model on this sample") as caught:
        calibrate(model, ["y"], [feed])
    assert "\n" not in str(caught.value)


def test_values_captured_by_a_subgraph_reach_it(cleaned: Cleaned) -> None:
    graph = """g (float[N,4] x, bool c) => (float[N,4] y) {
        a = Tanh(x)  b = Relu(x)
        i = If (c) <then_branch = t () => (float[N,4] u) { u = Neg(a) },
                    else_branch = e () => (float[N,4] v) { v = Neg(b) }>
        y = Sigmoid(i) }"""
    found, _ = calibrate(
        cleaned(graph), ["a", "b", "i", "y"], [{"x": np.eye(4, dtype=np.float32), "c": np.array(True)}]
    )
    assert found["i"].lo == -found["a"].hi


SCRIPT = """
import hashlib, numpy as np, onnx.parser
from halfeven.interop import read_model
from halfeven.ptq.calibrate import calibrate
from halfeven.ranges import Histogram
text = 'g (float[N,64] x) => (float[N,48] y) { t = MatMul(x, w)  u = Relu(t)  y = MatMul(u, v) }'
m = onnx.parser.parse_model('<ir_version: 10, opset_import: ["" : 21]> ' + text)
r = np.random.default_rng(0)
w, v = r.normal(size=(64, 96)).astype('f'), r.normal(size=(96, 48)).astype('f')
m.graph.initializer.extend(onnx.numpy_helper.from_array(a, n) for a, n in ((w, 'w'), (v, 'v')))
data = [{'x': r.normal(size=(200, 64)).astype('f')} for _ in range(3)]
found, _ = calibrate(read_model(m), ['x', 't', 'u', 'y'], data, kind=Histogram)
text = repr([(n, s.extremes, s.exponent, s.counts.tobytes()) for n, s in found.items()])
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_the_number_of_threads_changes_nothing() -> None:
    def digest(cores: str) -> str:
        code = f"import os; os.sched_setaffinity(0, {cores})\n{SCRIPT}"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot pin a process to cores")
    cores = sorted(os.sched_getaffinity(0))
    assert digest(str({cores[0]})) == digest(str(set(cores)))
