"""Text files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from halfeven.errors import ParameterError


def check_place(path: str | os.PathLike[str]) -> None:
    """Refuse a path that cannot be written to, before hours of work are spent on its content.

    Raises
    ------
    ParameterError
        If it is a folder, or its folder does not exist.
    """
    target = Path(path)
    if target.is_dir():
        raise ParameterError(f"{target}: is a folder: name the file to write")
    if not target.resolve().parent.is_dir():
        raise ParameterError(f"{target}: the folder {target.resolve().parent} does not exist: create it first")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 under another name in the same folder, then rename; a failure leaves an existing file as it was."""
    check_place(path)
    target = Path(os.path.realpath(path))  # a link stays a link
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(name).chmod(_mode(target))
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode(target: Path) -> int:
    """Permissions as an ordinary new file has them, or as the file that is replaced had."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
