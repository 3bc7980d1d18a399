"""The commands by name: each module loads when its command is asked for, so that help and ``info`` start at once."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

SHORT_HELP = {
    "quantize": "Quantize a float ONNX model after training.",
    "run": "Run a quantized model.",
    "verify": "Run every backend on the same data, bit by bit.",
    "compare": "Hold each layer against the float model.",
    "inspect": "Show what a quantized model is made of.",
    "bench": "Measure speed and memory, beside other runtimes.",
    "info": "Show version, instruction sets, packages.",
    "demo": "Do the main job on real models and data.",
}
"""One line a command for the list of all; each fits a terminal of 80 columns."""

WRITING = ("quantize", "run", "compare")
"""Commands that write nothing until they are done."""


class Interrupted(Exception):  # noqa: N818
    """Ctrl-C while ``command`` ran."""

    def __init__(self, command: str) -> None:
        self.command = command
        super().__init__(command)


class Commands(TyperGroup):
    """The group of :data:`SHORT_HELP`."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Names, in the order in which they are used."""
        return list(SHORT_HELP)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Load one command; None where there is none of that name."""
        if cmd_name not in SHORT_HELP:
            return None
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        alone.command(cmd_name)(import_module(f"halfeven.cli.{cmd_name}").command)
        return typer.main.get_command(alone)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """List them without loading one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SHORT_HELP.items()))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C leaves as :class:`Interrupted`, which the library does not swallow."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted(str(ctx.invoked_subcommand)) from None
