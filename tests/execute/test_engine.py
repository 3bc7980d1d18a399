"""Whole native runs give the reference's bits: random programs, every instruction set, any threads, any shape."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from random_instructions import KINDS, cases
from random_programs import random_program
from small_models import cnn, images

import halfeven
from halfeven import _native
from halfeven.errors import NotANumberError, ParameterError
from halfeven.execute import reference
from halfeven.execute.engine import Engine, FloatStage
from halfeven.execute.run import reference_backend, run_program
from halfeven.ir import instructions as ir
from halfeven.ir.program import Program
from halfeven.ir.rescale import Accumulator, Rescale, Target
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Requantize
from halfeven.numerics.qtype import int8, uint8

THREADS = (1, 2, 3)
INT8 = Target(int8, 0, -128, 127)


def program_of(*instructions: ir.Instruction) -> Program:
    return Program("p", JOURNEY6, (), (), {}, {}, instructions)


def assert_same(got: Any, expected: Any, note: str = "") -> None:
    assert got.dtype == expected.dtype, note
    np.testing.assert_array_equal(got, expected, err_msg=note)


def check_random_program(seed: int) -> None:
    program, feeds, expected = random_program(seed)
    last = ir.results(program.instructions[-1])[0]
    middle = ir.results(program.instructions[len(program) // 2])[0]
    for wanted in ([last], [middle, last]):
        engine = Engine(program)
        for _ in range(2):  # planned, then run again
            found = engine.run(feeds, wanted, THREADS[seed % 3])
            for name in wanted:
                assert_same(found[name], expected[name], f"seed {seed}, {name}\n{program}")


@pytest.mark.parametrize("block", range(6))
def test_random_programs_equal_the_reference(block: int) -> None:
    for seed in range(block * 40, (block + 1) * 40):
        check_random_program(seed)


def check_instructions(kind: str, count: int, first: int) -> int:
    """How many of them ran in a plan."""
    planned = 0
    for seed, (instruction, arrays) in enumerate(cases(kind, count, first=first)):
        feeds = dict(zip(ir.operands(instruction), arrays, strict=True))
        wanted = ir.results(instruction)
        engine = Engine(program_of(instruction))
        found = engine.run(feeds, wanted, THREADS[seed % 3])
        for name, expected in zip(wanted, reference.step(instruction, arrays), strict=True):
            assert_same(found[name], expected, str(instruction))
        planned += not any(isinstance(stage, FloatStage) for stage in engine.plans()[-1].stages)
    return planned


@pytest.mark.parametrize("kind", KINDS)
def test_single_instructions_equal_the_reference(kind: str) -> None:
    assert check_instructions(kind, 20, 7000) > 0


@pytest.mark.parametrize("isa", [name for name, _, supported in _native.isa_names() if supported])
def test_every_instruction_set_gives_the_same_codes(isa: str) -> None:
    code = (
        "from test_engine import KINDS, check_instructions, check_random_program\n"
        "for seed in range(900, 980): check_random_program(seed)\n"
        "for kind in KINDS: check_instructions(kind, 6, 300)"
    )
    paths = [os.path.dirname(__file__), *sys.path]  # noqa: PTH120
    environment = {**os.environ, "HALFEVEN_ISA": isa, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def extreme_conv(code: int, x_zero: int, inputs: int, outputs: int, weight: int) -> tuple[ir.Conv, Any]:
    x = np.full((1, inputs, 4, 3), code, np.int8)
    w = np.full((outputs, inputs, 3, 3), weight, np.int8)
    bound = Accumulator.of(np.full(outputs, 255 * 128 * 9 * inputs))
    how = Rescale(Multiplier.from_real(2.0**-10 / inputs), INT8, Requantize.EXACT_HALF_EVEN)
    window = ir.Window((3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    zero, bias = np.zeros((), np.int64), np.zeros(outputs, np.int64)
    return ir.Conv("n", "x", "y", w, zero, bias, x_zero, window, 1, bound, how), x


@pytest.mark.parametrize("weight", [-128, 127])
@pytest.mark.parametrize(("code", "zero"), [(-128, 127), (127, -128), (-128, 0), (127, 0)])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (65, 97), (500, 16)])
def test_the_largest_sums_do_not_saturate(weight: int, code: int, zero: int, inputs: int, outputs: int) -> None:
    conv, x = extreme_conv(code, zero, inputs, outputs, weight)
    engine = Engine(program_of(conv))
    assert_same(engine.run({"x": x}, ["y"])["y"], reference.step(conv, [x])[0])
    assert not isinstance(engine.plans()[0].stages[0], FloatStage)


def test_a_convolution_takes_the_addition_behind_it() -> None:
    conv, x = extreme_conv(100, 3, 8, 8, 1)
    add = ir.Add("a", "y", "x", "z", 0, 3, 16000, 20000, 15, INT8)
    engine = Engine(program_of(conv, add))
    expected = run_program(program_of(conv, add), {"x": x}, ["z"], reference_backend())
    assert_same(engine.run({"x": x}, ["z"])["z"], expected["z"])
    assert "Conv+Add n" in engine.plans()[0].steps
    both = engine.run({"x": x}, ["y", "z"])  # not where the convolution's own result is asked for
    assert_same(both["y"], reference.step(conv, [x])[0])
    assert_same(both["z"], expected["z"])


def test_shapes_are_planned_as_they_come() -> None:
    model = halfeven.quantize_model(cnn(), {"image": images(4)})
    engine = Engine(model.program)
    for size in (12, 15, 12, 9, 15):
        feeds = {"image": np.random.default_rng(size).normal(0, 1, (2, 3, 12, size)).astype(np.float32)}
        expected = run_program(model.program, feeds, ["score"], reference_backend())
        assert_same(engine.run(feeds, ["score"], 1)["score"], expected["score"])
    assert len(engine.plans()) == 6  # each size for one sample, and for two at once
    assert not any(isinstance(stage, FloatStage) for plan in engine.plans() for stage in plan.stages)


def test_a_model_runs_its_engine() -> None:
    model = halfeven.quantize_model(cnn(), {"image": images(4)})
    feeds = {"image": images(2)}
    assert_same(model.run(feeds)["score"], model.run(feeds, backend="reference")["score"])
    assert len(model._engine.plans()) == 1


def test_several_threads_share_an_engine() -> None:
    model = halfeven.quantize_model(cnn(), {"image": images(4)})
    engine = Engine(model.program)
    feeds = [{"image": images(1 + k % 2, seed=k)} for k in range(24)]
    expected = [run_program(model.program, f, ["score"], reference_backend())["score"] for f in feeds]
    with ThreadPoolExecutor(4) as pool:
        for got, wanted in zip(pool.map(lambda f: engine.run(f, ["score"])["score"], feeds), expected, strict=True):
            assert_same(got, wanted)


def test_nan_is_refused_at_each_run() -> None:
    quantize = ir.Quantize("n", "x", "y", AffineParams(1.0, 0, uint8), JOURNEY6)
    engine = Engine(program_of(quantize))
    good, bad = np.zeros((1, 3, 4, 4), np.float32), np.full((1, 3, 4, 4), np.nan, np.float32)
    for feeds in (bad, good, bad):
        if feeds is good:
            assert_same(engine.run({"x": good}, ["y"])["y"], np.zeros(good.shape, np.uint8))
            continue
        with pytest.raises(NotANumberError) as caught:
            engine.run({"x": feeds}, ["y"])
        assert caught.value.count == 48


def test_what_does_not_fit_is_refused_by_name() -> None:
    conv, _ = extreme_conv(1, 0, 4, 4, 1)
    with pytest.raises(ParameterError, match=r"Conv 'n': .*do not fit together"):
        Engine(program_of(conv)).run({"x": np.zeros((1, 3, 4, 4), np.int8)}, ["y"])


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5, 9])
@pytest.mark.parametrize("channels", [4, 24, 32, 64, 96, 100, 144])
def test_depthwise_convolutions_of_any_width_are_exact(channels: int, kernel: int, stride: int) -> None:
    rng = np.random.default_rng(channels)
    x = rng.integers(-128, 128, (2, channels, 11, 13)).astype(np.int8)
    w = rng.integers(-128, 128, (channels, 1, kernel, kernel)).astype(np.int8)
    bound = Accumulator.of(np.full(channels, 255 * 128 * kernel**2))
    how = Rescale(Multiplier.from_real(rng.uniform(0.5, 2, channels) / 500 / kernel), INT8, Requantize.EXACT_HALF_EVEN)
    pads = ((kernel // 2, kernel // 2),) * 2
    window = ir.Window((kernel, kernel), (stride, stride), pads, (1, 1))
    zero, bias = np.zeros((), np.int64), rng.integers(-9999, 9999, channels)
    conv = ir.Conv("n", "x", "y", w, zero, bias, -7, window, channels, bound, how)
    expected = reference.step(conv, [x])[0]
    for threads in THREADS:
        assert_same(Engine(program_of(conv)).run({"x": x}, ["y"], threads)["y"], expected)


@pytest.mark.parametrize(
    ("groups", "size", "kernel", "strides", "dilations", "pads"),
    [
        (1, (14, 14), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
        (1, (9, 28), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
        (1, (7, 29), (3, 3), (2, 2), (1, 1), ((1, 1), (1, 1))),
        (1, (11, 28), (3, 3), (2, 2), (1, 1), ((0, 1), (0, 1))),  # beyond the last window there is more image
        (1, (8, 15), (1, 3), (1, 1), (1, 1), ((0, 0), (2, 0))),
        (1, (9, 12), (5, 1), (3, 1), (1, 1), ((3, 0), (0, 0))),
        (1, (6, 26), (3, 3), (1, 1), (2, 3), ((2, 4), (3, 3))),
        (2, (5, 13), (2, 4), (1, 1), (1, 1), ((1, 0), (0, 3))),  # channels of a group lie apart
        (1, (2, 2), (1, 2), (1, 20), (1, 1), ((0, 0), (245, 0))),  # the image is behind the last window
        (1, (1, 17), (3, 4), (1, 1), (1, 1), ((1, 1), (0, 0))),
        (1, (40, 48), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),  # more rows than a thread takes at once
    ],
)
def test_convolutions_of_whole_tiles_are_exact_with_any_padding(
    groups: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    strides: Any,
    dilations: Any,
    pads: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_native, "LEAST_WORK_PER_THREAD", 1.0)  # every thread gets a part
    rng = np.random.default_rng(5)
    channels, outputs = 64 * groups, 20 * groups
    x = rng.integers(-128, 128, (1, channels, *size)).astype(np.int8)
    w = rng.integers(-128, 128, (outputs, 64, *kernel)).astype(np.int8)
    window = ir.Window(kernel, strides, pads, dilations)
    bound = Accumulator.of(np.full(outputs, 255 * 128 * w[0].size + 9999))
    how = Rescale(Multiplier.from_real(0.0003), INT8, Requantize.EXACT_HALF_EVEN)
    bias = rng.integers(-9999, 9999, outputs)
    conv = ir.Conv("n", "x", "y", w, np.zeros((), np.int64), bias, -7, window, groups, bound, how)
    expected = reference.step(conv, [x])[0]
    for threads in (1, 2, 3, 7):
        assert_same(Engine(program_of(conv)).run({"x": x}, ["y"], threads)["y"], expected)


def first_conv(
    kernel: tuple[int, int] = (5, 3), strides: tuple[int, int] = (2, 1), dilation: int = 1
) -> tuple[Program, Any]:
    quantize = ir.Quantize("q", "x", "t", AffineParams(0.5, 9, int8), JOURNEY6)
    rng = np.random.default_rng(4)
    w = rng.integers(-128, 128, (20, 3, *kernel)).astype(np.int8)
    window = ir.Window(kernel, strides, ((2, 0), (0, 3)), (dilation, 1))
    bound = Accumulator.of(np.full(20, 255 * 128 * 3 * kernel[0] * kernel[1]))
    how = Rescale(Multiplier.from_real(0.001), INT8, Requantize.EXACT_HALF_EVEN)
    bias = rng.integers(-99, 99, 20)
    conv = ir.Conv("c", "t", "y", w, np.zeros((), np.int64), bias, 9, window, 1, bound, how)
    return program_of(quantize, conv), rng.normal(0, 40, (2, 3, 12, 17)).astype(np.float32)


@pytest.mark.parametrize("wanted", [["y"], ["y", "t"]])
@pytest.mark.parametrize(
    ("kernel", "strides", "dilation"),
    [
        ((5, 3), (2, 1), 1),  # lines of 16 bytes
        ((3, 3), (2, 2), 1),
        ((3, 4), (1, 3), 1),
        ((7, 7), (2, 2), 1),  # of 32, in pairs
        ((7, 7), (1, 1), 1),
        ((4, 8), (3, 1), 1),  # no pair begins where the next window does
        ((3, 12), (2, 2), 1),  # of 64
        ((2, 18), (1, 1), 1),  # of more
        ((3, 3), (1, 1), 2),
    ],
)
def test_a_first_convolution_reads_an_image_with_a_border(
    kernel: tuple[int, int], strides: tuple[int, int], dilation: int, wanted: list[str]
) -> None:
    program, x = first_conv(kernel, strides, dilation)
    expected = run_program(program, {"x": x}, wanted, reference_backend())
    for threads in THREADS:
        found = Engine(program).run({"x": x}, wanted, threads)
        for name in wanted:
            assert_same(found[name], expected[name])


def test_nan_behind_the_last_window_is_refused() -> None:
    program, x = first_conv((3, 3), (5, 5))
    x[1, 2, 11, 16] = np.nan
    with pytest.raises(NotANumberError, match="1"):
        Engine(program).run({"x": x}, ["y"], 2)


def test_an_image_that_is_too_small_is_refused_as_ever() -> None:
    program, _ = first_conv((5, 24))
    with pytest.raises(ParameterError, match="Conv 'c': a window of extent 24 does not fit"):
        Engine(program).run({"x": np.zeros((1, 3, 12, 9), np.float32)}, ["y"])


@pytest.mark.parametrize(("kernel", "stride", "pad", "extra"), [(2, 2, 0, 0), (3, 2, 1, 1), (4, 2, 1, 0), (3, 1, 1, 0)])
def test_transposed_convolutions_are_planned(kernel: int, stride: int, pad: int, extra: int) -> None:
    rng = np.random.default_rng(kernel)
    x = rng.integers(-128, 128, (2, 5, 6, 7)).astype(np.int8)
    w = rng.integers(-128, 128, (5, 18, kernel, kernel)).astype(np.int8)
    bound = Accumulator.of(np.full(18, 255 * 128 * 5 * kernel**2))
    how = Rescale(Multiplier.from_real(0.0005), INT8, Requantize.EXACT_HALF_EVEN)
    window = ir.Window((kernel, kernel), (stride, stride), ((pad, pad), (pad, pad)), (1, 1))
    zero, bias = np.zeros((), np.int64), rng.integers(-999, 999, 18)
    conv = ir.ConvTranspose("n", "x", "y", w, zero, bias, 11, window, (extra, extra), 1, bound, how)
    engine = Engine(program_of(conv))
    assert_same(engine.run({"x": x}, ["y"])["y"], reference.step(conv, [x])[0])
    assert not isinstance(engine.plans()[0].stages[0], FloatStage)


def test_tables_hold_every_code() -> None:
    x = np.arange(-128, 128, dtype=np.int8).repeat(3)
    table = np.random.default_rng(3).integers(0, 256, 256).astype(np.uint8)
    look_up = ir.Table("n", "x", "y", "f", -128, table)
    engine = Engine(program_of(look_up))
    assert_same(engine.run({"x": x}, ["y"])["y"], table.repeat(3))
    assert not isinstance(engine.plans()[0].stages[0], FloatStage)


def plans_of(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no plan hold more steps."""

    class Small(_native.Plan):
        def finish(self) -> None:
            if self.steps > most:
                raise ValueError("a plan's tensors take more than 2 GiB")
            super().finish()

    fake = SimpleNamespace(Plan=Small, LEAST_WORK_PER_THREAD=_native.LEAST_WORK_PER_THREAD)
    monkeypatch.setattr("halfeven.execute.plan.stage._native", fake)


def test_tensors_too_large_for_a_plan_run_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    first, x = first_conv()
    program = program_of(*first, ir.Table("f", "y", "z", "f", -128, np.arange(127, -129, -1).astype(np.int16)))
    expected = run_program(program, {"x": x}, ["z"], reference_backend())
    plans_of(3, monkeypatch)
    engine = Engine(program)
    for _ in range(2):
        assert_same(engine.run({"x": x}, ["z"])["z"], expected["z"])
    assert len(engine.plans()[0].stages) == len(program)


def test_an_instruction_too_large_for_a_plan_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    program, x = first_conv()
    plans_of(0, monkeypatch)
    with pytest.raises(ParameterError, match="more than 2 GiB: give smaller inputs"):
        Engine(program).run({"x": x}, ["y"])
