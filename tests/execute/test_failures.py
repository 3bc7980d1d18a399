"""What goes wrong in the middle of a run is a Python exception that says where, and the engine can be used again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_instructions import KINDS

from halfeven import _native
from halfeven.errors import HalfevenError, ParameterError, ResourceError
from halfeven.execute import native, reference
from halfeven.execute.engine import Engine
from halfeven.execute.run import native_backend, reference_backend, run_step
from halfeven.ir import instructions as ir
from halfeven.ir.program import Program
from halfeven.ir.rescale import Rescale, Target
from halfeven.ir.select import Extreme
from halfeven.ir.tables import PairTable
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import JOURNEY6, Requantize
from halfeven.numerics.qtype import int8

HERE = Path(__file__).parent
LENGTH = 200_000


@pytest.fixture(autouse=True)
def _every_step_is_cut() -> Iterator[None]:
    before = _native.LEAST_WORK_PER_THREAD
    _native.LEAST_WORK_PER_THREAD = 1.0
    yield
    _native.LEAST_WORK_PER_THREAD = before


def engine_of(*instructions: ir.Instruction) -> Engine:
    return Engine(Program("", JOURNEY6, (), (), {}, {}, instructions))


def of_four_bits() -> ir.Table:
    return ir.Table("f", "x", "y", "f", -8, np.arange(16, dtype=np.int8)[::-1].copy())


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("samples", [1, 9])
def test_a_step_that_fails_is_named_and_the_engine_goes_on(threads: int, samples: int) -> None:
    engine = engine_of(of_four_bits())
    right = np.random.default_rng(1).integers(-8, 8, (samples, LENGTH)).astype(np.int8)
    wrong = right.copy()
    wrong[samples // 2, LENGTH // 3] = 9
    expected = reference.step(of_four_bits(), [right])[0]
    for _ in range(3):
        np.testing.assert_array_equal(engine.run({"x": right}, ["y"], threads)["y"], expected)
        with pytest.raises(ParameterError, match=r"^Table 'f': code 9 has no entry in a table of the codes -8 to 7$"):
            engine.run({"x": wrong}, ["y"], threads)


def test_every_thread_may_fail() -> None:
    engine = engine_of(of_four_bits())
    for threads in (2, 3, 7):
        with pytest.raises(ParameterError, match="code 99 has no entry"):
            engine.run({"x": np.full((1, LENGTH), 99, np.int8)}, ["y"], threads)


@pytest.mark.parametrize("samples", [1, 8])
def test_memory_that_runs_out_in_a_run_is_told(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(_native.Plan):
        full = False

        def run(self, *arguments: Any) -> Any:
            if Full.full:
                raise MemoryError
            return super().run(*arguments)

    monkeypatch.setattr(_native, "Plan", Full)
    engine, x = engine_of(of_four_bits()), np.zeros((samples, 5), np.int8)
    first = engine.run({"x": x}, ["y"])["y"]
    Full.full = True
    with pytest.raises(ResourceError, match="a run needs"):
        engine.run({"x": x}, ["y"])
    Full.full = False
    np.testing.assert_array_equal(engine.run({"x": x}, ["y"])["y"], first)


TARGET = Target(int8, 0, -128, 127)
HOW = Rescale(Multiplier.from_real(0.01), TARGET, Requantize.EXACT_HALF_EVEN)
PAIRS = [
    PairTable("n", "a", "b", "y", "f", -128, -128, np.zeros((256, 256), np.int8)),
    ir.Add("n", "a", "b", "y", 0, 0, 1, 1, 0, TARGET),
    ir.Mul("n", "a", "b", "y", 0, 0, HOW),
    Extreme("n", "a", "b", "y", True),
]


@pytest.mark.parametrize("backend", [reference_backend(), native_backend()], ids=["reference", "native"])
@pytest.mark.parametrize("instruction", PAIRS, ids=lambda i: type(i).__name__)
def test_shapes_that_do_not_broadcast_are_our_error(backend: Any, instruction: Any) -> None:
    with pytest.raises(ParameterError, match=rf"^{type(instruction).__name__} 'n': .*broadcast"):
        run_step(instruction, [np.zeros((2, 3), np.int8), np.zeros((4,), np.int8)], backend)


def test_a_step_by_step_run_of_a_plan_s_refusal_is_the_same() -> None:
    with pytest.raises(HalfevenError, match="code 9 has no entry"):
        native.step(of_four_bits(), [np.array([9], np.int8)], threads=2)


def test_a_run_allocates_as_little_whatever_the_instruction(tmp_path: Path) -> None:
    """The lists that describe the caller's arrays, and what counts NaN: nothing below."""
    counter = tmp_path / "liballocations.so"
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    assert compiler is not None
    source = HERE / "allocations.cc"
    subprocess.run([compiler, "-std=c++20", "-O1", "-shared", "-fPIC", source, "-o", counter], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(counter), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, HERE / "count_allocations.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert set(counts) == set(KINDS)
    assert all(0 < count <= 8 for count in counts.values()), counts
