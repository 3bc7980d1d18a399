"""Functions of codes become part of the steps that make the codes, with the reference's bits; of others they do not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute.engine import Engine
from halfeven.execute.run import reference_backend, run_program
from halfeven.ir import instructions as ir
from halfeven.ir.instructions import Instruction
from halfeven.ir.moves import Reshape
from halfeven.ir.program import Program
from halfeven.ir.rescale import Accumulator, Rescale, Target
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import JOURNEY6, Requantize
from halfeven.numerics.qtype import int8, uint8

Arrays = dict[str, NDArray[Any]]
INT8, UINT8 = Target(int8, 3, -128, 127), Target(uint8, 120, 0, 255)
ISAS = [name for name, _, supported in _native.isa_names() if supported]
THREADS = (1, 2, 3)
EVERY_STEP = 1.0  # work that a step is cut for


def conv(rng: np.random.Generator, shape: tuple[int, ...], group: int, pad: int, how: Requantize) -> ir.Conv:
    """From x to y, most results inside the clamp."""
    w = rng.integers(-127, 128, shape, np.int8)
    sums = 255 * np.abs(w.astype(np.int64)).sum(axis=tuple(range(1, w.ndim)))
    rescale = Rescale(Multiplier.from_real(300.0 / sums), INT8, how)
    window = ir.Window(shape[2:], (1, 1), ((pad, pad), (pad, pad)), (1, 1))
    zero, bias = np.zeros((), np.int64), rng.integers(-5000, 5000, len(w))
    return ir.Conv("c", "x", "y", w, zero, bias, -7, window, group, Accumulator.of(sums + 5000), rescale)


@dataclass(frozen=True)
class Case:
    """What makes y, from x and z; its step, and a shape of x."""

    make: Callable[[np.random.Generator], list[Instruction]]
    step: str
    shape: tuple[int, ...]
    other: tuple[int, ...] = (1,)


EXACT, UP = Requantize.EXACT_HALF_EVEN, Requantize.EXACT_HALF_UP
ADD = ir.Add("a", "x", "z", "y", 3, 5, 16000, 20000, 15, UINT8)
SUM = ir.Add("a", "y", "z", "s", 3, 5, 16000, 20000, 15, INT8)
MUL = ir.Mul("m", "x", "z", "y", 3, 5, Rescale(Multiplier.from_real(0.004), UINT8, EXACT))


def linear(rng: np.random.Generator) -> list[Instruction]:
    c = conv(rng, (77, 40, 1, 1), 1, 0, EXACT)
    w = np.ascontiguousarray(c.weight[:, :, 0, 0].T)
    return [ir.Linear("l", "x", "y", w, c.weight_zero, c.bias, c.x_zero, c.accumulator, c.rescale)]


CASES = {
    "pointwise": Case(lambda rng: [conv(rng, (77, 40, 1, 1), 1, 0, EXACT)], "Conv+Table c", (2, 40, 7, 9)),
    "window": Case(lambda rng: [conv(rng, (33, 5, 3, 3), 1, 1, EXACT)], "Conv+Table c", (1, 5, 13, 9)),
    "rows": Case(lambda rng: [conv(rng, (130, 128, 1, 1), 1, 0, EXACT)], "Conv+Table c", (1, 128, 25, 31)),
    "half up": Case(lambda rng: [conv(rng, (30, 5, 3, 3), 1, 1, UP)], "Conv+Table c", (1, 5, 8, 9)),
    "groups": Case(lambda rng: [conv(rng, (12, 4, 3, 3), 3, 1, EXACT)], "Conv+Table c", (1, 12, 8, 9)),
    "depthwise": Case(lambda rng: [conv(rng, (38, 1, 3, 3), 38, 1, EXACT)], "Depthwise+Table c", (2, 38, 30, 41)),
    "wide depthwise": Case(lambda rng: [conv(rng, (600, 1, 5, 5), 600, 2, UP)], "Depthwise+Table c", (1, 600, 9, 6)),
    "conv, sum": Case(
        lambda rng: [conv(rng, (77, 40, 1, 1), 1, 0, EXACT), SUM], "Conv+Add+Table c", (1, 40, 7, 9), (1, 77, 7, 9)
    ),
    "conv, broad sum": Case(
        lambda rng: [conv(rng, (16, 8, 1, 1), 1, 0, EXACT), replace(SUM, a="z", b="y")],
        "Add+Table a",
        (1, 8, 7, 9),
        (1, 16, 1, 1),
    ),
    "linear": Case(linear, "Linear+Table l", (1, 50, 40)),
    "sum": Case(lambda _: [ADD], "Add+Table a", (3, 70, 90, 3), (3, 70, 90, 3)),
    "broad sum": Case(lambda _: [ADD], "Add+Table a", (1, 38, 12, 9), (1, 38, 1, 1)),
    "product": Case(lambda _: [MUL], "Mul+Table m", (1, 38, 12, 9), (1, 38, 1, 1)),
    "equal product": Case(lambda _: [MUL], "Mul+Table m", (1, 38, 12, 29), (1, 38, 12, 29)),
    "table": Case(lambda rng: [table(rng, "t", "x", "y", np.int8, np.uint8)], "Table t", (1, 38, 12, 29)),
}


def table(rng: np.random.Generator, name: str, x: str, y: str, of: Any, to: Any) -> ir.Table:
    first, info = int(np.iinfo(of).min), np.iinfo(to)
    return ir.Table(name, x, y, "f", first, rng.integers(info.min, info.max, 256, to, endpoint=True))


def chain(rng: np.random.Generator, made: list[Instruction], through: list[Any]) -> list[Instruction]:
    """Functions behind it, from one type of codes to the next."""
    (y,) = ir.results(made[-1])
    names = [y, *(f"t{k}" for k in range(1, len(through)))]
    tables = zip(pairwise(names), pairwise(through), strict=True)
    return [*made, *(table(rng, b, a, b, of, to) for (a, b), (of, to) in tables)]


def feeds_of(rng: np.random.Generator, case: Case) -> Arrays:
    return {name: rng.integers(-128, 128, shape, np.int8) for name, shape in (("x", case.shape), ("z", case.other))}


def check(seed: int) -> None:
    """Every case, with one function behind it and with three, whole and cut small."""
    for (name, case), long in product(CASES.items(), (False, True)):
        rng = np.random.default_rng([seed, long, *name.encode()])
        made, feeds = case.make(rng), feeds_of(rng, case)
        (last,) = ir.results(made[-1])
        kind = run_program(program(made), feeds, [last], reference_backend())[last].dtype
        todo = chain(rng, made, [kind, np.int8, np.uint8, np.int8] if long else [kind, np.uint8])
        (wanted,) = ir.results(todo[-1])
        expected = run_program(program(todo), feeds, [wanted], reference_backend())[wanted]
        for threads, least in product(THREADS, (_native.LEAST_WORK_PER_THREAD, EVERY_STEP)):
            engine = Engine(program(todo))
            planned = engine.plan_for(feeds, [wanted], 1)
            stage = planned.stages[0]
            inputs, outputs = stage.ends(feeds)
            stage.plan.run(inputs, outputs, threads, 1, False, least)
            np.testing.assert_array_equal(outputs[0], expected, err_msg=f"{name}, {threads} threads")
            assert outputs[0].dtype == expected.dtype
            steps = [step for step in planned.steps if step != "Copy"]
            tiled = os.environ["HALFEVEN_ISA"] == "avx2" and steps[0].startswith("ConvByTiles")
            assert steps[-1] == case.step or tiled, (name, planned.steps)


def program(todo: list[Instruction]) -> Program:
    return Program("p", JOURNEY6, (), (), {}, {}, tuple(todo))


@pytest.mark.parametrize("isa", ISAS)
def test_functions_behind_steps_equal_the_reference(isa: str) -> None:
    paths = [os.path.dirname(__file__), *sys.path]  # noqa: PTH120
    environment = {**os.environ, "HALFEVEN_ISA": isa, "PYTHONPATH": os.pathsep.join(paths)}
    code = "import test_fused_tables; test_fused_tables.check(0)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def steps_of(todo: list[Instruction], feeds: Arrays, wanted: list[str]) -> list[str]:
    """The plan's, after its results were compared."""
    engine = Engine(program(todo))
    found = engine.run(feeds, wanted, 1)
    expected = run_program(program(todo), feeds, wanted, reference_backend())
    for name in wanted:
        np.testing.assert_array_equal(found[name], expected[name])
    return [step for step in engine.plan_for(feeds, wanted, 1).steps if step != "Copy"]


def test_codes_that_are_read_twice_stay_as_they_are() -> None:
    rng = np.random.default_rng(0)
    case = CASES["pointwise"]
    feeds = feeds_of(rng, case)
    made = case.make(rng)
    one, other = (table(rng, name, "y", name, np.int8, np.uint8) for name in ("t", "u"))
    apart = ["Conv c", "Table t"]
    assert steps_of([*made, one], feeds, ["t"]) == ["Conv+Table c"]
    assert steps_of([*made, one], feeds, ["y", "t"]) == apart
    assert steps_of([*made, one, other], feeds, ["t", "u"]) == [*apart, "Table u"]


def test_codes_that_are_seen_twice_stay_as_they_are() -> None:
    rng = np.random.default_rng(2)
    case = CASES["linear"]
    feeds, made = feeds_of(rng, case), case.make(rng)
    seen = [Reshape(name, "y", name, (-1, 77), False) for name in ("r", "s")]
    on_r, on_s = (table(rng, f"t{name}", name, f"t{name}", np.int8, np.uint8) for name in ("r", "s"))
    assert steps_of([*made, seen[0], on_r], feeds, ["tr"]) == ["Linear+Table l"]
    assert steps_of([*made, *seen, on_r, on_s], feeds, ["tr", "ts"]) == ["Linear l", "Table tr", "Table ts"]


def test_inputs_stay_as_they_are() -> None:
    rng = np.random.default_rng(1)
    feeds = feeds_of(rng, CASES["pointwise"])
    assert steps_of([table(rng, "t", "x", "t", np.int8, np.int8)], feeds, ["t"]) == ["Table t"]


def test_a_function_has_256_entries() -> None:
    plan = _native.Plan(isa=-1)
    with pytest.raises(ValueError, match="256"):
        plan.follow_with(plan.tensor(4), np.zeros(255, np.uint8))
    assert plan.follow_with(plan.tensor(4), np.zeros(256, np.uint8)) == []
