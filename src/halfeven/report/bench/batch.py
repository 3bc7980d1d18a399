"""Throughput: many samples handed over at once, by engine, and the other way in which ours could have run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import HalfevenError, ParameterError
from halfeven.execute.engine import Engine
from halfeven.execute.memory import check_memory
from halfeven.report.bench.peers import Opened, open_peers
from halfeven.report.bench.timing import Times, interleaved

Array = NDArray[Any]
Feeds = Mapping[str, Array]
Run = Callable[[], object]
OURS = "halfeven"
IN_TURN = ", one by one"  # each sample in a run of its own, on all threads


@dataclass(frozen=True)
class Batch:
    """Times of ``samples`` samples at once, by engine.

    ``halfeven`` shares them out among its threads by itself; ``halfeven, one by one`` is the other way, there where the
    network does not mix samples. A peer runs them one by one where it takes no batch. ``refused``: why, of peers that
    run neither.
    """

    samples: int
    times: Mapping[str, Times]
    refused: Mapping[str, str] = field(default_factory=dict)

    def samples_per_second(self, engine: str) -> float:
        """Of the median."""
        return self.samples / self.times[engine].median_s


def measure_batch(
    engine: Engine,
    model: bytes,
    feeds: Feeds,
    wanted: list[str],
    *,
    samples: int,
    threads: int,
    against: Sequence[str],
    seconds: float,
) -> Batch:
    """Time ``samples`` samples, those of ``feeds`` over and over.

    Raises
    ------
    ParameterError
        If an input has no axis of samples, or the model takes no batch of this size.
    """
    batch = _repeated(feeds, samples)
    ones = [{name: a[k : k + 1] for name, a in batch.items()} for k in range(samples)]
    try:
        engine.run(batch, wanted, threads)
        apart = samples > 1 and engine.plan_for(ones[0], wanted, threads).per_sample is not None
    except (HalfevenError, ValueError) as error:
        raise ParameterError(f"the model does not run on a batch of {samples}: {error}") from None
    runs: dict[str, Run] = {OURS: lambda: engine.run(batch, wanted, threads)}
    if apart:
        runs[OURS + IN_TURN] = lambda: [engine.run(one, wanted, threads) for one in ones]
    peers = [_peer(name, model, batch, samples, threads) for name in against]
    for peer in peers:
        runs |= peer.runs
    refused = {name: why for peer in peers for name, why in peer.refused.items()}
    return Batch(samples, interleaved(runs, seconds * len(runs)), refused)


def _repeated(feeds: Feeds, count: int) -> dict[str, Array]:
    for name, a in feeds.items():
        if not a.ndim:
            raise ParameterError(f"a batch needs an axis of samples, which input '{name}' does not have")
        check_memory(count * a[:1].nbytes, f"input '{name}' of {count} samples")
    return {name: a[np.arange(count) % len(a)] for name, a in feeds.items()}


def _peer(name: str, model: bytes, batch: Feeds, samples: int, threads: int) -> Opened:
    """The peer's runs of the batch, or of one sample so many times where it refuses a batch."""
    whole = open_peers((name,), model, batch, threads)
    if not whole.refused:
        return whole
    ones = open_peers((name,), model, {n: a[:1] for n, a in batch.items()}, threads)
    in_turn = {
        form + IN_TURN: _so_many_times(run, samples) for form, run in ones.runs.items() if form not in whole.runs
    }
    return Opened({**whole.runs, **in_turn}, {form: why for form, why in ones.refused.items() if form in whole.refused})


def _so_many_times(run: Run, count: int) -> Run:
    return lambda: [run() for _ in range(count)]
