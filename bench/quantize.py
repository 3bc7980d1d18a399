"""Quantize, dequantize and requantize side by side with other tools: medians of interleaved rounds in one process.

The floor is a plain copy that moves as many bytes. ``of copy`` is the share of its bandwidth, ``x numpy`` how many
times faster than the NumPy expression, which runs on one thread whatever the row says. Thread pools of peers are told
not to spin between calls, so that nobody runs beside another's idle loop.

    python bench/quantize.py [--rounds 9] [--elements 1048576 16777216]
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from halfeven import _native

SCALE, ZERO = np.float32([0.5]), np.int32([3])
M0, SHIFT = np.int64([(1 << 30) + 12345]), np.int32([40])
REAL = np.float32(M0 * 2.0**-40)


@dataclass(frozen=True)
class Case:
    """Something to time; ``kept`` are arrays that it knows by their addresses alone."""

    name: str
    run: Callable[[], Any]
    kept: tuple[NDArray[Any], ...] = ()


@dataclass(frozen=True)
class Group:
    """Cases that do the same work: ``size_bytes`` are read or written by each."""

    title: str
    size_bytes: int
    cases: list[Case]


def isas(operation: str, kernel: Callable[[int], Any]) -> list[Case]:
    """One case for each instruction set that runs here (those that share the kernels of another are left out)."""
    names = {name.rpartition("_")[2] for name in _native.kernel_names() if name.startswith(operation)}
    here = [(i, name) for i, (name, _, supported) in enumerate(_native.isa_names()) if supported and name in names]
    return [Case(f"halfeven {name}", lambda i=i: kernel(i)) for i, name in here]


def copy(size_bytes: int, threads: int) -> Case:
    """Half of ``size_bytes`` read, half of it written, in equal parts."""
    part = size_bytes // 2 // threads
    source, target = np.ones(part * threads, np.uint8), np.zeros(part * threads, np.uint8)
    pairs = [(target.ctypes.data + k * part, source.ctypes.data + k * part) for k in range(threads)]
    if threads == 1:
        return Case("copy", lambda: ctypes.memmove(*pairs[0], part), (source, target))
    pool = ThreadPoolExecutor(threads)
    run = lambda: list(pool.map(lambda pair: ctypes.memmove(*pair, part), pairs))  # noqa: E731
    return Case("copy", run, (source, target))


def onnxruntime_case(operator: str, x: NDArray[Any], y: NDArray[Any], threads: int) -> Case:
    # ONNX gives DequantizeLinear of int32 no zero point but 0.
    codes = x if operator == "DequantizeLinear" else y
    zero = np.array(ZERO[0] if codes.dtype != np.int32 else 0, codes.dtype)
    constants = [numpy_helper.from_array(SCALE.reshape(()), "s"), numpy_helper.from_array(zero, "z")]
    kind = helper.np_dtype_to_tensor_dtype
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "s", "z"], ["y"])],
        "one",
        [helper.make_tensor_value_info("x", kind(x.dtype), x.shape)],
        [helper.make_tensor_value_info("y", kind(y.dtype), y.shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, x.dtype, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, y.dtype, y.shape, y.ctypes.data)
    return Case(f"onnxruntime {operator}", lambda: session.run_with_iobinding(binding), (x, y))


def quantize_group(n: int, threads: int) -> Group:
    x = np.random.default_rng(0).normal(0, 30, n).astype(np.float32)
    codes, peers = np.empty(n, np.int8), np.empty(n, np.int8)
    how = -128, 127, 1, n, 0, True, 0
    ours = isas("quantize", lambda isa: _native.quantize(x, codes, SCALE, ZERO, *how, isa, threads))
    expected = np.clip(np.round(x / SCALE + np.float32(3)), -128, 127).astype(np.int8)
    check(ours, codes, expected)
    numpy = Case("numpy", lambda: np.clip(np.round(x / SCALE), -128, 127).astype(np.int8))
    torch = Case("torch.quantize_per_tensor", torch_quantize(x))
    ort = onnxruntime_case("QuantizeLinear", x, peers, threads)
    return Group("quantize float32 -> int8", 5 * n, [copy(5 * n, threads), numpy, torch, ort, *ours])


def torch_quantize(x: NDArray[np.float32]) -> Callable[[], Any]:
    tensor = torch.from_numpy(x)
    return lambda: torch.quantize_per_tensor(tensor, float(SCALE[0]), int(ZERO[0]), torch.qint8)


def dequantize_group(n: int, threads: int, dtype: type) -> Group:
    info = np.iinfo(dtype)
    q = np.random.default_rng(1).integers(info.min // 4, info.max // 4, n, dtype)
    values, peers = np.empty(n, np.float32), np.empty(n, np.float32)
    zero = ZERO if dtype is np.int8 else np.zeros_like(ZERO)
    ours = isas("dequantize", lambda isa: _native.dequantize(q, values, SCALE, zero, 1, n, isa, threads))
    check(ours, values, (q.astype(np.int64) - zero).astype(np.float32) * SCALE)
    numpy = Case("numpy", lambda: (q - zero).astype(np.float32) * SCALE)
    ort = onnxruntime_case("DequantizeLinear", q, peers, threads)
    cases = [copy((q.itemsize + 4) * n, threads), numpy, *torch_dequantize(n, dtype), ort, *ours]
    return Group(f"dequantize {np.dtype(dtype)} -> float32", (q.itemsize + 4) * n, cases)


def torch_dequantize(n: int, dtype: type) -> list[Case]:
    if dtype is not np.int8:
        return []
    quantized = torch.quantize_per_tensor(torch.randn(n), float(SCALE[0]), int(ZERO[0]), torch.qint8)
    return [Case("torch dequantize()", quantized.dequantize)]


def requantize_group(n: int, threads: int) -> Group:
    acc = np.random.default_rng(2).integers(-140_000, 140_000, n, np.int32)
    codes = np.empty(n, np.int8)
    how = 3, -128, 127, 1, n, 0, REAL
    ours = isas("requantize_s32", lambda isa: _native.requantize(acc, codes, M0, SHIFT, *how, isa, threads))
    real = float(M0[0]) * 2.0**-40
    check(ours, codes, np.clip(np.rint(acc * real) + 3, -128, 127).astype(np.int8))
    numpy = Case("numpy", lambda: np.clip(np.rint(acc * real) + 3, -128, 127).astype(np.int8))
    return Group("requantize int32 -> int8", 5 * n, [copy(5 * n, threads), numpy, *ours])


def check(cases: list[Case], result: NDArray[Any], expected: NDArray[Any]) -> None:
    """Only right answers are timed."""
    for case in cases:
        result.fill(0)
        case.run()
        np.testing.assert_array_equal(result, expected, err_msg=case.name)


def measure(group: Group, rounds: int) -> dict[str, float]:
    """Median seconds by name."""
    elapsed_s: dict[str, list[float]] = {case.name: [] for case in group.cases}
    for k in range(rounds + 1):
        for case in group.cases:
            start = time.perf_counter()
            case.run()
            if k:
                elapsed_s[case.name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in elapsed_s.items()}


def show(group: Group, elements: int, threads: int, rounds: int) -> None:
    medians = measure(group, rounds)
    print(f"\n{group.title}, {elements} elements, {threads} thread{'s' if threads > 1 else ''}")
    print(f"  {'':30}{'ms':>9}{'GB/s':>8}{'of copy':>9}{'x numpy':>9}")
    for name, seconds in medians.items():
        of_copy, times = medians["copy"] / seconds, medians["numpy"] / seconds
        print(f"  {name:30}{seconds * 1e3:9.3f}{group.size_bytes / seconds / 1e9:8.1f}{of_copy:9.2f}{times:9.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--elements", type=int, nargs="+", default=[1 << 20, 1 << 24])
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="torch.quantize_per_tensor.* deprecated", category=UserWarning)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    print(f"{cores} cores; active instruction set: {_native.active_isa()}; medians of {options.rounds} rounds")
    for elements in options.elements:
        for threads in sorted({1, cores}):
            torch.set_num_threads(threads)
            rounds = options.rounds * (5 if elements < 1 << 22 else 1)
            show(quantize_group(elements, threads), elements, threads, rounds)
            show(dequantize_group(elements, threads, np.int8), elements, threads, rounds)
            show(dequantize_group(elements, threads, np.int32), elements, threads, rounds)
            show(requantize_group(elements, threads), elements, threads, rounds)


if __name__ == "__main__":
    main()
