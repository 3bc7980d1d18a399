"""Find the folder that keeps fetched packages and built models, and put things into it whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from halfeven.demo.errors import DataUnavailableError

CACHE_VARIABLE = "HALFEVEN_CACHE"


def cache_folder() -> Path:
    """Return ``$HALFEVEN_CACHE``, else ``halfeven`` in the platform's cache folder of this user; it need not exist."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else _user_cache_folder() / "halfeven"


def _user_cache_folder() -> Path:
    """Return the folder that the platform gives a user for what can be fetched again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def writable_folder(folder: Path) -> Path:
    """Make ``folder`` with its parents where it is missing, and return it.

    Raises
    ------
    DataUnavailableError
        It is not there and cannot be made, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        message = (
            f"the cache folder '{folder}' cannot be written ({error.strerror}): "
            f"set {CACHE_VARIABLE} to a folder that can"
        )
        raise DataUnavailableError(message, name=str(folder)) from error


def publish_folder(staged: Path, target: Path) -> None:
    """Rename ``staged`` to ``target`` in one step; where another process was first, leave its folder as it is."""
    try:
        staged.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def write_file(target: Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a temporary file beside ``target``, then replace ``target`` by it in one step."""
    writable_folder(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as folder:
        staged = Path(folder) / target.name
        write(staged)
        staged.replace(target)
    return target
