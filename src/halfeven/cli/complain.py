"""One line on stderr for what went wrong."""

from __future__ import annotations

import sys


def complain(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"halfeven: {message}\n")


def one_line(error: BaseException) -> str:
    """An exception as one line."""
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror or error}"
    return " ".join(str(error).split())


def usage(error: Exception) -> str:
    """An error in how a command was called, and where its options are explained."""
    context = getattr(error, "ctx", None)
    command = "halfeven" if context is None else str(context.command_path)
    what = " ".join(str(getattr(error, "format_message", error.__str__)()).split()).rstrip(".")
    return f"{what}: see '{command} --help'"
