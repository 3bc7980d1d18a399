"""Any library's array as a NumPy array, and the one that belongs to an input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from halfeven.errors import DataError
from halfeven.ptq.data.check import Input

Array = np.ndarray


def is_array(x: object) -> bool:
    """Whether ``x`` is an array of some library: NumPy, torch, ..."""
    return hasattr(x, "shape") and hasattr(x, "dtype")


def to_numpy(x: Any, source: str) -> Array:
    """``x`` as a NumPy array: torch tensors from any device, without their gradient; lists of numbers of one shape."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float() if str(x.dtype) == "torch.bfloat16" else x  # NumPy has no bfloat16
        return np.asarray(x.numpy())
    if isinstance(x, np.ndarray) or not isinstance(x, (list, tuple)):
        return _refuse_objects(np.asanyarray(x), source)
    try:
        return _refuse_objects(np.asarray(x), source)
    except ValueError:
        raise DataError(f"{source}: a list of unequal shapes: give one dict a sample", source=source) from None


def _refuse_objects(a: Array, source: str) -> Array:
    if a.dtype == object:
        raise DataError(f"{source}: holds Python objects: an array of numbers was expected", source=source)
    return a


def named_array(arrays: Mapping[str, Any], wanted: Input, inputs: Sequence[Input], source: str) -> Any:
    """The array of ``wanted``, of those that are there one for each of ``inputs``.

    Raises
    ------
    DataError
        If it is missing: with the names found, and the nearest one. If another one belongs to no input.
    """
    extra = [str(name) for name in arrays if name not in {i.name for i in inputs}]
    if wanted.name in arrays:
        if extra and all(i.name in arrays for i in inputs):
            names = ", ".join(i.name for i in inputs)
            raise DataError(
                f"{source}: '{extra[0]}' is no input of the model, which has {names}: leave it out (labels too)",
                source=source,
            )
        return arrays[wanted.name]
    spare = [str(name) for name in arrays if name not in {i.name for i in inputs}]
    near = get_close_matches(wanted.name, spare, 1)
    hint = f"rename '{near[0]}' to '{wanted.name}'" if near else "name the arrays as the model's inputs"
    found = ", ".join(map(str, arrays)) or "nothing"
    raise DataError(f"{source}: the input '{wanted.name}' is missing, found: {found}: {hint}", source=source)
