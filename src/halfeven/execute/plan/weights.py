"""Packed weights of a Program, shared by all its plans."""

from __future__ import annotations

from typing import Any

from halfeven import _native


class Weights(dict[Any, Any]):
    """Packed weights by instruction.

    Attributes
    ----------
    pages : the memory that those of products lie in, in the order in which a run reads them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pages = _native.Pages()
