"""Run every backend on the same samples and compare every tensor, bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import DataError
from halfeven.execute.engine import Engine
from halfeven.execute.run import Backend, run_program
from halfeven.ir.instructions import Instruction, results
from halfeven.ir.program import Port, Program

Array = NDArray[Any]
WHOLE = "native (whole runs)"  # layers fused, memory shared: as users run it; ``native`` goes node by node


@dataclass(frozen=True)
class Difference:
    """The first place where a backend left the reference.

    Attributes
    ----------
    sample : index of the sample. backend : who differs. instruction, tensor : where first.
    count, total : elements that differ, of how many. index : the first of them, with what was expected and got.
    """

    sample: int
    backend: str
    instruction: str
    tensor: str
    count: int
    total: int
    index: tuple[int, ...]
    expected: float
    got: float

    def __str__(self) -> str:
        return (
            f"{self.backend} differs from the reference at {self.instruction}, tensor '{self.tensor}', "
            f"sample {self.sample}: {self.count} of {self.total} elements, first at {list(self.index)}: "
            f"{self.got:g}, expected {self.expected:g}"
        )


@dataclass(frozen=True)
class Verification:
    """What was compared, and the differences: none when all agree."""

    backends: tuple[str, ...]
    samples: int
    tensors: int
    elements: int
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether every backend gave the reference's bits everywhere."""
        return not self.differences


def same_bits(a: Array, b: Array) -> NDArray[np.bool_]:
    """Where two arrays of one type hold the same bits (so NaN equals itself, and 0.0 differs from -0.0)."""
    if a.dtype.kind != "f":
        return np.asarray(a == b)
    width = np.dtype(f"u{a.dtype.itemsize}")
    return np.asarray(np.ascontiguousarray(a).view(width) == np.ascontiguousarray(b).view(width))


def first_difference(
    expected: Mapping[str, Array], got: Mapping[str, Array], program: Program, backend: str, sample: int
) -> Difference | None:
    """The earliest tensor, in the order of the program, that is not the same."""
    for instruction in program:
        for name in results(instruction):
            if (
                name in expected
                and name in got
                and (found := _compare(instruction, name, expected[name], got[name], backend, sample))
            ):
                return found
    return None


def _compare(
    instruction: Instruction, name: str, expected: Array, got: Array, backend: str, sample: int
) -> Difference | None:
    where = f"{type(instruction).__name__} '{instruction.name}'"
    if expected.dtype != got.dtype or expected.shape != got.shape:
        return Difference(sample, backend, where, name, got.size, expected.size, (), expected.ndim, got.ndim)
    unequal = ~same_bits(expected, got)
    if not unequal.any():
        return None
    index = tuple(int(k) for k in np.argwhere(unequal)[0])
    values = float(expected[index]), float(got[index])
    return Difference(sample, backend, where, name, int(unequal.sum()), expected.size, index, *values)


def verify(
    program: Program,
    samples: Iterable[Mapping[str, Array]],
    reference: Backend,
    others: Sequence[Backend],
    done: Callable[[int, Mapping[str, Array]], object] = lambda _count, _tensors: None,
) -> Verification:
    """Compare every tensor of every sample between ``reference`` and ``others``, and the outputs of whole native runs.

    At most one difference a run. ``done`` is called with the number of samples so far and the last one's tensors.
    """
    names = [*dict.fromkeys([name for i in program for name in results(i)] + [p.name for p in program.outputs])]
    engine, wanted = Engine(program), [p.name for p in program.outputs]
    count = elements = 0
    differences: list[Difference] = []
    for k, sample in enumerate(samples):
        expected = run_program(program, sample, names, reference)
        for backend in others:
            found = first_difference(expected, run_program(program, sample, names, backend), program, backend.name, k)
            differences += [found] if found else []
        found = first_difference(expected, engine.run(sample, wanted), program, WHOLE, k)
        differences += [found] if found else []
        count, elements = k + 1, elements + sum(a.size for a in expected.values())
        done(count, expected)
    return Verification((*(b.name for b in others), WHOLE), count, len(names), elements, tuple(differences))


def random_samples(
    program: Program, count: int, sizes: Mapping[str, tuple[int, ...]], seed: int = 0
) -> Iterator[dict[str, Array]]:
    """Samples that fill each input's range of codes and go a little beyond it; of inputs that take codes, any codes.

    Parameters
    ----------
    sizes : the shape of an input whose own is not fixed; a free first axis counts as 1.

    Raises
    ------
    DataError
        If an input's shape is not known, or the one given does not fit it.
    """
    rng = np.random.default_rng(seed)
    names = [p.name for p in program.inputs]
    unknown = [n for n in sizes if n not in names]
    if unknown:
        raise DataError(f"the model has no input '{unknown[0]}' to give a shape to: it has {', '.join(names)}")
    shapes = {p.name: _shape(p, sizes.get(p.name)) for p in program.inputs}
    for _ in range(count):
        yield {p.name: _random(rng, p, shapes[p.name]) for p in program.inputs}


def _random(rng: np.random.Generator, port: Port, shape: tuple[int, ...]) -> Array:
    if port.params is not None and port.takes_codes:
        return rng.integers(port.params.qtype.qmin, port.params.qtype.qmax, shape, port.dtype, endpoint=True)
    scale = 1.0 if port.params is None else float(port.params.scale) * port.params.qtype.levels / 2
    zero = 0.0 if port.params is None else float(port.params.zero_point) * float(port.params.scale)
    return np.asarray((rng.uniform(-1.1, 1.1, shape) * scale - zero).astype(port.dtype))


def _shape(port: Port, given: tuple[int, ...] | None) -> tuple[int, ...]:
    if given is None:
        return _fixed_shape(port.name, port.shape)
    free = port.shape or given
    fits = len(free) == len(given) and all(isinstance(n, str) or n == m for n, m in zip(free, given, strict=True))
    if not fits or min(given, default=1) < 0:
        expected, got = ("x".join(map(str, s)) for s in (free, given))
        raise DataError(f"input '{port.name}' takes shape {expected}, not {got}")
    return given


def _fixed_shape(name: str, shape: Sequence[int | str] | None) -> tuple[int, ...]:
    sizes = list(shape or ())
    if sizes and isinstance(sizes[0], str):
        sizes[0] = 1
    if shape is None or any(isinstance(n, str) for n in sizes):
        expected = "?" if shape is None else "x".join(map(str, shape))
        raise DataError(f"input '{name}' has no fixed size ({expected}): give --data, or --shape {name}=1x3x224x224")
    return tuple(int(n) for n in sizes)
