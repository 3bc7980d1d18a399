"""Walk a Program with one backend, freeing each tensor after its last use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import HalfevenError, NotANumberError, ParameterError, ResourceError
from halfeven.execute.float_part import run_float
from halfeven.execute.threads import default_threads
from halfeven.ir.instructions import Float, Instruction, Quantize, operands, results
from halfeven.ir.program import Program

Array = NDArray[Any]


@dataclass(frozen=True)
class Backend:
    """Executes instructions: ``step(instruction, arrays)`` in its own arrays, with the way in and out of NumPy.

    ``during`` makes what surrounds a run.
    """

    name: str
    step: Callable[[Instruction, Sequence[Any]], tuple[Any, ...]]
    from_numpy: Callable[[Array], Any]
    to_numpy: Callable[[Any], Array]
    during: Callable[[], AbstractContextManager[object]] = nullcontext


def run_program(
    program: Program,
    values: Mapping[str, Array],
    wanted: Sequence[str],
    backend: Backend,
    progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> dict[str, Array]:
    """Tensors ``wanted`` of a run that starts from ``values``.

    ``values`` may hold model inputs or tensors of codes inside the boundary; instructions whose results nobody
    wants, or that are given, are left out. ``progress`` is called with (instructions done, their number).

    Raises
    ------
    HalfevenError
        With the instruction's name, when one fails.
    """
    with backend.during():
        return _run(program, values, wanted, backend, progress)


def _run(
    program: Program,
    values: Mapping[str, Array],
    wanted: Sequence[str],
    backend: Backend,
    progress: Callable[[int, int], object],
) -> dict[str, Array]:
    todo = needed(program, set(values), wanted)
    alive: dict[str, Any] = {name: backend.from_numpy(a) for name, a in values.items()}
    for name in {n for i in todo for n in operands(i)} | set(wanted):
        if name in program.constants:
            alive[name] = backend.from_numpy(program.constants[name])
    uses = _uses(todo, wanted)
    for count, instruction in enumerate(todo, 1):
        arrays = [alive[name] for name in operands(instruction)]
        alive.update(zip(results(instruction), run_step(instruction, arrays, backend), strict=True))
        for name in operands(instruction):
            uses[name] -= 1
            if not uses[name]:
                del alive[name]
        progress(count, len(todo))
    return {name: backend.to_numpy(alive[name]) for name in wanted}


def run_step(instruction: Instruction, arrays: Sequence[Any], backend: Backend) -> tuple[Any, ...]:
    """Results of one instruction, in the backend's arrays; an error names the instruction."""
    with naming(instruction):
        if isinstance(instruction, Float):
            outputs = run_float(instruction, [backend.to_numpy(a) for a in arrays])
            return tuple(backend.from_numpy(a) for a in outputs)
        return backend.step(instruction, arrays)


@contextmanager
def naming(instruction: Instruction) -> Iterator[None]:
    """Name the instruction in what is raised inside, which becomes an error of ours where it is NumPy's."""
    place = f"{type(instruction).__name__} '{instruction.name}'"
    try:
        yield
    except NotANumberError as error:
        tensor = instruction.x if isinstance(instruction, Quantize) else instruction.name
        raise NotANumberError(error.count, tensor) from error
    except ResourceError as error:
        raise error.within(place) from error
    except HalfevenError as error:
        if str(error).startswith(place):
            raise
        raise type(error)(f"{place}: {error}") from error
    except (ValueError, IndexError) as error:
        raise ParameterError(f"{place}: {' '.join(str(error).split())}") from error


def needed(program: Program, given: set[str], wanted: Sequence[str]) -> list[Instruction]:
    """The instructions that ``wanted`` takes, where the tensors ``given`` are there already; in order."""
    missing, todo = set(wanted) - given, []
    for instruction in reversed(program.instructions):
        if missing & set(results(instruction)):
            todo.append(instruction)
            missing |= set(operands(instruction)) - given
    return todo[::-1]


def _uses(todo: Sequence[Instruction], wanted: Sequence[str]) -> dict[str, int]:
    uses = dict.fromkeys(wanted, 1)
    for instruction in todo:
        for name in operands(instruction):
            uses[name] = uses.get(name, 0) + 1
    return uses


def reference_backend() -> Backend:
    """The NumPy reference, which defines every answer."""
    from halfeven.execute import reference as module  # noqa: PLC0415

    return Backend("reference", module.step, module.from_numpy, module.to_numpy)


def native_backend(threads: int | None = None) -> Backend:
    """The compiled kernels; ``threads`` None for every core."""
    from halfeven.execute import native as module  # noqa: PLC0415

    count = default_threads() if threads is None else threads
    return Backend(
        "native", lambda i, arrays: module.step(i, arrays, threads=count), module.from_numpy, module.to_numpy
    )


def torch_backend(device: str = "cpu", threads: int | None = None) -> Backend:
    """PyTorch on a device; ``threads`` None for as many as PyTorch is set to."""
    from halfeven.execute import torch_backend as module  # noqa: PLC0415

    return Backend(
        "torch",
        module.step,
        lambda a: module.from_numpy(np.asarray(a), device),
        module.to_numpy,
        nullcontext if threads is None else lambda: module.on_threads(threads),
    )
