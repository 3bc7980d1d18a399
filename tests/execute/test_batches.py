"""A batch gives what its samples give, one by one; samples that do not mix run side by side."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from random_programs import random_program
from small_models import cnn, images

import halfeven
from halfeven.errors import HalfevenError, NotANumberError
from halfeven.execute.engine import Engine
from halfeven.execute.plan.batch import parts
from halfeven.execute.plan.samples import independent
from halfeven.execute.run import reference_backend, run_program
from halfeven.ir import instructions as ir
from halfeven.ir import moves
from halfeven.ir.program import Program
from halfeven.numerics.profile import JOURNEY6

THREADS = (1, 2, 3, 7)


def assert_same(got: Any, expected: Any, note: str = "") -> None:
    assert got.dtype == expected.dtype, note
    np.testing.assert_array_equal(got, expected, err_msg=note)


def batch_of(feeds: dict[str, Any], count: int) -> dict[str, Any]:
    """Samples that differ: the first one, its elements moved on."""
    return {
        n: np.concatenate([np.roll(a[:1].ravel(), k).reshape(a[:1].shape) for k in range(count)])
        for n, a in feeds.items()
    }


def check_batch(seed: int) -> bool:
    """Whether the program's samples are independent; if so, its batch is right."""
    program, feeds, _ = random_program(seed)
    last = ir.results(program.instructions[-1])[0]
    engine = Engine(program)
    try:
        engine.run(batch_of(feeds, 1), [last], 1)
    except (HalfevenError, ValueError):  # made for another number of samples
        return False
    if engine.plans()[0].per_sample is None:
        return False
    batch = batch_of(feeds, 2 + seed % 7)
    found = engine.run(batch, [last], THREADS[seed % 4])[last]
    assert_same(found, run_program(program, batch, [last], reference_backend())[last], f"seed {seed}\n{program}")
    return True


@pytest.mark.parametrize("block", range(4))
def test_random_programs_give_the_samples_of_a_batch(block: int) -> None:
    assert sum(check_batch(seed) for seed in range(3000 + block * 40, 3040 + block * 40)) > 10


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("count", [2, 3, 4, 7, 8, 33, 64])
def test_a_batch_of_any_size_on_any_threads(count: int, threads: int) -> None:
    model = halfeven.quantize_model(cnn(), {"image": images(4)})
    engine, feeds = Engine(model.program), {"image": images(count, seed=count)}
    expected = run_program(model.program, feeds, ["score"], reference_backend())
    for _ in range(2):
        assert_same(engine.run(feeds, ["score"], threads)["score"], expected["score"])
    assert all(plan.per_sample is not None for plan in engine.plans())


@pytest.mark.parametrize("threads", range(1, 9))
@pytest.mark.parametrize("arena", [1, 100_000, 10**9])
def test_parts_are_the_batch_in_order(threads: int, arena: int) -> None:
    for samples in range(2, 40):
        cut = list(parts(samples, threads, arena))
        assert [p.begin for p in cut] == [0, *(p.end for p in cut[:-1])]
        assert cut[-1].end == samples
        assert all(p.size * p.runs == p.end - p.begin for p in cut)
        assert sum(p.runs == 1 for p in cut) <= threads + 1


def mixing(*instructions: Any) -> bool:
    """Whether instructions on t0 (N, 4, 6) are known to leave samples apart."""
    shapes = {"t0": (1, 4, 6), "one": (1, 4, 6), "flat": (4, 6)}
    program = Program("p", JOURNEY6, (), (), {}, {}, instructions)
    arrays = {name: np.zeros(shape, np.int8) for name, shape in shapes.items()}
    for i in program:
        found = reference_backend().step(i, [arrays[n] for n in ir.operands(i)])
        arrays |= dict(zip(ir.results(i), found, strict=True))
    last = ir.results(program.instructions[-1])
    return not independent(program.instructions, {n: a.shape for n, a in arrays.items()}, ["t0"], last)


def test_what_mixes_samples_is_seen() -> None:
    assert mixing(moves.Transpose("n", "t0", "y", (1, 0, 2)))
    assert not mixing(moves.Transpose("n", "t0", "y", (0, 2, 1)))
    assert mixing(moves.Reshape("n", "t0", "y", (4, -1), allowzero=False))
    assert not mixing(moves.Reshape("n", "t0", "y", (-1, 6), allowzero=False))
    assert not mixing(moves.Reshape("n", "t0", "y", (0, -1), allowzero=False))
    assert mixing(moves.Concat("n", ("t0", "t0"), "y", 0))
    assert mixing(moves.Concat("n", ("t0", "one"), "y", 1))
    assert not mixing(moves.Concat("n", ("t0", "t0"), "y", 1))
    assert mixing(moves.Flatten("n", "t0", "y", 0))
    assert mixing(moves.Unsqueeze("n", "t0", "y", (0,)))
    assert mixing(moves.Squeeze("n", "t0", "y", None))
    assert mixing(moves.Gather("n", "t0", "y", 0, np.array([0])))
    assert not mixing(moves.Gather("n", "t0", "y", 1, np.array([2, 0])))
    assert mixing(moves.Expand("n", "t0", "y", (3, 4, 6)))
    assert mixing(moves.Reshape("n", "t0", "t1", (-1,), allowzero=False), moves.Flatten("m", "t1", "y", 0))
    assert mixing(moves.Squeeze("n", "one", "y", (0,)))  # no sample in it at all


def test_a_nan_is_counted_in_the_whole_batch() -> None:
    model = halfeven.quantize_model(cnn(), {"image": images(4)})
    engine, bad = Engine(model.program), images(6)
    bad[0, 0, 0, 0] = bad[3, 1, 2, :2] = bad[5, 0, 0, 0] = np.nan
    for feeds in ({"image": bad}, {"image": bad[1:]}):
        with pytest.raises(NotANumberError) as caught:
            engine.run(feeds, ["score"])
        assert (caught.value.tensor, caught.value.count) == ("image", int(np.isnan(feeds["image"]).sum()))
    good = {"image": images(6)}
    expected = run_program(model.program, good, ["score"], reference_backend())
    assert_same(engine.run(good, ["score"])["score"], expected["score"])


def test_results_go_where_they_are_wanted() -> None:
    model = halfeven.quantize_model(cnn(), {"image": images(4)})
    engine = Engine(model.program)
    for count in (1, 5):
        feeds = {"image": images(count, seed=count)}
        engine.run(feeds, ["score"])
        room = np.full((count, 5), np.nan, np.float32)
        assert engine.run(feeds, ["score"], into={"score": room})["score"] is room
        assert_same(room, run_program(model.program, feeds, ["score"], reference_backend())["score"])


def test_a_batch_that_is_no_stack_of_samples_runs_whole() -> None:
    """Program 500011 of the random ones: of one sample, its operands would not broadcast."""
    for seed in range(500_000, 500_012):
        program, feeds, expected = random_program(seed)
        last = ir.results(program.instructions[-1])[0]
        assert_same(Engine(program).run(feeds, [last])[last], expected[last], str(seed))


def test_a_batch_of_any_layout_is_copied_once() -> None:
    model = halfeven.quantize_model(cnn(), {"image": images(8)}, algorithms="none")
    one = images(1, seed=4)
    batch = np.broadcast_to(one, (4000, *one.shape[1:]))  # one sample in memory
    expected = model.run({"image": one})["score"]
    tracemalloc.start()
    found = model.run({"image": batch}, threads=2)["score"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert_same(found, np.broadcast_to(expected, (4000, *expected.shape[1:])))
    assert peak < 1.5 * batch.nbytes
