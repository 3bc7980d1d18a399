"""Text files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from halfeven.errors import ParameterError


def check_place(path: str | os.PathLike[str]) -> None:
    """Refuse a path that cannot be written to, before hours of work are spent on its content.

    Raises
    ------
    ParameterError
        If it is a folder or a device, or its folder does not exist or is read-only.
    """
    target = Path(path)
    if target.is_dir():
        raise ParameterError(f"{target}: is a folder: name the file to write")
    if target.exists() and not target.is_file():
        raise ParameterError(f"{target}: is not a regular file: name another to write")
    folder = target.resolve().parent
    if not folder.is_dir():
        raise ParameterError(f"{target}: the folder {folder} does not exist: create it first")
    if not os.access(folder, os.W_OK):
        raise ParameterError(f"{target}: the folder {folder} is read-only: name a file elsewhere")


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file to write to, under another name in its folder, then renamed: a failure leaves an existing one alone."""
    check_place(path)
    target = Path(os.path.realpath(path))  # a link stays a link
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(name).chmod(_mode(target))
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8, whole or not at all."""
    with whole_file(path) as file:
        file.write(text.encode())


def _mode(target: Path) -> int:
    """Permissions as an ordinary new file has them, or as the file that is replaced had."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
