"""Where the time of a run goes: seconds of each layer, its operations a second, its share of the machine's peak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute.plan.planner import FloatStage, Planned
from halfeven.ir.instructions import Instruction, results
from halfeven.ir.program import Program
from halfeven.report.macs import macs

Array = NDArray[Any]
PROFILES = 7
OPERATIONS_A_MAC = 2


@dataclass(frozen=True)
class LayerTime:
    """One layer of a run.

    Attributes
    ----------
    kind : what runs, with what it was fused with; in brackets where it is no step of the engine.
    seconds : the median; None for what is in brackets. macs : multiply-accumulates, 0 where there are none.
    """

    kind: str
    name: str
    seconds: float | None
    macs: int

    @property
    def operations_per_second(self) -> float | None:
        """Multiplications and additions."""
        return OPERATIONS_A_MAC * self.macs / self.seconds if self.macs and self.seconds else None


def layer_times(program: Program, planned: Planned, feeds: Mapping[str, Array], threads: int) -> tuple[LayerTime, ...]:
    """Layers in the order in which they run; steps of one layer together."""
    by_name = {i.name: i for i in program}
    arrays = dict(program.constants) | dict(feeds)
    found: list[LayerTime] = []
    for stage in planned.stages:
        if isinstance(stage, FloatStage):
            instruction = stage.instruction
            found.append(
                LayerTime(f"[{type(instruction).__name__}]", instruction.name, None, _macs(instruction, planned))
            )
        else:
            ends = stage.ends(arrays)
            spent = np.median([stage.plan.profile(*ends, threads) for _ in range(PROFILES)], axis=0)
            found += _merged(stage.steps, spent, by_name, planned)
        stage.run(arrays, threads)
    return tuple(found)


def _merged(
    steps: tuple[str, ...], spent: NDArray[np.float64], by_name: Mapping[str, Instruction], planned: Planned
) -> list[LayerTime]:
    """One line a layer: a grouped convolution is several steps."""
    lines: dict[str, float] = {}
    for step, seconds in zip(steps, spent, strict=True):
        lines[step] = lines.get(step, 0.0) + float(seconds)
    found = []
    for step, seconds in lines.items():
        kind, _, name = step.partition(" ")
        found.append(LayerTime(kind, name, seconds, _macs(by_name[name], planned) if name in by_name else 0))
    return found


def _macs(instruction: Instruction, planned: Planned) -> int:
    return macs(instruction, {}, planned.shapes) if results(instruction)[0] in planned.shapes else 0
