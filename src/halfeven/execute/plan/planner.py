"""A plan for inputs of given shapes: stretches for the engine, and between them what it leaves to single steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from halfeven.errors import HalfevenError, ResourceError
from halfeven.execute.memory import check_memory
from halfeven.execute.plan import move_rules  # noqa: F401  registers its rules
from halfeven.execute.plan.call import call
from halfeven.execute.plan.layout import Shape
from halfeven.execute.plan.rules import take
from halfeven.execute.plan.samples import independent
from halfeven.execute.plan.stage import NativeStage, Stage
from halfeven.execute.run import native_backend, run_step
from halfeven.ir.instructions import Instruction, operands, results
from halfeven.ir.program import Program

Array = NDArray[Any]


@dataclass(frozen=True)
class StepStage:
    """An instruction that the engine leaves to the step by step kernels."""

    instruction: Instruction

    def run(self, arrays: dict[str, Array], threads: int, into: Mapping[str, Array] | None = None) -> None:
        """Add the results to ``arrays``."""
        del into  # the kernels make their own arrays
        operands_ = [arrays[name] for name in operands(self.instruction)]
        found = run_step(self.instruction, operands_, native_backend(threads or None))
        arrays.update(zip(results(self.instruction), found, strict=True))


PlannedStage = NativeStage | StepStage


@dataclass(frozen=True)
class Planned:
    """Every stage of a run, for inputs of given shapes.

    Attributes
    ----------
    per_sample : the one stage, where it may run sample by sample: planned for one sample, and samples do not mix.
    shapes : of every tensor.
    """

    stages: tuple[PlannedStage, ...]
    per_sample: NativeStage | None
    shapes: Mapping[str, Shape]

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

    def run(self, arrays: dict[str, Array], threads: int, into: Mapping[str, Array]) -> None:
        """Add the results of every stage to ``arrays``; into ``into`` where a result fits there."""
        for stage in self.stages:
            stage.run(arrays, threads, into)


class Planner:
    """Plans while it runs: what a step by step kernel makes tells the shapes that follow.

    Parameters
    ----------
    weights : packed weights by instruction, to be added to. arrays : constants and inputs; results are added.
    given : names of the inputs.
    """

    def __init__(
        self,
        program: Program,
        weights: dict[Any, Any],
        arrays: dict[str, Array],
        given: Sequence[str],
        wanted: Sequence[str],
        threads: int,
    ) -> None:
        self._todo = _needed(program, set(arrays), wanted)
        self._constants = frozenset(set(program.constants) - set(wanted))
        self._weights, self._arrays, self._threads = weights, arrays, threads
        self._given, self._wanted = given, wanted
        self._uses = dict.fromkeys(wanted, 1)
        self._readers: dict[str, Instruction] = {}
        for i in self._todo:
            for name in operands(i):
                self._uses[name] = self._uses.get(name, 0) + 1
                self._readers[name] = i
        self._stages: list[PlannedStage] = []
        self._shapes: dict[str, Shape] = {name: a.shape for name, a in arrays.items()}

    def plan(self) -> Planned:
        """Make the plan, and run it once."""
        stage, first = self._open(), 0
        for k, instruction in enumerate(self._todo):
            if _taken(instruction, stage):
                self._note_shapes(instruction, stage)
                continue
            self._close(stage, first, k)
            self._step(instruction)
            stage, first = self._open(), k + 1
        self._close(stage, first, len(self._todo))
        return Planned(tuple(self._stages), self._per_sample(), self._shapes)

    def _per_sample(self) -> NativeStage | None:
        if len(self._stages) != 1 or not isinstance(self._stages[0], NativeStage):
            return None
        stage = self._stages[0]
        apart = all(outer.name in self._given for outer in stage.inputs) and all(o.shape for o in stage.outputs)
        return stage if apart and independent(self._todo, self._shapes, self._given, self._wanted) else None

    def _note_shapes(self, instruction: Instruction, stage: Stage) -> None:
        for name in results(instruction):
            shape = stage.any_shape(name) or next((o.shape for o in stage.outputs if o.name == name), None)
            if shape is not None:
                self._shapes[name] = shape

    def _step(self, instruction: Instruction) -> None:
        step = StepStage(instruction)
        step.run(self._arrays, self._threads)
        self._shapes.update((name, self._arrays[name].shape) for name in results(instruction))
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
        fits = _finished(stage)
        planned = NativeStage(
            stage.plan, tuple(stage.inputs), tuple(stage.outputs), stage.quantized, tuple(stage.steps)
        )
        check_memory(planned.bytes, f"a run on {self._inputs()}")
        if not fits:
            for instruction in self._todo[first:k]:
                self._step(instruction)
            return
        planned.run(self._arrays, self._threads)
        self._stages.append(planned)

    def _inputs(self) -> str:
        return ", ".join(f"{name} {self._arrays[name].shape}" for name in self._given)


def _finished(stage: Stage) -> bool:
    try:
        stage.plan.finish()
    except ValueError:
        return False
    return True


def _taken(instruction: Instruction, stage: Stage) -> bool:
    """Whether the engine takes it; what it refuses is left to the step by step kernels, and to their words."""
    try:
        return take(instruction, stage) or call(instruction, stage)
    except ResourceError as error:
        raise error.within(f"{type(instruction).__name__} '{instruction.name}'") from None
    except (HalfevenError, ValueError, IndexError):
        return False


def _needed(program: Program, given: set[str], wanted: Sequence[str]) -> list[Instruction]:
    needed, todo = set(wanted) - given, []
    for instruction in reversed(program.instructions):
        if needed & set(results(instruction)):
            todo.append(instruction)
            needed |= set(operands(instruction)) - given
    return todo[::-1]
