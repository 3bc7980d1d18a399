"""``halfeven info``: version, instruction sets, optional packages."""

from __future__ import annotations

import platform
from importlib import metadata

import halfeven
from halfeven import _native
from halfeven.cli import console

PACKAGES = ("numpy", "onnx", "onnx-ir", "onnxscript", "onnxruntime", "torch", "pillow")


def command() -> None:
    """Show the version, the instruction sets compiled and in use, and the packages found."""
    out = console.out()
    out.print(f"halfeven {halfeven.__version__}, Python {platform.python_version()}, {platform.machine()}")
    table = console.table("instruction sets", "name", "compiled", "runs here", "in use")
    active = _native.active_isa()
    for name, compiled, supported in _native.isa_names():
        table.add_row(name, _yes(compiled), _yes(supported), "*" if name == active else "")
    out.print(table)
    out.print("HALFEVEN_ISA forces one; HALFEVEN_NUM_THREADS limits the threads.")
    packages = console.table("packages", "name", "version")
    for name in PACKAGES:
        packages.add_row(name, _version(name))
    out.print(packages)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
