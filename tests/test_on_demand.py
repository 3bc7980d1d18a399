"""What halfeven's dependencies import and halfeven does not use stays out of the process until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_quantization_and_lowering_load_no_sympy() -> None:
    assert run("import sys, halfeven.ptq.quantize, halfeven.lower; print('sympy' in sys.modules)") == "False"


@pytest.mark.parametrize("first", ["halfeven, onnx_ir", "onnx_ir, halfeven", "sympy, halfeven, onnx_ir"])
def test_sizes_are_computed_with_as_ever(first: str) -> None:
    code = f"import {first}; d = onnx_ir.SymbolicDim; print(d('N') * 2 + 3, d('a - a').simplify())"
    assert run(code) == "2*N + 3 0"


def test_others_import_the_module_itself() -> None:
    code = "import halfeven, onnx_ir, sympy, sympy.core; print(type(sympy).__name__, sympy.Symbol('x') + 1)"
    assert run(code) == "module x + 1"


def test_the_importer_keeps_its_own_loader() -> None:
    code = (
        "import halfeven, onnx_ir, inspect, importlib; print(type(onnx_ir.__spec__.loader).__name__, "
        "onnx_ir.__loader__ is onnx_ir.__spec__.loader, 'onnx_ir' in inspect.getsource(importlib.reload(onnx_ir)))"
    )
    assert run(code) == "SourceFileLoader True True"


def test_threads_may_ask_first_at_once() -> None:
    code = (
        "import halfeven, onnx_ir; from concurrent.futures import ThreadPoolExecutor as Pool; "
        "one = lambda k: str(onnx_ir.SymbolicDim('N') + 1) if k % 2 else str(__import__('sympy').Max(1, 2)); "
        "print(sorted(set(Pool(8).map(one, range(8)))))"
    )
    assert run(code) == "['2', 'N + 1']"
