"""The backends that can run here: torch where it is installed."""

from __future__ import annotations

from importlib.util import find_spec

from halfeven.execute.run import Backend, native_backend, reference_backend, torch_backend


def installed() -> list[Backend]:
    """The reference first."""
    always = [reference_backend(), native_backend()]
    return [*always, torch_backend()] if find_spec("torch") else always
