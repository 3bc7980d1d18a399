"""Threads: one makes none, a fork keeps the model, many callers agree, a signal ends a run between two steps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from small_models import cnn, images

import halfeven
from halfeven import _native
from halfeven.errors import ParameterError
from halfeven.execute.engine import Engine
from halfeven.execute.run import reference_backend, run_program
from halfeven.execute.threads import check_threads, default_threads

SUPPORT = Path(__file__).parent.parent / "support"
MODEL = """
import os, sys, threading
import numpy as np
from small_models import cnn, images
import halfeven
from halfeven.execute.engine import Engine
model = halfeven.quantize_model(cnn(), {"image": images(4)})
feeds = {"image": images(3, seed=8)}
expected = model.run(feeds, backend="reference")["score"]
large = np.random.default_rng(0).normal(0, 1, (4, 3, 96, 96)).astype(np.float32)
engine = Engine(model.program)
def run(x, threads):
    return engine.run({"image": x}, ["score"], threads)["score"]
def threads_of_process():
    return len(os.listdir("/proc/self/task"))
def right(threads):
    return bool((model.run(feeds, threads=threads)["score"] == expected).all())
"""


def run_script(text: str) -> str:
    """What a script prints behind MODEL, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), *sys.path])}
    command = [sys.executable, "-W", "ignore", "-c", MODEL + dedent(text)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")


@linux
def test_one_thread_makes_none_and_two_make_one() -> None:
    text = """
    run(large, 1)  # everything is loaded: what follows is the engine's own
    before = threads_of_process()
    for count in (1, 2, 4):
        run(large[:count], 1)
    print(threads_of_process() - before)
    run(large, 2)
    print(threads_of_process() - before)
    """
    assert run_script(text).split() == ["0", "1"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_goes_on() -> None:
    text = """
    run(large, 2)
    busy = True
    def work():
        while busy:
            run(large, 2)
    others = [threading.Thread(target=work) for _ in range(3)]
    for other in others:
        other.start()
    good = 0
    for _ in range(20):
        child = os.fork()
        if not child:
            os._exit(0 if right(2) and right(1) and run(large, 2).size else 1)
        good += os.waitpid(child, 0)[1] == 0
    busy = False
    for other in others:
        other.join()
    print(good, right(2))
    """
    assert run_script(text) == "20 True"


def test_multiprocessing_children_run_the_model() -> None:
    text = """
    import multiprocessing
    right(2)
    def child(k):
        return right(1 + k % 3)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print(sum(pool.map(child, range(12))))
    """
    if hasattr(os, "fork"):
        assert run_script(text) == "12"


def test_many_callers_of_several_models_agree() -> None:
    models = [halfeven.quantize_model(cnn(seed), {"image": images(4)}) for seed in (0, 1)]
    engines = [Engine(model.program) for model in models]
    work = [(k % 2, 1 + k % 4, {"image": images(1 + k % 5, seed=k)}) for k in range(40)]
    expected = [run_program(models[m].program, f, ["score"], reference_backend())["score"] for m, _, f in work]

    def run(piece: tuple[int, int, dict[str, np.ndarray]]) -> np.ndarray:
        which, threads, feeds = piece
        return engines[which].run(feeds, ["score"], threads)["score"]

    with ThreadPoolExecutor(6) as pool:
        for got, wanted in zip(pool.map(run, work * 3), expected * 3, strict=True):
            np.testing.assert_array_equal(got, wanted)


class Stopped(Exception):  # noqa: N818  what a user's signal handler raises
    """A signal came."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="raises a signal in the middle of a run")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_signal_ends_a_run_and_the_model_stays_usable(threads: int) -> None:
    model = halfeven.quantize_model(cnn(), {"image": images(4)})
    engine = Engine(model.program)
    batch = np.random.default_rng(0).normal(0, 1, (4000, 3, 64, 64)).astype(np.float32)
    expected = engine.run({"image": batch[:1]}, ["score"], threads)["score"]
    room = np.empty((len(batch), 5), np.float32)

    def stop(*_: object) -> None:
        raise Stopped

    def run_for_ever() -> None:
        while True:
            room[:] = np.nan
            engine.run({"image": batch}, ["score"], threads, into={"score": room})

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Stopped):
            run_for_ever()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.isnan(room).any()  # it did not go on to the end
    np.testing.assert_array_equal(engine.run({"image": batch[:1]}, ["score"], threads)["score"], expected)


def test_the_environment_is_cut_to_the_limit_and_an_argument_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    most = _native.most_threads()
    assert most >= 16
    for value, threads in (("1", 1), (str(most), most), (str(most + 1), most), ("100000", most), (str(2**40), most)):
        monkeypatch.setenv("HALFEVEN_NUM_THREADS", value)
        assert default_threads() == threads
        check_threads(None)
    with pytest.raises(ParameterError, match=f"threads must be from 1 to {most} on this machine"):
        check_threads(most + 1)
    for wrong in ("2", 1.5):
        with pytest.raises(ParameterError, match=f"threads must be from 1 to {most} .*: {wrong!r}"):
            check_threads(wrong)  # type: ignore[arg-type]
    for value in ("0", "-1", str(-(2**40)), "many", "2 many"):
        monkeypatch.setenv("HALFEVEN_NUM_THREADS", value)
        with pytest.raises(ParameterError, match=f"HALFEVEN_NUM_THREADS is '{value}', expected a positive integer"):
            check_threads(None)


@linux
@pytest.mark.parametrize(
    "run",
    [
        "run(large.repeat(40, 0), 0)",
        "model.run(feeds | {'image': images(400)})",
        "halfeven.quantize(large.repeat(400, 0), model.inputs[0].params)",  # an operation by itself
    ],
)
def test_no_more_threads_are_made_than_the_limit(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALFEVEN_NUM_THREADS", "1000")
    text = f"""
    run(large, 1)
    before = threads_of_process()
    {run}
    print(threads_of_process() - before)
    """
    assert 1 <= int(run_script(text)) < _native.most_threads()
