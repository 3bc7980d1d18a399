"""The memory that calibration takes, told before it runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from halfeven.ptq import memory, segments
from halfeven.ptq.algorithms import walk
from halfeven.ptq.memory import CalibrationMemory, RefiningMemory, calibration_memory, refining_memory
from halfeven.ptq.quantize import quantize
from halfeven.ranges import Histogram, MinMax

Cleaned = Callable[..., ir.Model]
ROW = 4 * 1000  # bytes of float32 [1, 1000]
CHAIN = """g (float[N,1000] x) => (float[N,1000] y) {
    a = Relu(x)  b = Sigmoid(a)  c = Tanh(b)  y = Add(c, a) }"""


def tensors_of(model: ir.Model, wanted: list[str], rows: int = 1) -> int:
    return calibration_memory(model, wanted, {"x": (rows, 1000)}).tensors


@pytest.mark.parametrize(("taps", "most"), [(1, 3), (100, 5)])
def test_tensors_live_until_the_last_piece_that_reads_them(
    cleaned: Cleaned, monkeypatch: pytest.MonkeyPatch, taps: int, most: int
) -> None:
    monkeypatch.setattr(segments, "TAPS", taps)  # one tensor a piece: x, a, b; then a, b, c; then a, c, y
    assert tensors_of(cleaned(CHAIN), ["a", "b", "c", "y"]) == most * ROW  # one piece shows all, beside its input


def test_what_nobody_looks_at_is_dropped(cleaned: Cleaned) -> None:
    assert tensors_of(cleaned(CHAIN), ["y"]) == 4 * ROW  # the input, and a, c, y


def test_sizes_follow_the_shapes_that_are_given(cleaned: Cleaned) -> None:
    assert tensors_of(cleaned(CHAIN), ["y"], rows=7) == 7 * tensors_of(cleaned(CHAIN), ["y"])


def test_weights_statistics_and_kept_samples_count(cleaned: Cleaned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "runs_at_once", lambda: 3)
    w = np.zeros((1000, 50), np.float32)
    model = cleaned("g (float[N,1000] x) => (float[N,50] y) { y = MatMul(x, w) }", w=w)
    found = calibration_memory(model, ["x", "y"], {"x": (1, 1000)}, kind=MinMax, kept_bytes=77)
    weights = (1 + memory.PACKING) * w.nbytes  # one piece
    assert found == CalibrationMemory(weights, memory.SESSION_BYTES, ROW + 200, 3, 0, 77, {"x": (1, 1000)})
    assert found.total == weights + memory.SESSION_BYTES + 3 * round(memory.ARENA * (ROW + 200)) + 77
    histograms = calibration_memory(model, ["x", "y"], {"x": (1, 1000)}, kind=Histogram)
    assert histograms.statistics == 2 * 32 * 1024


def test_sizes_that_the_graph_does_not_tell_are_counted_as_such(cleaned: Cleaned) -> None:
    model = cleaned("g (float[N,4] x) => (float[M,2] y) { i = NonZero(x)  t = Transpose(i)  y = Cast<to = 1>(t) }")
    found = calibration_memory(model, ["y"], {"x": (2, 4)})
    assert found.unknown
    assert "of unknown size not counted" in str(found)


def test_quantize_says_it_before_the_first_sample_runs(cleaned: Cleaned) -> None:
    said: list[object] = []

    class Listener:
        def __call__(self, *done: int | None) -> None:
            said.append(done[0])

        def state(self, found: CalibrationMemory) -> None:
            said.append(found)

    w = np.random.default_rng(0).normal(size=(1000, 8)).astype(np.float32)
    model = ir.to_proto(cleaned("g (float[N,1000] x) => (float[N,8] y) { y = MatMul(x, w) }", w=w))
    data = np.random.default_rng(1).normal(size=(6, 1000)).astype(np.float32)
    result = quantize(model, data, algorithms=(), progress=Listener())
    assert said[0] == result.memory
    assert isinstance(said[0], CalibrationMemory)
    assert said[0].shapes == {"x": (1, 1000)}
    assert said[0].kept == 8 * ROW
    assert said[1] == 1


def test_algorithms_say_what_they_take(cleaned: Cleaned) -> None:
    w = np.random.default_rng(0).normal(size=(1000, 8)).astype(np.float32)
    model = cleaned("g (float[N,1000] x) => (float[N,8] y) { y = MatMul(x, w) }", w=w)
    live = ROW + 32
    found = refining_memory(model, {"x": (1, 1000)}, [(w.shape, 1, 1)], {"a": 5, "b": 7})
    assert found == RefiningMemory(3 * 7 * live, 2 * w.nbytes, 8 * (3 * 1000**2 + 10 * w.size), ("a", "b"))
    assert str(found).startswith(
        "a and b then take about 25 MB more: tensors of samples 85 KB, weights 64 KB, matrices"
    )
    many = refining_memory(model, {"x": (1, 1000)}, [], {"a": 10**9})
    assert (many.tensors, many.matrices) == (walk.MOST_HELD, 0)
    said: list[object] = []

    class Listener:
        def __call__(self, *_done: int | None) -> None:
            """Nothing to note."""

        def state(self, found: object) -> None:
            said.append(found)

    data = np.random.default_rng(1).normal(size=(6, 1000)).astype(np.float32)
    quantize(ir.to_proto(model), data, progress=Listener())
    assert said[1] == refining_memory(
        model, {"x": (1, 1000)}, [(w.shape, 1, 1)], {"second-order-rounding": 6, "bias-correction": 6}
    )


def test_small_sizes_are_not_rounded_to_nothing() -> None:
    said = str(CalibrationMemory(999, 600_000, 700, 2, 1_600_000, 0, {"x": (1, 4)}))
    assert said == (
        "calibration takes about 2 MB more memory, for any number of samples of x 1x4: tensors 2 x 1 KB, "
        "weights 999 B, sessions 600 KB, statistics 2 MB, kept samples 0 B"
    )
