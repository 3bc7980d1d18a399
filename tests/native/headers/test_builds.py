"""The board headers under every compiler, set of flags, processor and floating-point mode at hand: the same bits."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Build = Callable[..., list[str]]
NeedTool = Callable[[str], str]

HERE = Path(__file__).parent
GUIDE = HERE.parents[2] / "docs" / "guide" / "board-headers.md"

SUITES = [
    "test_rounding.cpp",
    "test_affine.cpp",
    "test_requantize.cpp",
    "test_tensor.cpp",
    "test_tensor_errors.cpp",
    "test_nonlinear.cpp",
    "main.cpp",
]
STRICT = ["-std=c++17", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror"]
BOARD = ["-fno-exceptions", "-fno-rtti"]  # what boards compile with
SANITIZE = ["-O1", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]
X86 = platform.machine() == "x86_64"
NATIVE = ["-march=native"] if X86 else []

CHECKED = [
    ("g++", ["-O0", *BOARD], 200),
    ("g++", ["-O2", *BOARD], 2000),
    ("g++", SANITIZE, 100),
    ("clang++", ["-O2", *NATIVE, *BOARD], 2000),
    ("aarch64-linux-gnu-g++", ["-O2", *BOARD], 100),
]

DIGESTED = [
    ("g++", ["-O0"]),
    ("g++", ["-O2", "-DHALFEVEN_SOFT_ONLY"]),
    ("g++", ["-O3", *NATIVE, "-ffp-contract=fast"]),
    ("g++", ["-O2", "-ffast-math"]),
    ("g++", ["-O3", "-funsafe-math-optimizations", *NATIVE]),
    ("g++", ["-O3", "-freciprocal-math"]),
    ("g++", ["-O3", "-ffinite-math-only"]),
    ("g++", SANITIZE),
    ("clang++", ["-O0"]),
    ("clang++", ["-O3", *NATIVE, "-ffp-contract=fast"]),
    ("clang++", ["-O2", "-ffast-math"]),
    ("clang++", ["-O3", "-freciprocal-math"]),
    ("clang++", ["-O3", "-funsafe-math-optimizations", *NATIVE]),
    ("clang++", ["-O3", "-ffinite-math-only"]),
    ("aarch64-linux-gnu-g++", ["-O2"]),
    ("aarch64-linux-gnu-g++", ["-O3", "-ffast-math"]),
    ("aarch64-linux-gnu-g++", ["-O3", "-mcpu=cortex-a78ae", "-ffp-contract=fast"]),
    ("arm-linux-gnueabihf-g++", ["-O3", "-mfpu=neon-vfpv4", "-ffast-math", "-Wno-psabi"]),  # 32 bits
]
if X86:
    DIGESTED.append(("g++", ["-O3", "-mfpmath=387"]))


def name_of(case: tuple[str, list[str]]) -> str:
    return " ".join([case[0], *case[1]])


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.parametrize("case", CHECKED, ids=name_of)
def test_every_suite_passes(build: Build, case: tuple[str, list[str], int]) -> None:
    compiler, flags, samples = case
    assert " 0 failed" in run([*build(compiler, SUITES, *flags), str(samples)])


@pytest.mark.parametrize("case", DIGESTED, ids=name_of)
def test_same_bits_as_the_first_build_in_every_floating_point_mode(build: Build, case: tuple[str, list[str]]) -> None:
    expected = digests(build, "g++", "-O2", *BOARD)
    assert len(expected) == 6
    assert digests(build, case[0], *case[1]) == expected


def test_every_floating_point_mode_gives_one_digest(build: Build) -> None:
    assert len(set(digests(build, "g++", "-O2", *BOARD).values())) == 1


def digests(build: Build, compiler: str, *flags: str) -> dict[str, str]:
    lines = run(build(compiler, ["digest.cpp"], *flags)).splitlines()
    return dict(line.split() for line in lines)


def test_hardware_path_equals_the_definition_on_a_sample_of_all_patterns(build: Build) -> None:
    assert "\n0 differences in all\n" in run(build("g++", ["exhaustive.cpp"], "-O2"))


@pytest.mark.parametrize("compiler", ["g++", "clang++", "aarch64-linux-gnu-g++"])
def test_each_header_compiles_alone(need_tool: NeedTool, headers: list[Path], compiler: str, tmp_path: Path) -> None:
    program = need_tool(compiler)
    for header in headers:
        source = tmp_path / f"{header.stem}.cpp"
        source.write_text(f"#include <halfeven/{header.name}>\n#include <halfeven/{header.name}>\n")
        run([program, *STRICT, *BOARD, "-Wold-style-cast", f"-I{header.parents[1]}", "-fsyntax-only", str(source)])


@pytest.mark.parametrize("compiler", ["g++", "clang++", "aarch64-linux-gnu-g++"])
def test_a_board_gets_no_heap_no_exceptions_and_no_globals(
    need_tool: NeedTool, headers: list[Path], compiler: str, tmp_path: Path
) -> None:
    target = tmp_path / "board.o"
    include = f"-I{headers[0].parents[1]}"
    run([need_tool(compiler), *STRICT, *BOARD, "-O2", "-c", include, str(HERE / "board.cpp"), "-o", str(target)])
    undefined = {line.split()[0] for line in run(["nm", "--portability", "-u", str(target)]).splitlines()}
    assert undefined <= {"memcpy", "memset", "memmove", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
    sections = [line.split() for line in run(["size", "-A", str(target)]).splitlines()]
    sizes = {columns[0]: int(columns[1]) for columns in sections if columns and columns[0].startswith(".")}
    assert sizes[".text"] > 0
    assert sizes.get(".data", 0) == sizes.get(".bss", 0) == 0


def test_the_guide_s_programs_do_what_they_say(need_tool: NeedTool, headers: list[Path], tmp_path: Path) -> None:
    programs = re.findall(r"```cpp\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(programs) >= 3
    for k, program in enumerate(programs):
        source = tmp_path / f"guide{k}.cpp"
        source.write_text(program, encoding="utf-8")
        target = str(source.with_suffix(""))
        run([need_tool("g++"), *STRICT, "-O2", f"-I{headers[0].parents[1]}", str(source), "-o", target])
        run([target])
