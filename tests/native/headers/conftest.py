"""Compiles the C++ programs of this folder: once for each compiler, set of flags and state of the sources."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
INCLUDE = ROOT / "native" / "include"
CACHE = ROOT / "build" / "headers"
STRICT = ["-std=c++17", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wpedantic", "-Werror"]
PACKAGES = {
    "g++": "g++",
    "clang++": "clang",
    "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
    "arm-linux-gnueabihf-g++": "g++-arm-linux-gnueabihf",
    "qemu-aarch64": "qemu-user",
    "qemu-arm": "qemu-user",
}
EMULATORS = {"aarch64-linux-gnu-g++": "qemu-aarch64", "arm-linux-gnueabihf-g++": "qemu-arm"}

Build = Callable[..., list[str]]


def need(tool: str) -> str:
    """Path of a program; skips the test, naming the package, when it is not installed."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not installed: apt-get install {PACKAGES[tool]}")
    return path


def _key(compiler: str, arguments: list[str]) -> str:
    version = subprocess.run([compiler, "--version"], check=True, capture_output=True).stdout
    digest = hashlib.sha256(version + "\0".join(arguments).encode())
    for source in sorted([*INCLUDE.rglob("*.hpp"), *HERE.glob("*.hpp"), *HERE.glob("*.cpp")]):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:20]


def _compile(compiler: str, arguments: list[str], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}")  # several workers may build the same program
    done = subprocess.run([compiler, *arguments, "-o", str(partial)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{compiler} {' '.join(arguments)}\n{done.stderr}"
    partial.replace(target)


@pytest.fixture(scope="session")
def need_tool() -> Callable[[str], str]:
    """``need_tool(program)`` -> its path, or a skip that names the package."""
    return need


@pytest.fixture(scope="session")
def headers() -> list[Path]:
    """Every public header."""
    found = sorted((INCLUDE / "halfeven").glob("*.hpp"))
    assert len(found) > 10, f"headers are missing in {INCLUDE}"
    return found


@pytest.fixture(scope="session")
def build() -> Build:
    """``build(compiler, [sources], *flags)`` -> the command that runs the program, in an emulator if it takes one."""

    def build(compiler: str, sources: list[str], *flags: str) -> list[str]:
        path = need(compiler)
        emulator = [need(EMULATORS[compiler]), "-cpu", "max"] if compiler in EMULATORS else []
        static = ["-static"] if emulator else []
        paths = [str(HERE / source) for source in sources]
        arguments = [*STRICT, *flags, *static, "-pthread", f"-I{INCLUDE}", *paths]
        target = CACHE / f"{Path(sources[-1]).stem}-{_key(path, arguments)}.exe"
        if not target.exists():
            _compile(path, arguments, target)
        return [*emulator, str(target)]

    return build


@dataclass(frozen=True)
class Program:
    """A program that reads binary numbers, applies a function of the headers, and writes the results."""

    command: list[str]

    def __call__(self, numbers: Any, dtype: DTypeLike, *words: object, mode: str = "nearest") -> NDArray[Any]:
        """Results for ``numbers``, computed in that floating-point mode."""
        command = [*self.command, mode, *(str(w) for w in words)]
        done = subprocess.run(
            command,
            input=numbers if isinstance(numbers, bytes) else np.ascontiguousarray(numbers).tobytes(),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return np.frombuffer(done.stdout, dtype)


@pytest.fixture(scope="session")
def codes(build: Build) -> Program:
    """``codes(numbers, result type, operation, ...)``: one function of the headers over an array (codes.cpp)."""
    return Program(build("g++", ["codes.cpp"], "-O2"))


@pytest.fixture(scope="session")
def tensors(build: Build) -> Program:
    """``tensors(numbers, result type, operation, ...)``: a whole tensor, padded in memory (tensors.cpp)."""
    return Program(build("g++", ["tensors.cpp"], "-O2"))
