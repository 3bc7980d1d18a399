"""The exhaustive run finds what it should: its tables are the reference, and a path that is wrong once is caught."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from arithmetic_paths import REFERENCE, all_paths
from board_headers import compile_headers
from case_set import FULL, SAMPLED, THOROUGH, Case, QuantizeCase, RequantizeCase, quantizer
from checking import CASES, CHUNK, Stretch, check_sample, do, stretches
from findings import Finding
from numpy.testing import assert_array_equal
from progress import print_table
from step_table import ALL, INFINITY, NAN_RANGES, SIGN, StepTable, nan_count, reference, sample, step_table

from halfeven.numerics.profile import Requantize, profiles


@pytest.mark.parametrize("case", FULL, ids=lambda c: c.name)
def test_the_table_is_the_reference(case: Case) -> None:
    table = step_table(case)
    index = sample(case, np.random.default_rng(7), table)[:150_000]
    assert_array_equal(table.at(index), reference(case, index), strict=True)
    assert table.starts[0] == 0
    assert (np.diff(table.starts) > 0).all()


def test_a_table_worked_out() -> None:
    # S = 1, Z = 0, int8: code 1 begins just above 0.5 (a tie, to even 0), code 2 at 1.5 (a tie, to even 2).
    table = step_table(quantizer("journey6", 1.0, 0, "int8"))
    half, one_and_a_half = 0x3F000000, 0x3FC00000
    assert table.starts[:3].tolist() == [0, half + 1, one_and_a_half]
    assert table.codes[:3].tolist() == [0, 1, 2]
    assert table.at(np.array([INFINITY, INFINITY + 1, SIGN + INFINITY, ALL - 1])).tolist() == [127, 0, -128, 0]


def test_expanding_a_table() -> None:
    table = StepTable(np.array([0, 3, 4]), np.int8([5, 6, 7]))
    assert table.expand(0, 6).tolist() == [5, 5, 5, 6, 7, 7]
    assert table.expand(3, 4).tolist() == [6]
    assert table.expand(1, 3).tolist() == [5, 5]
    assert table.at(np.array([2, 3, 9])).tolist() == [5, 6, 7]


def test_nan_patterns_are_counted() -> None:
    assert nan_count(0, ALL) == 2 * (2**23 - 1)
    assert nan_count(INFINITY, INFINITY + 3) == 2
    every = np.arange(NAN_RANGES[0][0] - 5, NAN_RANGES[0][0] + 5)
    assert np.isnan(every.astype(np.uint32).view(np.float32)).sum() == 5


def wrong_at(number: int) -> list:
    """The reference, but for one input."""
    (right,) = (p for p in all_paths(None) if p.name == REFERENCE)

    def codes(case: Case, index: np.ndarray) -> np.ndarray:
        got = right.codes(case, index).copy()
        got[index == number] += 1
        return got

    return [replace(right, name="wrong once", codes=codes)]


def test_one_wrong_code_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("checking.paths_here", lambda _: wrong_at(0x3F800003))
    stretch = Stretch(0, 0, 0x3F800000, 0x3F810000)
    finding = do(stretch, None)[0, 0]
    assert (finding.values, finding.differences) == (65536, 1)
    print_table({("case", "path"): finding})
    assert "input 0x3f800003: 14, expected 13" in capsys.readouterr().out  # 1 / 0.1 + 3
    assert do(Stretch(0, 0, 0x3F810000, 0x3F820000), None)[0, 0].differences == 0


def test_a_wrong_code_beside_a_step_is_in_the_sample() -> None:
    step = int(step_table(CASES[0]).starts[40])
    assert check_sample(0, wrong_at(step))[0, 0].differences >= 1


def test_the_headers_sweep_finds_a_wrong_table(tmp_path: Path) -> None:
    programs = compile_headers(tmp_path)
    if programs is None:
        pytest.skip("no C++ compiler is installed: apt-get install g++")
    path = next(p for p in all_paths(programs) if p.name == "board headers")
    assert path.sweep is not None
    for case in (FULL[0], next(c for c in FULL if isinstance(c, RequantizeCase))):
        table = step_table(case)
        start = int(table.starts[10]) - 100
        assert path.sweep(case, table, start, start + 5000) == Finding(5000)
        moved = StepTable(table.starts + (np.arange(len(table.starts)) == 10), table.codes)
        finding = path.sweep(case, moved, start, start + 5000)
        assert finding.differences == 1
        assert finding.examples[0].startswith(f"input {start + 100:#010x}")


def test_all_inputs_are_covered_once() -> None:
    paths = all_paths(None)
    work = [w for w in stretches(paths) if isinstance(w, Stretch)]
    rows = {(w.case, w.path) for w in work}
    for row in rows:
        starts = sorted(w.start for w in work if (w.case, w.path) == row)
        assert starts == list(range(0, ALL, CHUNK))
    full = {way.name: {case for case, p in rows if p == path} for path, way in enumerate(paths)}
    assert all(full.values())
    assert full[REFERENCE] == full["native portable"] == set(range(len(THOROUGH)))


def test_the_cases_cover_every_rule() -> None:
    assert {c.profile.name for c in SAMPLED if isinstance(c, QuantizeCase)} == set(profiles)
    thorough = [c for c in THOROUGH if isinstance(c, QuantizeCase)]
    rules = {(p.scaling, p.zero_point, p.rounding) for p in profiles.values()}
    assert {(c.profile.scaling, c.profile.zero_point, c.profile.rounding) for c in thorough} == rules
    assert {c.profile.requantize for c in THOROUGH if isinstance(c, RequantizeCase)} == set(Requantize)
    assert len({c.name for c in CASES}) == len(CASES)


def test_the_command_says_what_it_takes() -> None:
    run = Path(__file__).with_name("run.py")
    done = subprocess.run([sys.executable, str(run), "--jobs", "0"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--jobs must be at least 1" in done.stderr
