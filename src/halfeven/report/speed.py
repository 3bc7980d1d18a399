"""How long both models take on this machine: a few runs, the median."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import onnx
from numpy.typing import NDArray

from halfeven.execute.engine import Engine
from halfeven.execute.float_part import open_session, run_session
from halfeven.ir.program import Program
from halfeven.report.layers import FloatModel, label

Array = NDArray[Any]
WARM_UP, MOST_RUNS = 2, 15
LONGEST_S = 2.0  # of the timed runs of one model: a report should not wait for its least important number


@dataclass(frozen=True)
class Speed:
    """Median seconds of one run of the first sample, every core, on the machine that made the report.

    Attributes
    ----------
    float_s : the float model in ONNX Runtime. quantized_s : the integer program in the native engine.
    runs : timed, of each. machine : in words.
    """

    float_s: float
    quantized_s: float
    runs: tuple[int, int]
    machine: str


def measure_speed(float_model: FloatModel, program: Program, feeds: Mapping[str, Array]) -> Speed:
    """Time both models on one sample."""
    held: Any = float_model
    in_memory = isinstance(float_model, onnx.ModelProto)
    session = open_session(held.SerializeToString() if in_memory else label(float_model))
    engine, wanted = Engine(program), [p.name for p in program.outputs]
    float_s = _times(lambda: run_session(session, feeds))
    quantized_s = _times(lambda: engine.run(feeds, wanted))
    runs = len(float_s), len(quantized_s)
    return Speed(statistics.median(float_s), statistics.median(quantized_s), runs, platform.machine())


def _times(run: Callable[[], object]) -> list[float]:
    for _ in range(WARM_UP):
        run()
    times: list[float] = []
    while not times or (len(times) < MOST_RUNS and sum(times) < LONGEST_S):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times
