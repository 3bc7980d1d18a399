"""The corpus in ``golden/`` through every implementation here, and the corpus itself."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from corpus import FOLDER, Case, decode, encode, load
from numpy.testing import assert_array_equal
from replay import COMPUTED, PREPARED, REFERENCE, RESULTS, Arithmetic, replay

from halfeven import _native, ops
from halfeven.numerics.profile import profiles
from halfeven.numerics.qtype import QTYPES
from halfeven.ops import numpy_native, numpy_requantize

ROOT = Path(__file__).parents[2]
FUNCTIONS = ("quantize", "dequantize", "requantize", "quantized_matmul", "quantized_conv2d")
NATIVE = Arithmetic(*(getattr(ops, name) for name in FUNCTIONS))
ISAS = [name for name, compiled, supported in _native.isa_names() if compiled and supported]


@functools.cache
def corpus() -> list[Case]:
    return list(load())


def of(operation: str) -> list[Case]:
    return [case for case in corpus() if case["operation"] == operation]


def check(operation: str, arithmetic: Arithmetic) -> None:
    cases = of(operation)
    assert cases
    for case in cases:
        results = replay(case, arithmetic)
        for name in RESULTS[operation]:
            got = np.asarray(results[name])
            assert got.dtype == case[name].dtype
            assert_array_equal(got, case[name], f"{operation}: {case['name']}: {name}", strict=True)


@pytest.mark.parametrize("operation", RESULTS)
def test_the_reference(operation: str) -> None:
    check(operation, REFERENCE)


@pytest.mark.parametrize("operation", COMPUTED)
def test_numpy_arrays_through_native_code(operation: str) -> None:
    check(operation, NATIVE)


@pytest.mark.parametrize("operation", ["quantize", "dequantize", "requantize"])
@pytest.mark.parametrize("isa", ISAS)
def test_each_instruction_set(isa: str, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    index = [name for name, _, _ in _native.isa_names()].index(isa)
    kernels = {n: functools.partial(getattr(_native, n), isa=index) for n in ("quantize", "dequantize", "requantize")}
    for module in (numpy_native, numpy_requantize):
        monkeypatch.setattr(module, "_native", SimpleNamespace(**kernels))
    check(operation, NATIVE)


def through_torch(function: Any) -> Any:
    """``function`` over torch tensors, called with arrays."""
    import torch  # noqa: PLC0415

    def call(*arguments: Any) -> Any:
        tensors = [torch.from_numpy(np.array(a)) if isinstance(a, np.ndarray) else a for a in arguments]
        result = function(*tensors)
        assert isinstance(result, torch.Tensor)
        return result.numpy()

    return call


@pytest.mark.parametrize("operation", COMPUTED)
def test_torch(operation: str) -> None:
    pytest.importorskip("torch")
    check(operation, Arithmetic(*(through_torch(getattr(ops, name)) for name in FUNCTIONS)))


def compiler() -> str:
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        found = shutil.which(name) if name else None
        if found:
            return found
    pytest.skip("no C++ compiler is installed: apt-get install g++")


def test_the_board_headers_by_way_of_the_flat_text(tmp_path: Path) -> None:
    program = tmp_path / "replay"
    source = Path(__file__).with_name("replay.cpp")
    command = [compiler(), "-std=c++17", "-O1", "-I", str(ROOT / "native" / "include"), str(source), "-o", str(program)]
    subprocess.run(command, check=True)
    text = subprocess.run([sys.executable, "flatten.py"], cwd=FOLDER, capture_output=True, check=True).stdout
    replayed = subprocess.run([str(program)], input=text, capture_output=True, check=False)
    count = len(text.splitlines())
    assert replayed.stdout.decode() == f"{count} lines, 0 differences\n"
    assert replayed.returncode == 0
    # The runner must notice a wrong line, an unknown one, and an empty file.
    for wrong in (b"quantize journey6 3f800000 0 -128 127 40200000 3\n", b"quantise\n", b""):
        assert subprocess.run([str(program)], input=wrong, capture_output=True, check=False).returncode == 1


def test_the_files_are_what_the_reference_gives() -> None:
    done = subprocess.run([sys.executable, "generate.py", "--check"], cwd=FOLDER, capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode()) == (0, "the corpus is current\n")


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "golden"
    shutil.copytree(FOLDER, folder)
    path = folder / "quantize.json"
    path.write_text(path.read_text(encoding="utf-8").replace("[-2, -2, 0, 0, 2, 2]", "[-2, -2, 0, 0, 2, 3]", 1))
    done = subprocess.run([sys.executable, "generate.py", "--check"], cwd=folder, capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode()) == (1, "not what the reference gives: quantize.json\n")


def test_the_corpus_covers_every_profile_and_type() -> None:
    assert set(RESULTS) == {*COMPUTED, *PREPARED} == {case["operation"] for case in corpus()}
    quantized = of("quantize")
    assert {case["profile"] for case in quantized} == set(profiles)
    assert {(case["params"]["qtype"], case["profile"]) for case in quantized} >= {
        (q, p) for q in QTYPES for p in profiles
    }
    for operation in ("requantize", "matmul", "conv2d", "multiplier_from_scales"):
        assert {case["profile"] for case in of(operation)} == {
            n for n, p in profiles.items() if p.requantize is not None
        }


def test_the_profiles_differ_within_the_corpus() -> None:
    # A corpus on which two different rules agree could not tell them apart.
    codes: dict[str, list[bytes]] = {name: [] for name in profiles}
    for case in of("quantize"):
        if "," in case["name"] and case["name"].endswith(case["profile"]):
            codes[case["profile"]].append(case["codes"].tobytes())
    distinct = Counter(b"".join(parts) for parts in codes.values())
    # pytorch = xnnpack and tflite = tflite-double as far as quantize goes.
    assert sorted(distinct.values()) == [1, 1, 1, 2, 2]


def test_hand_made_cases_say_why() -> None:
    for path in FOLDER.glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        assert path.stem == "bulk" or all(case["why"] for case in document["cases"])


def test_names_are_unique_and_sizes_modest() -> None:
    names = Counter((case["operation"], case["name"]) for case in corpus())
    assert max(names.values()) == 1
    assert sum(p.stat().st_size for p in FOLDER.iterdir() if p.is_file()) < 3_000_000


@pytest.mark.parametrize("value", [np.float32([[1, -0.0]]), np.float64(1e-310), np.int8([]), np.arange(40), None, "a"])
def test_encoding_is_reversible(value: Any) -> None:
    bulk: dict[str, Any] = {}
    for archive in (None, bulk):
        back = decode(encode(value, "name", archive), bulk)
        if isinstance(value, (np.ndarray, np.generic)):
            assert back.dtype == value.dtype
            assert back.tobytes() == value.tobytes()
            assert back.shape == value.shape
        else:
            assert back == value
    assert set(bulk) <= {"name"}
