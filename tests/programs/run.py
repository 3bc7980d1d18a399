"""Thousands of random programs: the native engine equals the reference, on every instruction set and several threads.

``python tests/programs/run.py [--count 5000] [--seed 0] [--isa avx2 ...] [--threads 1 2 3 7] [--jobs N]``. Each program
runs planned, planned again, sample by sample where its samples are independent, and with every step cut among the
threads however small it is; besides as many single instructions of each kind as make up a tenth of the count. A
difference is printed with what repeats it, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

SUPPORT = Path(__file__).parents[1] / "support"
sys.path[:0] = [str(Path(__file__).parent), str(SUPPORT)]

from differences import Differences, Work, check  # noqa: E402  behind the path to it

from halfeven import _native  # noqa: E402

BLOCK = 20
SHOWN = 10


def main() -> int:
    """Read the command line, run, and print what differs."""
    arguments = _arguments()
    begin = time.monotonic()
    found: list[str] = []
    for isa in arguments.isa:
        os.environ["HALFEVEN_ISA"] = isa  # read once, when a process loads the engine
        done = _run(arguments)
        found += [f"HALFEVEN_ISA={isa} {line}" for line in done.lines]
        print(f"{isa}: {done.compared} comparisons, {len(done.lines)} differences", flush=True)
    for line in found[:SHOWN]:
        print(line)
    print(f"{len(found)} differences in all, {time.monotonic() - begin:.0f} s")
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    runs_here = [name for name, _, supported in _native.isa_names() if supported]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="programs")
    parser.add_argument("--seed", type=int, default=0, help="of the first")
    parser.add_argument("--isa", nargs="+", default=runs_here, choices=runs_here)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 3, 7])
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    arguments = parser.parse_args()
    if min(arguments.count, arguments.jobs, *arguments.threads) < 1:
        parser.error("--count, --jobs and --threads must be positive")
    return arguments


def _run(arguments: argparse.Namespace) -> Differences:
    context = multiprocessing.get_context("spawn")
    total = Differences()
    with ProcessPoolExecutor(arguments.jobs, context) as pool:
        for part in pool.map(check, _work(arguments)):
            total = total + part
    return total


def _work(arguments: argparse.Namespace) -> Iterator[Work]:
    threads = tuple(arguments.threads)
    for first in range(arguments.seed, arguments.seed + arguments.count, BLOCK):
        yield Work(first, min(BLOCK, arguments.seed + arguments.count - first), threads)


if __name__ == "__main__":
    sys.exit(main())
