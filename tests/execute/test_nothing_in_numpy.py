"""The native backend runs every instruction, of every type, in compiled code: NumPy's evaluators stand aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np
import pytest
from random_instructions import KINDS, cases

from halfeven.execute import float_steps, moves, native, reference, reference_select, tables
from halfeven.execute.engine import Engine
from halfeven.execute.plan.stage import NativeStage
from halfeven.ir import instructions as ir
from halfeven.ir.program import Program
from halfeven.numerics.profile import JOURNEY6

COUNT = 40


def guarded(evaluate: Callable[..., Any], operands: list[Any]) -> Callable[..., Any]:
    def of_others(instruction: Any, arrays: Sequence[Any]) -> Any:
        if any(a.size and np.shares_memory(a, x) for a in arrays for x in operands):
            raise AssertionError(f"NumPy evaluates {type(instruction).__name__}")
        return evaluate(instruction, arrays)

    return of_others


def test_the_guard_sees_an_operand() -> None:
    ((instruction, arrays),) = cases("add", 1)
    guarded(reference.step, [])(instruction, arrays)
    with pytest.raises(AssertionError, match="NumPy evaluates Add"):
        guarded(reference.step, arrays)(instruction, arrays)


@pytest.fixture
def operands() -> list[Any]:
    return []


@pytest.fixture
def _no_numpy(operands: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference may fill tables of all codes and tell what comes of nothing; operands it must not see."""
    selecting = ("where", "mask", "extreme", "reduce_extreme", "reduce_sum", "resize_linear")
    evaluators = [(reference, "step"), (moves, "move"), (float_steps, "average_pool"), (tables, "pair_table")]
    for module, name in [*evaluators, (tables, "channel_table"), *((reference_select, name) for name in selecting)]:
        monkeypatch.setattr(module, name, guarded(getattr(module, name), operands))


def drawn(kind: str) -> list[tuple[ir.Instruction, list[Any], Any]]:
    return [(i, arrays, reference.step(i, arrays)[0]) for i, arrays in cases(kind, COUNT, first=90_000)]


def test_every_instruction_is_drawn() -> None:
    kinds = {type(i) for kind in KINDS for i, _ in cases(kind, 1)}
    every = {t for member in get_args(ir.Instruction) for t in (get_args(member) or (member,))}
    assert every - kinds == {ir.Float}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_compiled(kind: str, operands: list[Any], request: pytest.FixtureRequest) -> None:
    found = drawn(kind)
    operands += [a for _, arrays, _ in found for a in arrays]
    request.getfixturevalue("_no_numpy")
    for seed, (instruction, arrays, expected) in enumerate(found):
        (got,) = native.step(instruction, arrays, threads=1 + seed % 3)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected, err_msg=str(instruction))


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_is_one_stage_of_the_engine(kind: str) -> None:
    for instruction, arrays, expected in drawn(kind):
        feeds = dict(zip(ir.operands(instruction), arrays, strict=True))
        engine = Engine(Program("one", JOURNEY6, (), (), {}, {}, (instruction,)))
        wanted = ir.results(instruction)
        for _ in range(2):  # planned, and planned already
            np.testing.assert_array_equal(engine.run(feeds, wanted, 2)[wanted[0]], expected, err_msg=str(instruction))
        for plan in engine.plans():
            assert all(type(stage) is NativeStage for stage in plan.stages)
            assert len(plan.stages) + len(plan.fixed) == 1  # what comes of nothing takes no stage
