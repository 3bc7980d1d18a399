"""onnx_ir without what it imports for arithmetic with symbolic sizes, until somebody does any.

That is sympy: 36 MB and half a second in every process, and halfeven only compares such sizes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import Lock
from types import ModuleType
from typing import Any

IMPORTER, UNUSED = "onnx_ir", ("sympy", "onnx_ir._symbolic_shapes")
_LOCK = Lock()


class Later(ModuleType):
    """Stands for the module of its name, which is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked for by the import system
            raise AttributeError(name)
        _step_aside(self)
        return getattr(import_module(self.__name__), name)


class OnDemand(MetaPathFinder, Loader):
    """Imports :data:`IMPORTER` with :class:`Later` in the places of :data:`UNUSED`; all others import these as ever."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Of the importer, with this as its loader; None for any other module."""
        spec = PathFinder.find_spec(name, path, target) if name == IMPORTER else None
        if spec is not None and spec.loader is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As its own loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As its own loader does, and give it back."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with _standing_in([name for name in UNUSED if name not in sys.modules]):
            self._loader.exec_module(module)


@contextmanager
def _standing_in(names: Sequence[str]) -> Iterator[None]:
    later = {name: Later(name) for name in names}
    sys.modules.update(later)
    try:
        yield
    finally:
        for module in later.values():
            _step_aside(module)


def _step_aside(module: Later) -> None:
    """Leave the name to the module that it stands for; at the latest once the importer has been imported."""
    with _LOCK:
        if sys.modules.get(module.__name__) is module:
            del sys.modules[module.__name__]
