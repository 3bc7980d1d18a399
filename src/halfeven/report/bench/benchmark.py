"""One model on this machine: latency, throughput, layers, memory, and the same in other runtimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from halfeven import _native
from halfeven.errors import ParameterError
from halfeven.execute.engine import Engine
from halfeven.execute.threads import default_threads
from halfeven.ir.program import Program
from halfeven.report.bench.batch import OURS, Batch, measure_batch
from halfeven.report.bench.layers import OPERATIONS_A_MAC, LayerTime, layer_times
from halfeven.report.bench.peers import open_peers
from halfeven.report.bench.timing import Times, interleaved

Array = NDArray[Any]
__all__ = ["OURS", "Benchmark", "Footprint", "benchmark"]


@dataclass(frozen=True)
class Footprint:
    """Bytes that a run needs beside its inputs and results.

    Attributes
    ----------
    weights : packed for this machine, shared by all runs. arena : tensors between the layers, one for each run at a
    time. tables : offsets of windows, shared by all runs of these shapes.
    """

    weights: int
    arena: int
    tables: int

    @property
    def total(self) -> int:
        """Of one run at a time."""
        return self.weights + self.arena + self.tables


@dataclass(frozen=True)
class Benchmark:
    """What was measured, on ``threads`` threads with the instruction set ``isa``.

    Attributes
    ----------
    times : of one run, by engine; ours is ``halfeven``.
    samples : of a run, the size of the first axis.
    peak : integer operations a second on registers alone, in the same process.
    layers : where the time of our run goes, in order.
    batch : many samples at once, where that was asked for.
    refused : why a peer has no times, by engine: it does not run the file.
    """

    shapes: Mapping[str, tuple[int, ...]]
    threads: int
    isa: str
    times: Mapping[str, Times]
    samples: int
    peak: float
    layers: tuple[LayerTime, ...]
    footprint: Footprint
    batch: Batch | None = None
    refused: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        from halfeven.report.bench.text import text  # noqa: PLC0415

        return text(self)

    @property
    def own(self) -> Times:
        """Ours."""
        return self.times[OURS]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a run."""
        return sum(layer.macs for layer in self.layers)

    @property
    def share_of_peak(self) -> float:
        """Of the whole run: what the integer units were used for, over what they can do."""
        return OPERATIONS_A_MAC * self.macs / self.own.median_s / self.peak

    def ratio(self, peer: str) -> float:
        """Our time over a peer's: below 1 ours is the faster."""
        return self.own.median_s / self.times[peer].median_s


def benchmark(
    program: Program,
    model: bytes,
    feeds: Mapping[str, Array],
    *,
    threads: int = 0,
    against: Sequence[str] = (),
    seconds: float = 3.0,
    batch: int = 0,
) -> Benchmark:
    """Measure a program, and ``model``, the ONNX file that it means, in the peers ``against``.

    Parameters
    ----------
    threads : of every engine; 0 for every core.
    seconds : of timing, about, for each engine.
    batch : also so many samples at once.
    """
    if empty := next((name for name, a in feeds.items() if not a.size), None):
        raise ParameterError(f"input '{empty}' has shape {feeds[empty].shape}, which is nothing to time: give a sample")
    count = threads or default_threads()
    engine, wanted = Engine(program), [p.name for p in program.outputs]
    peers = open_peers(against, model, feeds, count)
    runs = {OURS: lambda: engine.run(feeds, wanted, count), **peers.runs}
    times = interleaved(runs, seconds * len(runs))
    planned = engine.plan_for(feeds, wanted, count)
    stages = [s for s in planned.stages if hasattr(s, "plan")]
    return Benchmark(
        {name: a.shape for name, a in feeds.items()},
        count,
        _native.active_isa(),
        times,
        next((a.shape[0] for a in feeds.values() if a.ndim), 1),
        _native.peak_operations_per_second(-1, count),
        layer_times(program, planned, feeds, count),
        Footprint(
            engine.weight_bytes,
            max((s.plan.arena_bytes for s in stages), default=0),
            sum(s.plan.table_bytes for s in stages),
        ),
        measure_batch(engine, model, feeds, wanted, samples=batch, threads=count, against=against, seconds=seconds)
        if batch
        else None,
        peers.refused,
    )
