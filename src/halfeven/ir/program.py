"""Program: instructions in order, the tensors between them, and the boundary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.instructions import Float, Instruction, operands, results
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile

Shape = tuple["int | str", ...]


@dataclass(frozen=True)
class Tensor:
    """A named tensor: codes when ``params`` is given, else values of ``dtype``. ``shape`` is None where unknown."""

    name: str
    dtype: np.dtype[Any]
    shape: Shape | None
    params: AffineParams | None

    def __str__(self) -> str:
        size = "?" if self.shape is None else "x".join(map(str, self.shape)) or "scalar"
        return f"{self.name} {self.params.qtype if self.params else self.dtype}[{size}]"


@dataclass(frozen=True)
class Port:
    """One input or output of a model.

    Attributes
    ----------
    name, shape, dtype : as the user of the model sees it (float32 at a quantized boundary).
    codes : the tensor of codes just inside the boundary, or None where the boundary is not quantized.
    params : the parameters of those codes, or None.
    """

    name: str
    shape: Shape | None
    dtype: np.dtype[Any]
    codes: str | None
    params: AffineParams | None

    @property
    def takes_codes(self) -> bool:
        """Whether the user gives or gets the codes themselves."""
        return self.params is not None and self.codes == self.name


@dataclass(frozen=True)
class Program:
    """The integer form of a model. Iterate over it for the instructions; print it to read it.

    Attributes
    ----------
    constants : codes of constant operands, by tensor name.
    """

    name: str
    profile: Profile
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    tensors: Mapping[str, Tensor]
    constants: Mapping[str, NDArray[Any]]
    instructions: tuple[Instruction, ...]

    def __iter__(self) -> Iterator[Instruction]:
        return iter(self.instructions)

    def __len__(self) -> int:
        return len(self.instructions)

    @property
    def float_parts(self) -> tuple[Float, ...]:
        """The instructions that run in float32, each with its reason."""
        return tuple(i for i in self.instructions if isinstance(i, Float))

    def last_use(self) -> dict[str, int]:
        """Index of the last instruction that reads each tensor."""
        return {name: k for k, instruction in enumerate(self.instructions) for name in operands(instruction)}

    def __str__(self) -> str:
        head = f"program {self.name} (profile {self.profile.name}, {len(self)} instructions)"
        return "\n".join([head, *(f"  {describe(i)}" for i in self.instructions)])


def describe(instruction: Instruction) -> str:
    """One line: results = operator(operands), then every number (arrays by their shape)."""
    skip = {"name", "x", "y", "a", "b", "xs", "ys", "model", "profile"}
    details = [f"{f.name}={_text(getattr(instruction, f.name))}" for f in fields(instruction) if f.name not in skip]
    call = f"{', '.join(results(instruction))} = {type(instruction).__name__}({', '.join(operands(instruction))})"
    return "  ".join([call, *details])


def _text(value: object) -> str:
    if isinstance(value, np.ndarray):
        return str(value) if value.ndim == 0 else f"{value.dtype}{list(value.shape)}"
    return str(value)
