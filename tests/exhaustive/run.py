"""Every input on every path: all 2^32 float32 through quantize, all 2^32 int32 sums through requantize.

``python tests/exhaustive/run.py [--quick] [--jobs N]``. The yardstick is the NumPy reference: the table of its steps,
and in the thorough cases the reference itself on every input (step_table.py). Samples come first: around every step,
exponent and tie, and random blocks, of every profile with every type; ``--quick`` stops there. Exit status 1 if
anything differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from board_headers import compile_headers
from case_set import MORE
from checking import CASES, Found, Work, do, paths_here, stretches
from findings import Finding
from progress import print_summary, print_table, tracked

from halfeven import _native

Rows = dict[tuple[str, str], Finding]


def one_thread() -> None:
    """Each process keeps to one thread: there are as many of them as cores."""
    if "torch" in {path.name for path in paths_here(None)}:
        import torch  # noqa: PLC0415

        torch.set_num_threads(1)


def check(pool: ProcessPoolExecutor, work: list[Work], programs: Path | None, what: str) -> Rows:
    """Findings by case and path, in that order."""
    found: Found = {}
    done = (future.result() for future in as_completed([pool.submit(do, piece, programs) for piece in work]))
    for part in tracked(done, len(work), what):
        for key, finding in part.items():
            found.setdefault(key, Finding()).add(finding)
    paths = paths_here(programs)
    return {(CASES[case].name, paths[path].name): found[case, path] for case, path in sorted(found)}


def announce(programs: Path | None) -> None:
    """Name what this machine cannot run."""
    absent = [name for name, compiled, runs in _native.isa_names() if not (compiled and runs)]
    if absent:
        print(f"not on this machine: {', '.join(absent)}")
    if programs is None:
        print("no C++ compiler: the board headers are left out (apt-get install g++)")
    if "torch" not in {path.name for path in paths_here(programs)}:
        print("no torch: its path is left out (pip install torch)")


def run(jobs: int, *, quick: bool) -> int:
    """Print what was found; the number of differences."""
    with tempfile.TemporaryDirectory() as folder:
        programs = compile_headers(Path(folder))
        announce(programs)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context, initializer=one_thread) as pool:
            samples = len(CASES) - len(MORE) if quick else len(CASES)
            sampled = check(pool, list(range(samples)), programs, "samples")
            full = {} if quick else check(pool, stretches(paths_here(programs)), programs, "all inputs")
    print_summary(sampled)
    print_table({key: found for key, found in sampled.items() if found.differences})
    if full:
        print_table(full)
        print_summary(full)
    return sum(found.differences for rows in (sampled, full) for found in rows.values())


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Every input on every path, against the NumPy reference.")
    parser.add_argument("--quick", action="store_true", help="samples alone: a minute or less")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes (default: all cores)")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error("--jobs must be at least 1")
    began = time.monotonic()
    differences = run(arguments.jobs, quick=arguments.quick)
    print(f"{differences} differences in all, {time.monotonic() - began:.0f} s")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
