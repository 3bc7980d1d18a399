"""Samples and stretches of inputs, path against reference: the work that processes share out."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from arithmetic_paths import REFERENCE, ArithmeticPath, Codes, all_paths
from case_set import FULL, MORE, SAMPLED, Case
from findings import Finding, WrongNanCount, example
from step_table import ALL, Index, StepTable, reference, sample, step_table

CASES: tuple[Case, ...] = (*FULL, *SAMPLED, *MORE)
CHUNK = 1 << 26
TABLE_BITS = 16  # wider codes have more steps than a table should hold


@dataclass(frozen=True)
class Stretch:
    """A path on the inputs ``start`` to ``stop - 1`` of a case."""

    case: int
    path: int
    start: int
    stop: int


Work = Stretch | int  # an int: the sample of that case, on every path
Found = dict[tuple[int, int], Finding]  # by case and path


def stretches(paths: list[ArithmeticPath]) -> list[Work]:
    """All inputs of the cases that each path runs in full."""
    rows = [(FULL.index(case), path) for path, way in enumerate(paths) for case in way.in_full]
    return [Stretch(case, path, start, start + CHUNK) for case, path in rows for start in range(0, ALL, CHUNK)]


def has_table(case: Case) -> bool:
    """Whether the case's steps are few enough for a table."""
    return case.params.qtype.bits <= TABLE_BITS


@cache
def paths_here(programs: Path | None) -> list[ArithmeticPath]:
    """Of this process."""
    return all_paths(programs)


@cache
def steps_of(case: int) -> StepTable:
    """Of a case; found once in each process."""
    return step_table(CASES[case])


def compare(case: Case, path: ArithmeticPath, index: Index, expected: Codes) -> Finding:
    """The path's codes of those inputs against the expected ones."""
    try:
        got = path.codes(case, index)
    except WrongNanCount as wrong:
        return Finding(len(index), 1, 0.0, [str(wrong)])
    if (got.shape, got.dtype) != (expected.shape, expected.dtype):
        return Finding(len(index), len(index), 0.0, [f"{got.dtype}{got.shape} for {expected.dtype}{expected.shape}"])
    if np.array_equal(got, expected):
        return Finding(len(index))
    wrong_at = np.flatnonzero(got != expected)
    k = wrong_at[0]
    return Finding(len(index), len(wrong_at), 0.0, [example(int(index[k]), got[k], expected[k])])


def timed(comparison: Callable[[], Finding]) -> Finding:
    """Its finding, with the time it took."""
    began = time.perf_counter()
    finding = comparison()
    finding.elapsed_s = time.perf_counter() - began
    return finding


def _compare_in_blocks(case: Case, path: ArithmeticPath, index: Index, expected: Codes) -> Finding:
    finding = Finding()
    for k in range(0, len(index), path.block):
        finding.add(compare(case, path, index[k : k + path.block], expected[k : k + path.block]))
    return finding


def check_sample(number: int, paths: list[ArithmeticPath]) -> Found:
    """Every path on the sample of a case; without a table the reference would only meet itself."""
    case = CASES[number]
    steps = steps_of(number) if has_table(case) else None
    index = sample(case, np.random.default_rng(zlib.crc32(case.name.encode())), steps)
    expected = reference(case, index) if steps is None else steps.at(index)
    return {
        (number, k): timed(partial(_compare_in_blocks, case, path, index, expected))
        for k, path in enumerate(paths)
        if steps is not None or path.name != REFERENCE
    }


def _sweep(case: Case, path: ArithmeticPath, steps: StepTable, start: int, stop: int) -> Finding:
    if path.sweep is not None:
        return path.sweep(case, steps, start, stop)
    finding = Finding()
    for first in range(start, stop, path.block):
        last = min(first + path.block, stop)
        finding.add(compare(case, path, np.arange(first, last), steps.expand(first, last)))
    return finding


def do(work: Work, programs: Path | None) -> Found:
    """The findings of a piece of work."""
    paths = paths_here(programs)
    if isinstance(work, int):
        return check_sample(work, paths)
    case, path, steps = CASES[work.case], paths[work.path], steps_of(work.case)
    return {(work.case, work.path): timed(partial(_sweep, case, path, steps, work.start, work.stop))}
