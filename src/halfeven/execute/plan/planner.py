"""A plan for inputs of given shapes: stretches for the engine, and between them what runs in float."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.execute import reference
from halfeven.execute.memory import check_memory
from halfeven.execute.moved import moved_shape
from halfeven.execute.plan import move_rules  # noqa: F401  registers its rules
from halfeven.execute.plan.call import call
from halfeven.execute.plan.layout import Shape
from halfeven.execute.plan.rules import take
from halfeven.execute.plan.samples import independent
from halfeven.execute.plan.stage import NativeStage, Stage
from halfeven.execute.plan.weights import Weights
from halfeven.execute.run import naming, native_backend, run_step
from halfeven.ir.instructions import Float, Instruction, operands, results
from halfeven.ir.moves import Concat

Array = NDArray[Any]


@dataclass(frozen=True)
class FloatStage:
    """A part of the model that has no integer form."""

    instruction: Float

    def run(self, arrays: dict[str, Array], threads: int, into: Mapping[str, Array] | None = None) -> None:
        """Add the results to ``arrays``."""
        del into  # ONNX Runtime makes its own arrays
        operands_ = [arrays[name] for name in operands(self.instruction)]
        found = run_step(self.instruction, operands_, native_backend(threads or None))
        arrays.update(zip(results(self.instruction), found, strict=True))


PlannedStage = NativeStage | FloatStage


@dataclass(frozen=True)
class Planned:
    """Every stage of a run, for inputs of given shapes.

    Attributes
    ----------
    fixed : tensors that no element of the inputs has a say in, since what they are made of has none.
    per_sample : the one stage, where it may run sample by sample: planned for one sample, and samples do not mix.
    shapes : of every tensor.
    """

    stages: tuple[PlannedStage, ...]
    fixed: Mapping[str, Array]
    per_sample: NativeStage | None
    shapes: Mapping[str, Shape]

    @property
    def steps(self) -> tuple[str, ...]:
        """What runs, in order; what runs in float in brackets."""
        names: list[str] = []
        for stage in self.stages:
            if isinstance(stage, NativeStage):
                names += stage.steps
            else:
                names.append(f"[{type(stage.instruction).__name__} {stage.instruction.name}]")
        return tuple(names)

    def run(self, arrays: dict[str, Array], threads: int, into: Mapping[str, Array]) -> None:
        """Add the results of every stage to ``arrays``; into ``into`` where a result fits there."""
        arrays.update((name, a.copy()) for name, a in self.fixed.items())
        for stage in self.stages:
            stage.run(arrays, threads, into)


class Planner:
    """Plans while it runs: what runs in float tells the shapes that follow.

    Parameters
    ----------
    todo : the instructions, in order. constants : names of the arrays that never change.
    weights : packed weights by instruction, to be added to. arrays : constants and inputs; results are added.
    given : names of the inputs.
    """

    def __init__(
        self,
        todo: Sequence[Instruction],
        constants: frozenset[str],
        weights: Weights,
        arrays: dict[str, Array],
        given: Sequence[str],
        wanted: Sequence[str],
        threads: int,
    ) -> None:
        self._todo = todo
        self._constants = set(constants)
        self._weights, self._arrays, self._threads = weights, arrays, threads
        self._given, self._wanted = given, wanted
        self._uses = dict.fromkeys(wanted, 1)
        self._readers: dict[str, Instruction] = {}
        for i in self._todo:
            for name in operands(i):
                self._uses[name] = self._uses.get(name, 0) + 1
                if not isinstance(i, Float) or name not in self._readers:  # one inside the engine, if there is one
                    self._readers[name] = i
        self._stages: list[PlannedStage] = []
        self._fixed: dict[str, Array] = {}
        self._shapes: dict[str, Shape] = {name: a.shape for name, a in arrays.items()}

    def plan(self) -> Planned:
        """Make the plan, and run it once.

        Raises
        ------
        HalfevenError
            With the instruction's name, where its operands do not fit, or a run fails.
        """
        stage, first = self._open(), 0
        for k, instruction in enumerate(self._todo):
            if isinstance(instruction, Float):
                self._close(stage, first, k)
                self._run_float(instruction)
                stage, first = self._open(), k + 1
            else:
                self._take(instruction, stage)
        self._close(stage, first, len(self._todo))
        return Planned(tuple(self._stages), self._fixed, self._per_sample(), self._shapes)

    def _per_sample(self) -> NativeStage | None:
        if len(self._stages) != 1 or not isinstance(self._stages[0], NativeStage) or self._fixed:
            return None
        stage = self._stages[0]
        apart = all(outer.name in self._given for outer in stage.inputs) and all(o.shape for o in stage.outputs)
        return stage if apart and independent(self._todo, self._shapes, self._given, self._wanted) else None

    def _take(self, instruction: Instruction, stage: Stage) -> None:
        """Make the instruction a part of the stage."""
        with naming(instruction):
            shapes = [stage.known_shape(name) for name in operands(instruction)]
            if any(0 in shape for shape in shapes):
                if not isinstance(instruction, Concat) or all(0 in shape for shape in shapes):
                    self._fix(instruction, stage, shapes)
                    return
                instruction = _without_empty(instruction, shapes)
            taken = take(instruction, stage) or call(instruction, stage)
            if not taken:
                raise ParameterError(_refusal(instruction, stage))
        for name in results(instruction):
            self._shapes[name] = stage.known_shape(name)
        self._note_fixed(instruction, stage)

    def _fix(self, instruction: Instruction, stage: Stage, shapes: Sequence[Shape]) -> None:
        """A result of nothing: the reference knows it, and no run changes it."""
        dtypes = [stage.dtype_of(name) for name in operands(instruction)]
        nothing = [np.zeros(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
        for name, a in zip(results(instruction), reference.step(instruction, nothing), strict=True):
            stage.fix(name, np.array(a))
        self._note_fixed(instruction, stage)

    def _note_fixed(self, instruction: Instruction, stage: Stage) -> None:
        """What turned out to be constant is so for every stage that follows."""
        for name in results(instruction):
            if name in stage.fixed:
                self._fixed[name] = self._arrays[name] = stage.fixed[name]
                self._constants.add(name)
                self._shapes[name] = stage.fixed[name].shape

    def _run_float(self, instruction: Float) -> None:
        stage = FloatStage(instruction)
        stage.run(self._arrays, self._threads)
        self._shapes.update((name, self._arrays[name].shape) for name in results(instruction))
        self._stages.append(stage)

    def _open(self) -> Stage:
        return Stage(self._arrays, self._weights, self._constants, self._uses, self._readers)

    def _close(self, stage: Stage, first: int, k: int) -> None:
        """Run the stage of instructions ``[first, k)``; each as its own where their tensors are too large together."""
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
        if fits:
            planned.run(self._arrays, self._threads)
            self._stages.append(planned)
        elif k - first > 1:
            for n in range(first, k):
                self._alone(n)
        else:
            raise ParameterError(f"the tensors of {self._todo[first].name} take more than 2 GiB: give smaller inputs")

    def _alone(self, k: int) -> None:
        stage = self._open()
        self._take(self._todo[k], stage)
        self._close(stage, k, k + 1)

    def _inputs(self) -> str:
        return ", ".join(f"{name} {self._arrays[name].shape}" for name in self._given)


def _finished(stage: Stage) -> bool:
    try:
        stage.plan.finish()
    except ValueError:
        return False
    return True


def _without_empty(i: Concat, shapes: Sequence[Shape]) -> Concat:
    """The same without the operands that have no elements; their shapes must fit all the same."""
    moved_shape(i, shapes)
    return replace(i, xs=tuple(name for name, shape in zip(i.xs, shapes, strict=True) if 0 not in shape))


def _refusal(instruction: Instruction, stage: Stage) -> str:
    what = ", ".join(f"{name} {stage.dtype_of(name)}{stage.known_shape(name)}" for name in operands(instruction))
    return f"the native engine has no kernel for {what}"
