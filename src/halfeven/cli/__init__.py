"""The ``halfeven`` command: one file a command, each parses, makes one library call, and prints."""

from __future__ import annotations

import sys

import typer

from halfeven import _native
from halfeven.cli.commands import WRITING, Commands, Interrupted
from halfeven.cli.complain import complain, one_line, usage
from halfeven.errors import HalfevenError, ParameterError
from halfeven.execute.threads import check_threads

DONE, FAILED, IMPOSSIBLE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="halfeven",
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
USAGE_ERRORS: tuple[type[Exception], ...] = tuple(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)
"""What typer raises for a wrong option; where its class lives depends on typer's version."""


@app.callback()
def _halfeven() -> None:
    """Quantize networks to integers with one answer on every backend."""


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 a check failed, 2 it could not be carried out, 130 interrupted."""
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        status = _run(arguments)
    except (HalfevenError, OSError, MemoryError) as error:
        if debug:
            raise
        complain(one_line(error))
        status = IMPOSSIBLE
    except (Interrupted, KeyboardInterrupt) as stop:
        nothing = isinstance(stop, Interrupted) and stop.command in WRITING
        complain(f"interrupted{': nothing was written' if nothing else ''}")
        status = INTERRUPTED
    sys.exit(status)


def _run(arguments: list[str]) -> int:
    _check_environment()
    try:
        status = app(args=arguments or ["--help"], prog_name="halfeven", standalone_mode=False)
        status = status if arguments else IMPOSSIBLE
    except USAGE_ERRORS as error:
        complain(usage(error))
        return IMPOSSIBLE
    return status if isinstance(status, int) else DONE


def _check_environment() -> None:
    """Say in one line that HALFEVEN_ISA or HALFEVEN_NUM_THREADS asks for what this machine cannot do."""
    try:
        _native.active_isa()
    except (ValueError, RuntimeError) as error:
        raise ParameterError(str(error)) from None
    check_threads(None)
