"""The ``halfeven`` command: one file a command, each parses, makes one library call, and prints."""

from __future__ import annotations

import sys

import typer

from halfeven import _native
from halfeven.cli import compare, console, demo, info, inspect, quantize, run, verify
from halfeven.errors import HalfevenError, ParameterError

DONE, FAILED, IMPOSSIBLE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="halfeven",
    help="Quantize networks to integers with one answer on every backend.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("quantize")(quantize.command)
app.command("run")(run.command)
app.command("verify")(verify.command)
app.command("compare")(compare.command)
app.command("inspect")(inspect.command)
app.command("info")(info.command)
app.command("demo")(demo.command)


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 a check failed, 2 it could not be carried out."""
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        _check_instruction_set()
        app(args=arguments, prog_name="halfeven")
    except KeyboardInterrupt:
        console.complain("stopped")
        sys.exit(INTERRUPTED)
    except (HalfevenError, OSError, MemoryError) as error:
        if debug:
            raise
        console.complain(console.one_line(error))
        sys.exit(IMPOSSIBLE)


def _check_instruction_set() -> None:
    """Say in one line that HALFEVEN_ISA names a set that this machine cannot run."""
    try:
        _native.active_isa()
    except (ValueError, RuntimeError) as error:
        raise ParameterError(f"HALFEVEN_ISA: {error}") from None
