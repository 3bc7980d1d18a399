"""What users give and take at a model's boundary: arrays and CPU tensors, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import DataError, NotANumberError, ParameterError
from halfeven.ir.instructions import Quantize, operands
from halfeven.ir.program import Port, Program
from halfeven.numerics.affine import check_ends
from halfeven.numerics.qtype import QType

Array = NDArray[Any]


def array_of(name: str, value: Any) -> Array:
    """``value`` as an array, in place where it is one, or a CPU tensor of any library (DLPack)."""
    try:
        if isinstance(value, np.ndarray) or not hasattr(value, "__dlpack__"):
            return np.asarray(value)
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"input '{name}' cannot be read in place ({_line(error)}): give an array, or a tensor that is on the CPU, "
            "of a type that NumPy has, and needs no gradient"
        ) from error


def real_input(port: Port, value: Any, *, nan_counted: bool) -> Array:
    """Real values of an input, of its type and shape.

    Parameters
    ----------
    nan_counted : whether the run itself finds NaN; else they are looked for here.
    """
    a = array_of(port.name, value)
    if port.dtype == np.float32 and a.dtype.kind == "f":
        with np.errstate(over="ignore"):
            a = a.astype(np.float32, copy=False)
    if a.dtype != port.dtype:
        raise DataError(f"input '{port.name}' takes {_taken(port)}, not {a.dtype}{_remedy(port, a)}")
    _check_shape(port, a)
    if not nan_counted and a.dtype.kind == "f" and np.isnan(a).any():
        raise NotANumberError(int(np.isnan(a).sum()), port.name)
    return a


def _taken(port: Port) -> str:
    return f"codes of {port.dtype}" if port.takes_codes else str(port.dtype)


def _remedy(port: Port, a: Array) -> str:
    """What turns real values into what a model of codes takes."""
    if port.params is None or a.dtype.kind != "f":
        return ""
    made = f"quantize() with the input's params, {port.params}, makes them of values"
    whole = (
        "; with_boundary('float'), or 'halfeven run --float', takes the values themselves" if port.takes_codes else ""
    )
    return f": {made}{whole}"


def codes_input(port: Port, value: Any) -> Array:
    """Codes of an input, of its type and shape; real values where it has no codes."""
    if port.params is None:
        return real_input(port, value, nan_counted=False)
    a = array_of(port.name, value)
    if a.dtype != port.params.qtype.storage:
        raise DataError(
            f"input '{port.name}' takes codes of {port.params.qtype.storage}, not {a.dtype}{_remedy(port, a)}"
        )
    _check_shape(port, a)
    _check_codes(port.name, port.params.qtype, a)
    return a


def _check_codes(name: str, qtype: QType, a: Array) -> None:
    """Types narrower than a byte are stored in one: not every byte is a code."""
    if not a.size or (np.iinfo(a.dtype).min, np.iinfo(a.dtype).max) == (qtype.qmin, qtype.qmax):
        return
    try:
        check_ends(int(a.min()), int(a.max()), qtype)
    except ParameterError as error:
        raise DataError(f"input '{name}': {error}") from error


def quantized_at_once(program: Program) -> frozenset[str]:
    """Names of the inputs that nothing but Quantize reads, which counts NaN itself."""
    read = {p.name: [i for i in program if p.name in operands(i)] for p in program.inputs}
    return frozenset(
        name for name, readers in read.items() if readers and all(isinstance(i, Quantize) for i in readers)
    )


def rooms(into: Mapping[str, Any], dtypes: Mapping[str, np.dtype[Any]]) -> dict[str, Array]:
    """Arrays or CPU tensors that take results, as arrays over the same memory."""
    if not isinstance(into, Mapping):
        wrong = f"into: a dict of arrays by output name was expected, not {type(into).__name__}"
        raise DataError(f"{wrong}: outputs are {', '.join(dtypes)}")
    found = {name: _room(name, value) for name, value in into.items()}
    for name, a in found.items():
        if name not in dtypes:
            raise DataError(f"there is no output '{name}': outputs are {', '.join(dtypes)}")
        if a.dtype != dtypes[name]:
            raise DataError(f"output '{name}' is {dtypes[name]}, not {a.dtype}")
    return found


def _room(name: str, value: Any) -> Array:
    try:
        a = np.asarray(value) if hasattr(value, "__array__") else np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"output '{name}' cannot be written in place ({_line(error)})") from error
    if not a.flags.writeable:
        raise DataError(f"output '{name}' cannot be written in place: it is read-only")
    return a


def deliver(name: str, found: Array, room: Array) -> None:
    """Put a result where it is wanted, if it is not there already."""
    if found is room:
        return
    if found.shape != room.shape:
        raise DataError(f"output '{name}' has shape {found.shape}, not {room.shape}")
    room[...] = found


def _check_shape(port: Port, a: Array) -> None:
    if port.shape is None:
        return
    fits = len(port.shape) == a.ndim and all(
        not isinstance(n, int) or n == m for n, m in zip(port.shape, a.shape, strict=True)
    )
    if not fits:
        expected = ", ".join(map(str, port.shape))
        raise DataError(f"input '{port.name}' takes shape ({expected}), not {a.shape}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
