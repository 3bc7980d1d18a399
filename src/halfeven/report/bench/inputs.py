"""Something to run a model on, where the user gives nothing: noise of the model's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.execute.memory import check_memory
from halfeven.ir.program import Port

Array = NDArray[Any]
Shape = tuple[int, ...]


def noise(ports: tuple[Port, ...], shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Normal noise for float inputs, any codes for those that take codes, zeros for others.

    A free first axis is 1, other free sizes must be given.
    """
    unknown = [name for name in shapes if name not in {p.name for p in ports}]
    if unknown:
        raise ParameterError(f"there is no input '{unknown[0]}': inputs are {', '.join(p.name for p in ports)}")
    rng = np.random.default_rng(0)
    return {p.name: _values(rng, p, _shape(p, shapes.get(p.name))) for p in ports}


def _values(rng: np.random.Generator, port: Port, shape: Shape) -> Array:
    check_memory(prod(shape) * port.dtype.itemsize, f"input '{port.name}' {shape}")
    if port.dtype.kind == "f":
        return rng.standard_normal(shape, np.float32).astype(port.dtype)
    if port.params is not None and port.takes_codes:
        return rng.integers(port.params.qtype.qmin, port.params.qtype.qmax, shape, port.dtype, endpoint=True)
    return np.zeros(shape, port.dtype)


def _shape(port: Port, given: Shape | None) -> Shape:
    if given is not None:
        return given
    known = port.shape
    if known is None or any(not isinstance(n, int) for n in known[1:]):
        text = "unknown sizes" if known is None else f"free sizes ({', '.join(map(str, known))})"
        raise ParameterError(f"input '{port.name}' has {text}: give its shape: --shape {port.name}=1x3x224x224")
    return tuple(n if isinstance(n, int) else 1 for n in known)
