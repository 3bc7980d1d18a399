"""One block of random programs and instructions, native against the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from random_instructions import KINDS, cases
from random_programs import random_program

from halfeven import _native
from halfeven.errors import HalfevenError
from halfeven.execute import reference
from halfeven.execute.engine import Engine
from halfeven.execute.run import reference_backend, run_program
from halfeven.ir import instructions as ir
from halfeven.ir.program import Program
from halfeven.numerics.profile import JOURNEY6

Arrays = Mapping[str, Any]
EVERY_STEP = 1.0  # so little work is worth a thread: all steps are cut


@dataclass(frozen=True)
class Work:
    """Seeds ``[first, first + count)`` on each number of threads."""

    first: int
    count: int
    threads: tuple[int, ...]


@dataclass(frozen=True)
class Differences:
    """How many tensors were compared, and a line for each that differs."""

    compared: int = 0
    lines: tuple[str, ...] = ()

    def __add__(self, other: Differences) -> Differences:
        return Differences(self.compared + other.compared, self.lines + other.lines)


def check(work: Work) -> Differences:
    """Compare programs, and instructions: a tenth as many."""
    _native.LEAST_WORK_PER_THREAD = EVERY_STEP  # of this process
    found = Differences()
    for seed in range(work.first, work.first + work.count):
        found += _program(seed, work.threads)
        if seed % 10 == 0:
            found += _instruction(seed, work.threads)
    return found


def _program(seed: int, threads: Sequence[int]) -> Differences:
    program, feeds, expected = random_program(seed)
    last = ir.results(program.instructions[-1])[0]
    middle = ir.results(program.instructions[len(program) // 2])[0]
    engine, found = Engine(program), Differences()
    for count in threads:
        for wanted in ([last], [middle, last]):
            found += _compared(f"program {seed}", count, expected, lambda w=wanted, n=count: engine.run(feeds, w, n))
    return found + _batch(seed, program, feeds, last, threads)


def _batch(seed: int, program: Program, feeds: Arrays, last: str, threads: Sequence[int]) -> Differences:
    engine = Engine(program)
    first = {name: a[:1] for name, a in feeds.items()}
    try:
        engine.run(first, [last], 1)
    except (HalfevenError, ValueError):  # a program of another number of samples
        return Differences()
    if engine.plans()[0].per_sample is None:
        return Differences()
    batch = {n: np.concatenate([np.roll(a.ravel(), k).reshape(a.shape) for k in range(5)]) for n, a in first.items()}
    expected = run_program(program, batch, [last], reference_backend())
    found = Differences()
    for count in threads:
        found += _compared(f"batch of program {seed}", count, expected, lambda n=count: engine.run(batch, [last], n))
    return found


def _instruction(seed: int, threads: Sequence[int]) -> Differences:
    found = Differences()
    for kind in KINDS:
        ((instruction, arrays),) = cases(kind, 1, first=seed)
        feeds = dict(zip(ir.operands(instruction), arrays, strict=True))
        wanted = list(ir.results(instruction))
        expected = dict(zip(wanted, reference.step(instruction, arrays), strict=True))
        engine = Engine(Program("one", JOURNEY6, (), (), {}, {}, (instruction,)))
        for count in threads:
            run = lambda e=engine, f=feeds, w=wanted, n=count: e.run(f, w, n)  # noqa: E731  called at once
            found += _compared(f"{kind} {seed}", count, expected, run)
    return found


def _compared(what: str, threads: int, expected: Arrays, run: Callable[[], Arrays]) -> Differences:
    results = run()
    lines = [
        f"{what}, {threads} thread(s): {name} differs"
        for name, a in results.items()
        if a.dtype != expected[name].dtype or not np.array_equal(a, expected[name])
    ]
    return Differences(len(results), tuple(lines))
