"""3x3 convolutions by tiles give the reference's bits, wherever they are let in; what may not be exact is not."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from halfeven import _native
from halfeven.execute import reference
from halfeven.execute.engine import Engine
from halfeven.execute.plan import winograd
from halfeven.execute.run import reference_backend, run_program
from halfeven.ir import instructions as ir
from halfeven.ir.program import Program
from halfeven.ir.rescale import Accumulator, Rescale, Target
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import JOURNEY6, Requantize
from halfeven.numerics.qtype import int8

INT8 = Target(int8, 0, -128, 127)
ISAS = [name for name, _, supported in _native.isa_names() if supported]
TILED = [name for name in ISAS if name == "avx2"]
MOST = 230  # channels of codes 127 whose sums span less than 2^26: 255 * 127 * 9 * 230


def conv(w: np.ndarray, x_zero: int, pads: tuple[tuple[int, int], tuple[int, int]], largest: float) -> ir.Conv:
    """As the engine gets it, with results of about ``largest`` steps before the clamp."""
    sums = 255 * np.abs(w.astype(np.int64)).sum(axis=(1, 2, 3))
    how = Rescale(Multiplier.from_real(largest / sums.max()), INT8, Requantize.EXACT_HALF_EVEN)
    bias = np.arange(len(w), dtype=np.int64) * 50
    window = ir.Window((3, 3), (1, 1), pads, (1, 1))
    return ir.Conv("n", "x", "y", w, np.zeros((), np.int64), bias, x_zero, window, 1, Accumulator.of(sums + 5000), how)


def check(i: ir.Conv, x: np.ndarray, threads: int, *, tiled: bool) -> None:
    """Alone, and with an addition behind it."""
    engine = Engine(Program("p", JOURNEY6, (), (), {}, {}, (i,)))
    found = engine.run({"x": x}, ["y"], threads)["y"]
    expected = reference.step(i, [x])[0]
    np.testing.assert_array_equal(found, expected, err_msg=f"{x.shape} {i}")
    assert engine.plans()[0].steps[-2:-1] == (("ConvByTiles n",) if tiled else ("Conv n",))
    add = ir.Add("a", "y", "z", "s", 0, 3, 16000, 20000, 15, INT8)
    feeds = {"x": x, "z": expected[:, ::-1].copy()}
    program = Program("p", JOURNEY6, (), (), {}, {}, (i, add))
    found = Engine(program).run(feeds, ["s"], threads)["s"]
    np.testing.assert_array_equal(found, run_program(program, feeds, ["s"], reference_backend())["s"])


def check_random(count: int) -> None:
    """Any sizes, borders and channels; extreme codes every other time. Not asked whether it pays."""
    winograd.faster = lambda *_: True
    for seed in range(count):
        rng = np.random.default_rng(seed)
        channels, columns = int(rng.integers(1, 70)), int(rng.integers(1, 40))
        ends = [-128, 127] if seed % 2 else np.arange(-128, 128)
        x = rng.choice(ends, (rng.integers(1, 4), channels, *rng.integers(3, 15, 2))).astype(np.int8)
        w = rng.choice(ends, (columns, channels, 3, 3)).astype(np.int8)
        pads = tuple(tuple(int(n) for n in rng.integers(0, 3, 2)) for _ in range(2))
        check(conv(w, int(rng.integers(-128, 128)), pads, 300.0), x, 1 + seed % 3, tiled=True)


def check_largest_sums() -> None:
    """At the bound all sums are exact; one channel more could leave 26 bits, so that it is not run by tiles."""
    winograd.faster = lambda *_: True
    for channels in (MOST, MOST + 1):
        for code in (-128, 127):
            for weight in (-127, 127):
                x = np.full((1, channels, 5, 6), code, np.int8)
                w = np.full((17, channels, 3, 3), weight, np.int8)
                i = conv(w, -128, ((1, 1), (1, 1)), 120.0)
                check(i, x, 1, tiled=channels == MOST)


def in_a_process(isa: str, call: str) -> None:
    paths = [os.path.dirname(__file__), *sys.path]  # noqa: PTH120
    environment = {**os.environ, "HALFEVEN_ISA": isa, "PYTHONPATH": os.pathsep.join(paths)}
    code = f"import test_winograd; test_winograd.{call}"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("isa", TILED)
@pytest.mark.parametrize("call", ["check_random(40)", "check_largest_sums()"])
def test_tiles_equal_the_reference(isa: str, call: str) -> None:
    in_a_process(isa, call)


def test_tiles_are_for_what_pays() -> None:
    assert winograd.faster(tiles=196, pixels=56 * 56, channels=64, columns=64)
    assert winograd.faster(tiles=4, pixels=7 * 7, channels=512, columns=512)
    assert not winograd.faster(tiles=1, pixels=1, channels=512, columns=512)
    assert not winograd.faster(tiles=196, pixels=56 * 56, channels=3, columns=16)


@pytest.mark.parametrize("isa", ISAS)
def test_sums_that_may_leave_26_bits_are_refused(isa: str) -> None:
    index = [name for name, _, _ in _native.isa_names()].index(isa)
    fits, beyond = (np.full(2 * 9 * n, 127, np.int8) for n in (MOST, MOST + 1))
    assert _native.WinogradWeights.fit(fits, 2, isa=index) == (isa in TILED)
    assert not _native.WinogradWeights.fit(beyond, 2, isa=index)
    bias, multiplier = np.zeros(2, np.int32), np.ones(2)
    if isa in TILED:
        _native.WinogradWeights(fits, 9, MOST, bias, multiplier, isa=index)
    with pytest.raises(ValueError, match="leave 26 bits" if isa in TILED else "no kernel"):
        _native.WinogradWeights(beyond, 9, MOST + 1, bias, multiplier, isa=index)
