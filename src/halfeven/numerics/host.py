"""Parameters are NumPy values: what comes as a torch tensor is brought to the host, what is no number is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError

LONGEST = 60  # characters of a value that are shown


def to_host(value: Any) -> Any:
    """A torch tensor's values as a NumPy array (floats as float64, exactly); anything else as it is.

    Recognised by its methods, so that torch itself is not imported.
    """
    if isinstance(value, np.ndarray) or not hasattr(value, "detach") or not hasattr(value, "is_floating_point"):
        return value
    tensor = value.detach().cpu()
    return (tensor.double() if tensor.is_floating_point() else tensor).numpy()


def real_array(value: Any, what: str) -> NDArray[np.float64]:
    """A number or an array of numbers as float64.

    Raises
    ------
    ParameterError
        If it is anything else: a text, None, an object, a ragged list, complex numbers.
    """
    a = _array(value, what)
    if a.dtype.kind not in "iuf" and a.dtype.name != "bfloat16":
        raise _no_number(value, what)
    return a.astype(np.float64)


def integer_array(value: Any, what: str) -> NDArray[np.int64]:
    """An integer or an array of integers as int64; floats that hold integers count.

    Raises
    ------
    ParameterError
        If it is anything else, or beyond int64.
    """
    a = _array(value, what)
    if a.dtype.kind == "f" and np.all(a == np.rint(a)) and np.all(np.abs(a) < 2.0**63):
        a = a.astype(np.int64)
    if a.dtype.kind not in "iu" or (a.dtype == np.uint64 and a.size and a.max() > np.iinfo(np.int64).max):
        raise ParameterError(f"{what} must be an integer, not {shown(value)}")
    return a.astype(np.int64)


def whole(value: Any, what: str) -> int:
    """One Python or NumPy integer; no truth value."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise ParameterError(f"{what} must be an integer, not {shown(value)}")
    return int(value)


def shown(value: Any) -> str:
    """A value on one line, cut short."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _array(value: Any, what: str) -> NDArray[Any]:
    try:
        return np.asarray(to_host(value))
    except (ValueError, TypeError, OverflowError):
        raise _no_number(value, what) from None


def _no_number(value: Any, what: str) -> ParameterError:
    return ParameterError(f"{what} must be a number or an array of numbers, not {shown(value)}")
