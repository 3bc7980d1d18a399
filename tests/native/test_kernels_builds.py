"""The kernels and the engine as a plain C++ program: on AArch64 in an emulator, and under the sanitizers."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from halfeven import _native

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native"


@dataclass(frozen=True)
class Check:
    """A program of tests/native, the families of kernels that it calls and the other sources that it needs."""

    name: str
    families: tuple[str, ...]
    sources: tuple[str, ...]


KERNELS = Check(
    "kernels_check",
    ("quantize", "dequantize", "requantize", "statistics"),
    (
        *("engine/cpu", "engine/elementwise", "engine/statistics", "engine/thread_pool"),
        *("exhaustive/quantize", "exhaustive/requantize"),
    ),
)
PRODUCTS = Check(
    "products_check",
    ("igemm", "depthwise", "winograd"),
    ("engine/cpu", "kernels/pages", "kernels/igemm/weights", "kernels/depthwise/weights", "kernels/winograd/weights"),
)
FAMILIES = Check(
    "families_check",
    ("rows", "softmax", "normalize", "wgemm", "gemm", "requantize", "columns"),
    (
        *("engine/cpu", "engine/columns", "engine/columns_factor", "engine/columns_products", "engine/thread_pool"),
        *("kernels/conv/conv", "kernels/conv/depthwise", "kernels/divide/divide", "kernels/eltwise/eltwise"),
        *("kernels/gemm/gemm", "kernels/gemm/operands", "kernels/normalize/normalize", "kernels/pool/pool"),
        *("kernels/reduce/reduce", "kernels/rescale/rescale", "kernels/resize/resize", "kernels/select/select"),
        *("kernels/slopes/slopes", "kernels/softmax/softmax", "kernels/sums/sums", "kernels/table/table"),
        "kernels/wgemm/weights",
    ),
)
CHECKS = pytest.mark.parametrize("what", [KERNELS, PRODUCTS], ids=lambda what: what.name)
STRICT = ["-std=c++20", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-ffp-contract=off", "-pthread"]
AVX2 = ["-mavx2", "-mfma"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-Wno-uninitialized"]
X86 = {
    "x86_avx2": AVX2,
    "x86_avxvnni": [*AVX2, "-mavxvnni"],
    "x86_avx512": AVX512,
    "x86_avx512vnni": [*AVX512, "-mavx512vnni"],
    "x86_avx512amx": [*AVX512, "-mavx512vnni", "-mavx512vbmi", "-mamx-tile", "-mamx-int8"],
}
ARM = {"arm_neon": [], "arm_neon_dotprod": ["-march=armv8.2-a+dotprod"]}


def here() -> dict[str, list[str]]:
    """Kernel files for this machine, and their flags."""
    return X86 if os.uname().machine == "x86_64" else ARM


def need(tool: str, package: str) -> str:
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not installed: apt-get install {package}")
    return path


def build(what: Check, compiler: str, flags: list[str], isas: dict[str, list[str]], folder: Path) -> Path:
    """Compile each file by itself, for a kernel file's own flags must not reach the others; return the program."""
    include = [f"-I{NATIVE}", f"-I{NATIVE / 'include'}"]
    kernels = [(NATIVE / "kernels" / family, isa, own) for family in what.families for isa, own in isas.items()]
    sources: list[tuple[Path, list[str]]] = [(ROOT / "tests" / "native" / f"{what.name}.cc", [])]
    sources += [(NATIVE / f"{name}.cc", []) for name in what.sources]
    kernels += [(NATIVE / "kernels" / family, "portable", []) for family in what.families]
    sources += [(at / f"{isa}.cc", own) for at, isa, own in kernels if (at / f"{isa}.cc").exists()]
    objects = [str(folder / f"{k}.o") for k in range(len(sources))]

    def compile_one(source: Path, own: list[str], out: str) -> None:
        command = [compiler, *STRICT, *include, *flags, *own, "-c", str(source), "-o", out]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(compile_one, *zip(*sources, strict=True), objects))
    program = folder / what.name
    subprocess.run([compiler, *flags, "-pthread", *objects, "-o", str(program)], check=True)
    return program


def check(command: list[str], isas: set[str]) -> list[str]:
    """Run it: nothing differs, and each of ``isas`` was there; the lines that it prints of what it found."""
    environment = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1"}
    environment.pop("HALFEVEN_ISA", None)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines[-1].endswith(" comparisons, 0 differences")
    assert isas <= set(lines)
    return [line for line in lines if line.startswith("digest of ")]


@CHECKS
def test_neon_kernels_in_an_emulator(what: Check, tmp_path: Path) -> None:
    emulator = need("qemu-aarch64", "qemu-user")
    compiler = need("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu")
    program = build(what, compiler, ["-O2", "-static"], ARM, tmp_path)
    check([emulator, str(program)], {"portable", "neon", "neon_dotprod"})


def test_product_kernels_of_this_machine(tmp_path: Path) -> None:
    program = build(PRODUCTS, need("g++", "g++"), ["-O2"], here(), tmp_path)
    check([str(program)], {name for name, _, supported in _native.isa_names() if supported})


def test_other_kernels_agree_on_both_architectures(tmp_path: Path) -> None:
    emulator = need("qemu-aarch64", "qemu-user")
    compiler = need("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu")
    (tmp_path / "here").mkdir()
    (tmp_path / "arm").mkdir()
    ours = build(FAMILIES, need("g++", "g++"), ["-O1"], here(), tmp_path / "here")
    theirs = build(FAMILIES, compiler, ["-O1", "-static"], ARM, tmp_path / "arm")
    found = check([str(ours)], {name for name, _, supported in _native.isa_names() if supported})
    assert len(found) > 20
    assert check([emulator, str(theirs)], {"portable", "neon", "neon_dotprod"}) == found


MEMORY = ("address,undefined", [])
RACES = ("thread", ["-fno-sanitize=all"])  # the kernels' own loops are left alone: races are the engine's to have


# Without optimisation: under it the sanitized vector loops take minutes to compile. The products start no thread.
@pytest.mark.parametrize(
    ("what", "sanitizers", "kernels"),
    [(KERNELS, *MEMORY), (PRODUCTS, *MEMORY), (KERNELS, *RACES)],
    ids=["kernels-memory", "products-memory", "kernels-races"],
)
def test_sanitizers_find_nothing(what: Check, sanitizers: str, kernels: list[str], tmp_path: Path) -> None:
    compiler = need("g++", "g++")
    flags = ["-O0", "-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
    program = build(what, compiler, flags, {isa: [*own, *kernels] for isa, own in here().items()}, tmp_path)
    check([str(program), "150"], {"portable"})
