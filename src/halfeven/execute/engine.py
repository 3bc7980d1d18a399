"""Whole runs in the native engine: planned once for the shapes of the inputs, then run with one call a stretch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from numpy.typing import NDArray

from halfeven.errors import HalfevenError
from halfeven.execute.plan import move_rules  # noqa: F401  registers its rules
from halfeven.execute.plan.rules import take
from halfeven.execute.plan.stage import NativeStage, Stage
from halfeven.execute.run import native_backend, run_step
from halfeven.ir.instructions import Instruction, operands, results
from halfeven.ir.program import Program

Array = NDArray[Any]
KEPT_PLANS = 8


@dataclass(frozen=True)
class StepStage:
    """An instruction that the engine leaves to the step by step kernels."""

    instruction: Instruction

    def run(self, arrays: dict[str, Array], threads: int) -> None:
        """Add the results to ``arrays``."""
        operands_ = [arrays[name] for name in operands(self.instruction)]
        found = run_step(self.instruction, operands_, native_backend(threads or None))
        arrays.update(zip(results(self.instruction), found, strict=True))


PlannedStage = NativeStage | StepStage


@dataclass(frozen=True)
class Planned:
    """Every stage of a run, for inputs of given shapes."""

    stages: tuple[PlannedStage, ...]

    @property
    def steps(self) -> tuple[str, ...]:
        """What runs, in order; instructions outside the engine in brackets."""
        names: list[str] = []
        for stage in self.stages:
            if isinstance(stage, NativeStage):
                names += stage.steps
            else:
                names.append(f"[{type(stage.instruction).__name__} {stage.instruction.name}]")
        return tuple(names)

    def run(self, arrays: dict[str, Array], threads: int) -> None:
        """Add the results of every stage to ``arrays``."""
        for stage in self.stages:
            stage.run(arrays, threads)


class Engine:
    """Runs of one Program. Weights are packed once; plans are kept by the shapes of the inputs.

    Several threads may run one engine at a time.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._weights: dict[Any, Any] = {}
        self._plans: OrderedDict[Any, Planned] = OrderedDict()
        self._lock = Lock()

    def run(self, values: Mapping[str, Array], wanted: Sequence[str], threads: int = 0) -> dict[str, Array]:
        """Tensors ``wanted`` of a run that starts from ``values``; bit for bit those of ``run_program``.

        Parameters
        ----------
        threads : 0 for every core; 1 never makes a thread. The results are the same.
        """
        constants = self._program.constants
        arrays = {name: constants[name] for name in constants} | dict(values)
        key = tuple((name, a.shape, a.dtype.str) for name, a in values.items()), tuple(wanted)
        with self._lock:
            planned = self._plans.get(key)
            if planned is None:
                self._plans[key] = self._plan(arrays, wanted, threads)  # which runs it, too
                if len(self._plans) > KEPT_PLANS:
                    self._plans.popitem(last=False)
            else:
                self._plans.move_to_end(key)
        if planned is not None:
            planned.run(arrays, threads)
        return {name: arrays[name] for name in wanted}

    def plans(self) -> tuple[Planned, ...]:
        """The plans made so far, the last used at the end."""
        return tuple(self._plans.values())

    def _plan(self, arrays: dict[str, Array], wanted: Sequence[str], threads: int) -> Planned:
        return _Planner(self._program, self._weights, arrays, wanted, threads).plan()


class _Planner:
    """Plans while it runs: what a step by step kernel makes tells the shapes that follow."""

    def __init__(
        self, program: Program, weights: dict[Any, Any], arrays: dict[str, Array], wanted: Sequence[str], threads: int
    ) -> None:
        self._todo = _needed(program, set(arrays), wanted)
        self._constants = frozenset(set(program.constants) - set(wanted))
        self._weights, self._arrays, self._wanted, self._threads = weights, arrays, wanted, threads
        self._uses = dict.fromkeys(wanted, 1)
        self._readers: dict[str, Instruction] = {}
        for i in self._todo:
            for name in operands(i):
                self._uses[name] = self._uses.get(name, 0) + 1
                self._readers[name] = i
        self._stages: list[PlannedStage] = []

    def plan(self) -> Planned:
        stage, first = self._open(), 0
        for k, instruction in enumerate(self._todo):
            if _taken(instruction, stage):
                continue
            self._close(stage, first, k)
            self._step(instruction)
            stage, first = self._open(), k + 1
        self._close(stage, first, len(self._todo))
        return Planned(tuple(self._stages))

    def _step(self, instruction: Instruction) -> None:
        step = StepStage(instruction)
        step.run(self._arrays, self._threads)
        self._stages.append(step)

    def _open(self) -> Stage:
        return Stage(self._arrays, self._weights, self._constants, self._uses, self._readers)

    def _close(self, stage: Stage, first: int, k: int) -> None:
        """Run the stage of instructions ``[first, k)``; one by one where its tensors are too large for a plan."""
        needed = {name for i in self._todo[k:] for name in operands(i)} | set(self._wanted)
        for name in [*stage.pending, *stage.images, *stage.held]:
            if name in needed and name not in self._arrays:
                stage.export(name)
        if not stage.outputs:
            return
        try:
            stage.plan.finish()
        except ValueError:
            for instruction in self._todo[first:k]:
                self._step(instruction)
            return
        ends = tuple(stage.inputs), tuple(stage.outputs)
        planned = NativeStage(stage.plan, *ends, stage.quantized, tuple(stage.steps))
        planned.run(self._arrays, self._threads)
        self._stages.append(planned)


def _taken(instruction: Instruction, stage: Stage) -> bool:
    """Whether the engine takes it; what it refuses is left to the step by step kernels, and to their words."""
    try:
        return take(instruction, stage)
    except (HalfevenError, ValueError, IndexError):
        return False


def _needed(program: Program, given: set[str], wanted: Sequence[str]) -> list[Instruction]:
    needed, todo = set(wanted) - given, []
    for instruction in reversed(program.instructions):
        if needed & set(results(instruction)):
            todo.append(instruction)
            needed |= set(operands(instruction)) - given
    return todo[::-1]
