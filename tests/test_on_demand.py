"""What halfeven's dependencies import and halfeven does not use stays out of the process until it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_the_importer_may_ask_while_it_is_imported(tmp_path: Path) -> None:
    package = tmp_path / "importer"
    package.mkdir()
    package.joinpath("__init__.py").write_text(
        "import large\nfrom importer import _part, _other\nTOTAL = large.NUMBER + _part.NUMBER\n"
    )
    package.joinpath("_part.py").write_text("import large\nNUMBER = large.NUMBER + 1\n")
    package.joinpath("_other.py").write_text("raise AssertionError('nobody asks for anything of it')\n")
    tmp_path.joinpath("large.py").write_text("NUMBER = 20\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from halfeven import on_demand; "
        "on_demand.IMPORTER, on_demand.UNUSED = 'importer', ('large', 'importer._part', 'importer._other'); "
        "import importer; print(importer.TOTAL, type(sys.modules['large']).__name__, importer._part.NUMBER, "
        "'importer._other' in sys.modules)"
    )
    assert run(code) == "41 module 21 False"
