"""The count of instructions names what became slower."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


@pytest.fixture(name="run")
def _run() -> ModuleType:
    spec = spec_from_file_location("instruction_counts", HERE / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_slower_fails_and_what_is_faster_asks_to_record(run: ModuleType) -> None:
    recorded = {"same": 1000, "noise": 1000, "slow": 1000, "fast": 1000, "gone": 1000}
    found = {"same": 1000, "noise": 1049, "slow": 1051, "fast": 949, "new": 5}
    worse, other = run.differences(found, recorded)
    assert worse == ["gone: not counted any more", "slow: 1000 -> 1051 instructions, +5.1%"]
    assert other == ["new: not recorded yet", "fast: 1000 -> 949 instructions, -5.1%"]


def test_counts_are_recorded_for_every_kernel_valgrind_can_run() -> None:
    recorded = json.loads((HERE / "counts.json").read_text())
    assert recorded["compiler"].startswith("GCC: ")
    for family in ("igemm", "depthwise", "quantize", "requantize", "table", "largest", "total", "sum of rows"):
        for isa in ("portable", "avx2"):
            assert any(name.startswith(family) and name.endswith(isa) for name in recorded["instructions"])


def test_missing_valgrind_is_named(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "program"])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit) as caught:
        run.main()
    assert caught.value.code == 2
    assert "valgrind is not installed: apt-get install valgrind" in capsys.readouterr().err
