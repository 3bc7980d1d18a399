"""Every error this package raises on purpose, on one screen.

::

    HalfevenError
    ├── ParameterError (ValueError)    a scale, zero point, axis, shape or option that cannot be
    ├── NotANumberError (ValueError)   NaN has no code; .tensor .count
    ├── AccumulatorError (ValueError)  a sum or bias that its integer width cannot hold
    ├── ModelError                     an ONNX file that cannot be read, or does not mean anything; .source .node
    │   └── NotQuantizedError          a float model where a quantized one was expected
    ├── DataError                      samples of the wrong name, shape or type; .source
    ├── UnsupportedError               a node or option we do not lower, under ``strict``; .nodes
    ├── ResourceError (MemoryError)    a run that needs more memory than there is; .needed_bytes .available_bytes
    └── UnavailableError               an optional package, tool, backend or data set that is not there; .name
        └── DataUnavailableError       (halfeven.demo) a package of models or data

Each message is one line: what is wrong and where, what was expected, what to do.
"""

from __future__ import annotations

from collections.abc import Sequence


class HalfevenError(Exception):
    """Root of the tree above."""


class ParameterError(HalfevenError, ValueError):
    """A scale, zero point, axis, shape or option that cannot be."""


class NotANumberError(HalfevenError, ValueError):
    """NaN has no code."""

    def __init__(self, count: int, tensor: str | None = None) -> None:
        self.count = count
        self.tensor = tensor
        where = f"tensor '{tensor}'" if tensor else "the input"
        super().__init__(f"{where} has {count} NaN value(s), and NaN has no integer code: remove or replace them first")


class AccumulatorError(HalfevenError, ValueError):
    """A sum or a bias that its integer width cannot hold."""


class ModelError(HalfevenError):
    """An ONNX file that cannot be read, or that does not mean anything."""

    def __init__(self, message: str, *, source: str | None = None, node: str | None = None) -> None:
        self.source = source
        self.node = node
        super().__init__(message)


class NotQuantizedError(ModelError):
    """A float model where a quantized one was expected."""


class DataError(HalfevenError):
    """Samples of the wrong name, shape or type."""

    def __init__(self, message: str, *, source: str | None = None) -> None:
        self.source = source
        super().__init__(message)


class ResourceError(HalfevenError, MemoryError):
    """A run that needs more memory than there is, refused before it starts."""

    def __init__(self, what: str, needed_bytes: int, available_bytes: int) -> None:
        self.what, self.needed_bytes, self.available_bytes = what, needed_bytes, available_bytes
        super().__init__(
            f"{what} needs {needed_bytes:,} bytes, and {available_bytes:,} bytes of memory are available: "
            "give smaller inputs, or fewer at a time"
        )

    def within(self, place: str) -> ResourceError:
        """The same error, with the place named first."""
        return ResourceError(f"{place}: {self.what}", self.needed_bytes, self.available_bytes)


class UnsupportedError(HalfevenError):
    """A node or an option that is not lowered to integers."""

    def __init__(self, message: str, *, nodes: Sequence[str] = ()) -> None:
        self.nodes = tuple(nodes)
        super().__init__(message)


class UnavailableError(HalfevenError):
    """An optional package, tool, backend or data set that is not there."""

    def __init__(self, message: str, *, name: str | None = None) -> None:
        self.name = name
        super().__init__(message)
