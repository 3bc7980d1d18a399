"""Products of words with bytes, by two planes of bytes where there are kernels, give the reference's bits."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from halfeven import _native
from halfeven.execute import reference
from halfeven.execute.engine import Engine
from halfeven.execute.plan.folded import stored_rescale
from halfeven.ir import instructions as ir
from halfeven.ir.program import Program
from halfeven.ir.rescale import Accumulator, Rescale, Target
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import JOURNEY6, Requantize
from halfeven.numerics.qtype import int8, int16, uint8, uint16

TARGETS = [Target(int16, 0, -32768, 32767), Target(int8, -5, -100, 127), Target(uint16, 40000, 0, 65535)]
TARGETS += [Target(uint8, 7, 3, 255), Target(int16, -32768, -32768, 0)]
ISAS = [name for name, _, supported in _native.isa_names() if supported]
EVERY_STEP = 1.0
LARGEST_DEPTH = (2**31 - 1) // (255 * 127)  # of weights 127 whose sums of bytes int32 holds


def drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any, *, extreme: bool) -> np.ndarray:
    info = np.iinfo(dtype)
    if extreme:
        return rng.choice([info.min, info.min + 1, info.max], shape).astype(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def rescale(sums: np.ndarray, target: Target, reach: float, method: Requantize) -> Rescale:
    return Rescale(Multiplier.from_real(reach * target.qtype.levels / sums), target, method)


def conv(rng: np.random.Generator, x_zero: int, *, extreme: bool, target: Target, method: Requantize) -> ir.Conv:
    """Any sizes; results of about the whole range of the target, or far beyond."""
    kernel = tuple(int(n) for n in rng.choice([1, 1, 2, 3], 2))
    group = int(rng.choice([1, 1, 3]))
    outputs, inputs = group * int(rng.integers(2, 40)), int(rng.integers(1, 90))
    w = drawn(rng, (outputs, inputs, *kernel), np.int8, extreme=extreme)
    bias = rng.integers(-(2**20), 2**20, outputs)
    sums = 65536 * (1 + np.abs(w.astype(np.int64)).sum(axis=(1, 2, 3))) + np.abs(bias)
    pads = tuple(tuple(int(n) for n in rng.integers(0, k, 2)) for k in kernel)
    window = ir.Window(kernel, tuple(int(n) for n in rng.integers(1, 3, 2)), pads, (1, 1))
    how = rescale(sums, target, float(rng.choice([1.0, 30.0])), method)
    zero = np.zeros((), np.int64)
    return ir.Conv("c", "x", "y", w, zero, bias, x_zero, window, group, Accumulator.of(sums), how)


def check(i: ir.Conv | ir.Linear, x: np.ndarray, threads: int, *, planes: bool) -> None:
    """Whole, and cut small."""
    engine = Engine(Program("p", JOURNEY6, (), (), {}, {}, (i,)))
    feeds = {"x": x}
    expected = reference.step(i, [x])[0]
    np.testing.assert_array_equal(engine.run(feeds, ["y"], threads)["y"], expected, err_msg=f"{x.shape} {i}")
    stage = engine.plan_for(feeds, ["y"], 1).stages[0]
    inputs, outputs = stage.ends(feeds)
    stage.plan.run(inputs, outputs, threads, 1, False, EVERY_STEP)
    np.testing.assert_array_equal(outputs[0], expected)
    assert any("planes" in key for key in engine._weights) == (planes and _native.ProductWeights.by_planes())


def check_random(count: int) -> None:
    for seed in range(count):
        rng = np.random.default_rng(seed)
        dtype, extreme = (np.int16, np.uint16)[seed % 2], seed % 3 == 0
        info = np.iinfo(dtype)
        x_zero = int(rng.choice([info.min, 0, info.max, rng.integers(info.min, info.max)]))
        method = Requantize.EXACT_HALF_UP if seed % 7 == 0 else Requantize.EXACT_HALF_EVEN
        target = TARGETS[seed % len(TARGETS)]
        i = conv(rng, x_zero, extreme=extreme, target=target, method=method)
        shape = (int(rng.integers(1, 3)), i.weight.shape[1] * i.group, *(int(n) for n in rng.integers(3, 14, 2)))
        check(i, drawn(rng, shape, dtype, extreme=extreme), 1 + seed % 3, planes=seed % 7 != 0)


def linear(depth: int, weight: int) -> ir.Linear:
    w, columns = np.full((depth, 1), weight, np.int8), 37
    w = np.concatenate([w] * columns, axis=1)
    sums = np.full(columns, 65536 * 128 * depth)
    how = rescale(sums, TARGETS[0], 1.0, Requantize.EXACT_HALF_EVEN)
    zero, bias = np.zeros((), np.int64), np.arange(columns, dtype=np.int64)
    return ir.Linear("l", "x", "y", w, zero, bias, -32768, Accumulator.of(sums), how)


def check_depths() -> None:
    """All depths about whole tiles; and the largest whose sums of bytes int32 holds, from where words take over."""
    rng = np.random.default_rng(0)
    for depth in (1, 3, 63, 64, 65, 66, 127, 128, 130, 300):
        for rows in (1, 15, 16, 17, 33, 70):
            check(linear(depth, -128), drawn(rng, (rows, depth), np.int16, extreme=False), 2, planes=True)
    for depth in (LARGEST_DEPTH, LARGEST_DEPTH + 1):
        for code in (-32768, 32767):
            x = np.full((17, depth), code, np.int16)
            for weight in (-127, 127):
                check(linear(depth, weight), x, 1, planes=depth == LARGEST_DEPTH)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("call", ["check_random(60)", "check_depths()"])
def test_planes_equal_the_reference(isa: str, call: str) -> None:
    paths = [os.path.dirname(__file__), *sys.path]  # noqa: PTH120
    environment = {**os.environ, "HALFEVEN_ISA": isa, "PYTHONPATH": os.pathsep.join(paths)}
    code = f"import test_planes; test_planes.{call}"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("isa", ISAS)
def test_sets_without_a_kernel_refuse(isa: str) -> None:
    index = [name for name, _, _ in _native.isa_names()].index(isa)
    kernel = _native.ProductWeights.by_planes(index)
    assert kernel == (isa == "avx512_amx")
    bias, multiplier = np.zeros(2, np.int32), np.ones(2)
    weights = _native.ProductWeights(np.ones(8, np.int8), 1, 4, bias, multiplier, _native.Pages(), index)
    plan = _native.Plan(isa=index)
    x, y = plan.tensor(8), plan.tensor(4)
    place = [x, 8, 0, y, 4, 0, 1]
    how = stored_rescale(Multiplier.from_real(0.5), TARGETS[0], Requantize.EXACT_HALF_EVEN)
    arguments = weights, place, np.zeros(0, np.int32), 8, x, how, np.zeros(2), 2
    if kernel:
        plan.planes_product(*arguments)
    else:
        with pytest.raises(ValueError, match="no kernel for this instruction set"):
            plan.planes_product(*arguments)
