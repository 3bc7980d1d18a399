"""The board headers as two programs: one over numbers from stdin, one over a stretch against a table of steps."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from case_set import Case, QuantizeCase
from findings import Finding, example
from numpy.typing import NDArray
from step_table import Index, StepTable, floats, sums

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "tests" / "native" / "headers"


def compile_headers(folder: Path) -> Path | None:
    """Compile both programs into ``folder``; None where there is no compiler."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))), None)
    if compiler is None:
        return None
    flags = ["-std=c++17", "-O2", "-I", str(ROOT / "native" / "include"), "-I", str(SOURCES)]
    for source in (SOURCES / "codes.cpp", Path(__file__).with_name("sweep.cpp")):
        subprocess.run([compiler, *flags, str(source), "-o", str(folder / source.stem)], check=True)
    return folder


def _limits(case: Case) -> list[str]:
    return [str(v) for v in (int(case.params.zero_point), case.params.qtype.qmin, case.params.qtype.qmax)]


def _words(case: Case, *sums_type: str) -> list[str]:
    storage = case.params.qtype.storage.name
    if isinstance(case, QuantizeCase):
        return ["quantize", case.profile.name, storage, f"{case.params.scale.view(np.uint32):08x}", *_limits(case)]
    numbers = [str(int(v)) for v in (case.multiplier.m0, case.multiplier.shift, case.multiplier.bits)]
    method = str(int(case.profile.requantize or 0))
    return ["requantize", method, *sums_type, storage, *numbers, *_limits(case)]


def header_codes(programs: Path, mode: str) -> Callable[[Case, Index], NDArray[Any]]:
    """Codes of any inputs, computed in that floating-point mode."""

    def codes(case: Case, index: Index) -> NDArray[Any]:
        data = (floats(index) if isinstance(case, QuantizeCase) else sums(index)).tobytes()
        command = [str(programs / "codes"), mode, *_words(case, "int32")]
        done = subprocess.run(command, input=data, capture_output=True, check=True)
        return np.frombuffer(done.stdout, case.params.qtype.storage)

    return codes


def header_sweep(programs: Path, mode: str) -> Callable[[Case, StepTable, int, int], Finding]:
    """A comparison with the table on every input of a stretch."""

    def sweep(case: Case, steps: StepTable, start: int, stop: int) -> Finding:
        table = np.concatenate([[len(steps.starts)], steps.starts, steps.codes.astype(np.int64)]).astype(np.int64)
        command = [str(programs / "sweep"), mode, str(start), str(stop), *_words(case)]
        done = subprocess.run(command, input=table.tobytes(), capture_output=True, check=True)
        differences, number, got, expected = map(int, done.stdout.split())
        examples = [example(number, got, expected)] if differences else []
        return Finding(stop - start, differences, 0.0, examples)

    return sweep
