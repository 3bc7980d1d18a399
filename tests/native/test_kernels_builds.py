"""The kernels and the engine as a plain C++ program: on AArch64 in an emulator, and under the sanitizers."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native"
FAMILIES = ("quantize", "dequantize", "requantize")
COMMON = [
    ROOT / "tests" / "native" / "kernels_check.cc",
    *(NATIVE / "engine" / f"{name}.cc" for name in ("cpu", "elementwise", "thread_pool")),
    *(NATIVE / "exhaustive" / f"{name}.cc" for name in ("quantize", "requantize")),
    *(NATIVE / "kernels" / family / "portable.cc" for family in FAMILIES),
]
STRICT = ["-std=c++20", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffp-contract=off", "-pthread"]
X86 = {
    "x86_avx2": ["-mavx2", "-mfma"],
    "x86_avx512": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma", "-Wno-uninitialized"],
}
ARM = {"arm_neon": []}


def need(tool: str, package: str) -> str:
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not installed: apt-get install {package}")
    return path


def build(compiler: str, flags: list[str], isas: dict[str, list[str]], folder: Path) -> Path:
    """Compile each file by itself, for a kernel file's own flags must not reach the others; return the program."""
    include = [f"-I{NATIVE}", f"-I{NATIVE / 'include'}"]
    sources = [(path, []) for path in COMMON]
    sources += [(NATIVE / "kernels" / f / f"{isa}.cc", own) for f in FAMILIES for isa, own in isas.items()]
    objects = []
    for k, (source, own) in enumerate(sources):
        objects.append(str(folder / f"{k}.o"))
        command = [compiler, *STRICT, *include, *flags, *own, "-c", str(source), "-o", objects[-1]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    program = folder / "kernels_check"
    subprocess.run([compiler, *flags, "-pthread", *objects, "-o", str(program)], check=True)
    return program


def check(command: list[str], isas: set[str]) -> None:
    environment = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1"}
    environment.pop("HALFEVEN_ISA", None)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines[-1].endswith(" comparisons, 0 differences")
    assert isas <= set(lines)


def test_neon_kernels_in_an_emulator(tmp_path: Path) -> None:
    emulator = need("qemu-aarch64", "qemu-user")
    compiler = need("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu")
    program = build(compiler, ["-O2", "-static"], ARM, tmp_path)
    check([emulator, str(program)], {"portable", "neon"})


# Without optimisation: under it the sanitized vector loops take minutes to compile. Races are the engine's to have.
@pytest.mark.parametrize(("sanitizers", "kernels"), [("address,undefined", []), ("thread", ["-fno-sanitize=all"])])
def test_sanitizers_find_nothing(sanitizers: str, kernels: list[str], tmp_path: Path) -> None:
    compiler = need("g++", "g++")
    isas = X86 if os.uname().machine == "x86_64" else ARM
    flags = ["-O0", "-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
    program = build(compiler, flags, {isa: [*own, *kernels] for isa, own in isas.items()}, tmp_path)
    check([str(program), "150"], {"portable"})
