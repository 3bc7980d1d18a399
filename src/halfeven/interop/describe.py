"""The inputs and outputs of a model, in words."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from halfeven.interop.values import Array


@dataclass(frozen=True)
class Port:
    """One input or output: ``dtype`` as NumPy names it, ``shape`` with symbols (or None) for dynamic sizes.

    ``shape`` itself is None where even the rank is unknown.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None

    def __str__(self) -> str:
        sizes = "?" if self.shape is None else ", ".join("?" if d is None else str(d) for d in self.shape)
        return f"{self.name}: {self.dtype} ({sizes})"

    def accepts(self, array: Array) -> bool:
        """Whether an array of this dtype and shape can stand here."""
        if str(array.dtype) != self.dtype or self.shape is None:
            return str(array.dtype) == self.dtype
        pairs = zip(array.shape, self.shape, strict=False)
        return array.ndim == len(self.shape) and all(d == want for d, want in pairs if isinstance(want, int))


@dataclass(frozen=True)
class Description:
    """Inputs and outputs of a model, in the model's order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def describe(model: ir.Model) -> Description:
    """Name, dtype and shape of every input (constants with a default excluded) and output."""
    inputs = tuple(_port(value) for value in model.graph.inputs if not value.is_initializer())
    return Description(inputs, tuple(_port(value) for value in model.graph.outputs))


def _port(value: ir.Value) -> Port:
    dims = None if value.shape is None else tuple(d if isinstance(d, int) else d.value for d in value.shape)
    dtype = "unknown" if value.dtype is None else str(value.dtype.numpy())
    return Port(value.name or "", dtype, dims)
