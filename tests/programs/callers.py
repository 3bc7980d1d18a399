"""Many Python threads run a few engines at once, for a while: what ThreadSanitizer watches, or any debugger.

``python tests/programs/callers.py [--seconds 10]``. Exit status 1 where a result is not the reference's.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import numpy as np
from random_programs import random_program

from halfeven import _native
from halfeven.execute.engine import Engine
from halfeven.ir import instructions as ir

ENGINES, CALLERS = 4, 5


class Case:
    """An engine, what it runs on, and the right answer."""

    def __init__(self, seed: int) -> None:
        program, self.feeds, arrays = random_program(seed)
        self.wanted = [ir.results(program.instructions[-1])[0]]
        self.expected = arrays[self.wanted[0]]
        self.engine = Engine(program)

    def right(self, threads: int) -> bool:
        """Whether a run gives the answer."""
        found: Any = self.engine.run(self.feeds, self.wanted, threads)[self.wanted[0]]
        return bool(np.array_equal(found, self.expected))


def run(seconds: float) -> tuple[int, int]:
    """Runs done, and how many of them were wrong."""
    _native.LEAST_WORK_PER_THREAD = 1.0  # every step goes through the pool
    cases = [Case(seed) for seed in range(ENGINES)]
    end = time.monotonic() + seconds

    def call(caller: int) -> tuple[int, int]:
        runs = wrong = 0
        while time.monotonic() < end:
            wrong += not cases[(caller + runs) % ENGINES].right(1 + (caller + runs) % 4)
            runs += 1
        return runs, wrong

    with ThreadPoolExecutor(CALLERS) as pool:
        found = list(pool.map(call, range(CALLERS)))
    return sum(runs for runs, _ in found), sum(wrong for _, wrong in found)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    runs, wrong = run(parser.parse_args().seconds)
    print(f"{runs} runs by {CALLERS} callers at once, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
