"""The demo's one error of its own; its place in the tree is below ``UnavailableError``."""

from __future__ import annotations

from halfeven.errors import UnavailableError


class DataUnavailableError(UnavailableError):
    """A package that holds a demo model or data set could not be had: no network, or no tool to fetch it."""
