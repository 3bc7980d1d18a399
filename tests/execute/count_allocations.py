"""Print the most allocations of a run of each kind of instruction, with the counter of allocations.cc preloaded."""

from __future__ import annotations

import ctypes
import json

from random_instructions import KINDS, cases

from halfeven.execute.engine import Engine
from halfeven.execute.plan.planner import Planned
from halfeven.execute.plan.stage import NativeStage
from halfeven.ir import instructions as ir
from halfeven.ir.program import Program
from halfeven.numerics.profile import JOURNEY6

RUNS, THREADS, EVERY_STEP = 5, 3, 1.0


def most(planned: Planned, feeds: dict[str, object]) -> int:
    """The fewest of several runs: a thread's own room grows when it first meets a kernel."""
    counter = ctypes.CDLL(None).allocations
    counter.restype = ctypes.c_long
    found = []
    for stage in planned.stages:
        assert isinstance(stage, NativeStage)
        inputs, outputs = stage.ends(feeds)
        for _ in range(RUNS):
            before = counter()
            stage.plan.run(inputs, outputs, THREADS, 1, False, EVERY_STEP)
            found.append(counter() - before)
    return min(found, default=0)


def main() -> None:
    """Print {kind: allocations}."""
    counts = {}
    for kind in KINDS:
        counts[kind] = 0
        for instruction, arrays in cases(kind, 20, first=400):
            engine = Engine(Program("one", JOURNEY6, (), (), {}, {}, (instruction,)))
            feeds = dict(zip(ir.operands(instruction), arrays, strict=True))
            planned = engine.plan_for(feeds, ir.results(instruction), THREADS)
            counts[kind] = max(counts[kind], most(planned, feeds))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
