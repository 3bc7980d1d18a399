"""The choice of instruction set and threads: forced, refused with a sentence, safe after fork and between callers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from kernel_cases import ISAS, expected_codes, index_of, quantize, reals
from numpy.testing import assert_array_equal

from halfeven import _native
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6
from halfeven.numerics.qtype import int8

P = AffineParams(0.02, 5, int8)

PRELUDE = """
import os, sys
import numpy as np
from halfeven import _native

x = np.resize(np.linspace(-9, 9, 1999, dtype=np.float32), 1_000_000)

def codes(threads):
    out = np.empty(x.shape, np.int8)
    _native.quantize(x, out, np.float32([0.05]), np.int32([1]), -128, 127, 1, x.size, 0, True, 0, -1, threads)
    return out

def tasks():
    return len(os.listdir("/proc/self/task"))
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter: what is chosen once a process is chosen anew."""
    path = os.pathsep.join(p for p in sys.path if p)
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_names_are_in_the_order_of_the_argument() -> None:
    x86, arm = ["avx2", "avx_vnni", "avx512", "avx512_vnni", "avx512_amx"], ["neon", "neon_dotprod"]
    assert [name for name, _, _ in _native.isa_names()] == ["portable", *x86, *arm]
    assert all(compiled for _, compiled, supported in _native.isa_names() if supported)


def test_every_kernel_of_a_vector_set_has_a_portable_one() -> None:
    sets = "|".join(name for name, _, _ in _native.isa_names())
    stems = [re.fullmatch(rf"(.*?)_({sets})", name) for name in _native.kernel_names()]
    kernels = [stem.groups() for stem in stems if stem]
    assert len(kernels) == len(stems)
    portable = {stem for stem, isa in kernels if isa == "portable"}
    assert {stem for stem, _ in kernels} - portable == set()


@pytest.mark.parametrize("isa", ISAS)
def test_environment_forces_a_set(isa: str) -> None:
    done = run("print(_native.active_isa())", HALFEVEN_ISA=isa)
    assert done.stdout.strip() == isa, done.stderr


@pytest.mark.parametrize("isa", ["avx1024", "neon" if "avx2" in ISAS else "avx2"])
def test_a_set_that_cannot_run_is_refused(isa: str) -> None:
    done = run("codes(1)", HALFEVEN_ISA=isa)
    assert done.returncode != 0
    assert f"HALFEVEN_ISA is '{isa}', expected one of: portable" in done.stderr


def test_an_index_that_cannot_run_is_refused() -> None:
    x, out = np.zeros(4, np.float32), np.zeros(4, np.int8)
    for isa in (-2, len(_native.isa_names()), index_of("neon" if "avx2" in ISAS else "avx2")):
        with pytest.raises(ValueError, match=f"isa is {isa}, expected -1 or the index of one of"):
            _native.quantize(x, out, np.float32([1]), np.int32([0]), -128, 127, 1, 4, 0, True, 0, isa, 1)


def test_wrong_arguments_are_refused_before_anything_is_written() -> None:
    x, out = np.zeros(4, np.float32), np.full(4, 7, np.int8)
    scale, zero = np.float32([1]), np.int32([0])
    with pytest.raises(ValueError, match="the input holds 4 elements, expected 5"):
        _native.quantize(x, out, scale, zero, -128, 127, 1, 5, 0, True, 0)
    with pytest.raises(ValueError, match="the output holds 3 elements, expected 4"):
        _native.quantize(x, out[:3], scale, zero, -128, 127, 1, 4, 0, True, 0)
    with pytest.raises(ValueError, match="expected a range inside"):
        _native.quantize(x, out, scale, zero, -129, 127, 1, 4, 0, True, 0)
    with pytest.raises(ValueError, match="rounding is 3, expected 0 to 2"):
        _native.quantize(x, out, scale, zero, -128, 127, 1, 4, 0, True, 3)
    with pytest.raises(ValueError, match="zero_point holds 2 elements, expected 1"):
        _native.quantize(x, out, scale, np.int32([0, 0]), -128, 127, 1, 4, 0, True, 0)
    with pytest.raises(TypeError, match="x must hold float32"):
        _native.quantize(np.zeros(4, np.int32), out, scale, zero, -128, 127, 1, 4, 0, True, 0)
    with pytest.raises(TypeError, match="float64"):
        _native.quantize(np.zeros(4), out, scale, zero, -128, 127, 1, 4, 0, True, 0)
    assert (out == 7).all()


def test_one_thread_creates_none() -> None:
    done = run("codes(1); before = tasks(); codes(1); print(tasks() - before); codes(3); print(tasks() - before)")
    assert done.stdout.split() == ["0", "2"], done.stderr


def test_environment_limits_threads() -> None:
    code = "codes(1); before = tasks(); codes(0); print(tasks() - before)"
    assert run(code, HALFEVEN_NUM_THREADS="1").stdout.strip() == "0"
    assert run(code, HALFEVEN_NUM_THREADS="4").stdout.strip() == "3"
    done = run(code, HALFEVEN_NUM_THREADS="many")
    assert "HALFEVEN_NUM_THREADS is 'many', expected a positive integer" in done.stderr


def test_a_forked_child_has_its_own_threads() -> None:
    done = run("""
expected = codes(1)
assert (codes(3) == expected).all()
child = os.fork()
if child == 0:
    os._exit(0 if (codes(3) == expected).all() and tasks() == 3 else 1)
_, status = os.waitpid(child, 0)
assert (codes(3) == expected).all()
print(os.waitstatus_to_exitcode(status))
""")
    assert done.stdout.strip() == "0", done.stderr


def test_several_callers_at_once() -> None:
    x = np.resize(reals(0.02, 5, int8), 150_000)
    expected = expected_codes(x, P, JOURNEY6)

    def call(_: int) -> np.ndarray:
        return quantize(x, P, JOURNEY6, ISAS[-1], threads=3)[0]

    with ThreadPoolExecutor(4) as callers:
        for codes in callers.map(call, range(60)):
            assert_array_equal(codes, expected)
