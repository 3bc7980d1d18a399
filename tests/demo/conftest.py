"""What the demo's tests share: packages that may not be there, and small stand-ins for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from halfeven.errors import UnavailableError

Loaded = TypeVar("Loaded")


@pytest.fixture(scope="session")
def available() -> Callable[[Callable[[], Loaded]], Loaded]:
    """Return what a loader returns; skip, with its own sentence, where its package or library cannot be had."""

    def load(loader: Callable[[], Loaded]) -> Loaded:
        try:
            return loader()
        except UnavailableError as error:
            pytest.skip(str(error))

    return load
