"""Times of several things that do the same, in interleaved rounds: what else the machine does meets all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUND_S = 0.03  # each one's share of a round: long enough for its data to be in the caches again
LEAST_ROUNDS = 5
MOST_ROUNDS = 200


@dataclass(frozen=True)
class Times:
    """Seconds of one run: the median of each round."""

    rounds_s: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The figure to quote."""
        return statistics.median(self.rounds_s)

    @property
    def best_s(self) -> float:
        """The fastest round: what the machine can do when nothing disturbs it."""
        return min(self.rounds_s)


def interleaved(runs: Mapping[str, Callable[[], object]], budget_s: float) -> dict[str, Times]:
    """Time each of ``runs`` in turn, round after round, until the budget is spent."""
    for run in runs.values():  # what is made at the first run is not what is measured
        run()
    found: dict[str, list[float]] = {name: [] for name in runs}
    begin = time.perf_counter()
    for k in range(MOST_ROUNDS):
        for name, run in runs.items():
            found[name].append(_median_of_round(run))
        if k + 1 >= LEAST_ROUNDS and time.perf_counter() - begin > budget_s:
            break
    return {name: Times(tuple(times)) for name, times in found.items()}


def _median_of_round(run: Callable[[], object]) -> float:
    times: list[float] = []
    begin = time.perf_counter()
    while not times or time.perf_counter() - begin < ROUND_S:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:] or times)  # the first finds another's data in the caches
