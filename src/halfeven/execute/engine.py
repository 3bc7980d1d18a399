"""Whole runs in the native engine: planned once for the shapes of the inputs, then run with one call a stretch."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import HalfevenError, NotANumberError, ResourceError
from halfeven.execute.memory import check_memory, return_free_memory
from halfeven.execute.plan.batch import parts
from halfeven.execute.plan.planner import FloatStage, Planned, PlannedStage, Planner
from halfeven.execute.plan.stage import NativeStage
from halfeven.execute.plan.weights import Weights
from halfeven.execute.run import needed
from halfeven.execute.threads import default_threads
from halfeven.ir.program import Program

__all__ = ["Engine", "FloatStage", "Planned", "PlannedStage"]

Array = NDArray[Any]
Progress = Callable[[int, int], object]
Key = tuple[Any, ...]
KEPT_PLANS = 8


class Engine:
    """Runs of one Program. Weights are packed once; plans are kept by the shapes of the inputs.

    Several threads may run one engine at a time, and a child process may go on with it after a fork.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._weights = Weights()
        self._plans: OrderedDict[Key, Planned] = OrderedDict()
        self._whole: set[Key] = set()  # inputs that do not run as single samples
        self.renew_locks()
        _engines.add(self)

    def renew_locks(self) -> None:
        """After a fork: a thread that held a lock may not exist in the child."""
        self._planning, self._looking = RLock(), RLock()  # a signal's handler may run the model in the middle of a run

    def run(
        self,
        values: Mapping[str, Array],
        wanted: Sequence[str],
        threads: int = 0,
        into: Mapping[str, Array] | None = None,
        progress: Progress = lambda _done, _total: None,
    ) -> dict[str, Array]:
        """Tensors ``wanted`` of a run that starts from ``values``; bit for bit those of ``run_program``.

        Parameters
        ----------
        threads : 0 for every core; 1 never makes a thread. The results are the same.
        into : arrays that take results, by name; used where they have the right shape, type and layout.
        progress : called with (samples done, their number) of a batch that is run part by part.
        """
        threads = threads or default_threads()
        found = self._run_samples(values, wanted, threads, into or {}, progress)
        if found is None:
            found = self._arrays(values)
            planned, ran = self._plan(found, values, wanted, threads)
            if not ran:
                planned.run(found, threads, into or {})
        return {name: found[name] for name in wanted}

    def plans(self) -> tuple[Planned, ...]:
        """The plans made so far, the last used at the end."""
        return tuple(self._plans.values())

    def plan_for(self, values: Mapping[str, Array], wanted: Sequence[str], threads: int = 0) -> Planned:
        """The plan of these inputs, all samples at once."""
        return self._plan(self._arrays(values), values, wanted, threads or default_threads())[0]

    @property
    def weight_bytes(self) -> int:
        """Of the packed weights, shared by all plans."""
        return sum(w.nbytes for w in self._weights.values())

    def _run_samples(
        self,
        values: Mapping[str, Array],
        wanted: Sequence[str],
        threads: int,
        into: Mapping[str, Array],
        progress: Progress,
    ) -> dict[str, Array] | None:
        """Run a batch of more than one sample part by part, where samples are independent; else None."""
        count = _samples(values)
        one = self._plan_of_sample(values, wanted, threads) if count > 1 else None
        if one is None:
            return None
        check_memory(count * sum(o.nbytes for o in one.outputs), f"a batch of {count} samples")
        made = {outer.name: room for outer, room in zip(one.outputs, one.rooms(into, count), strict=True)}
        for part in parts(count, threads, one.plan.arena_bytes):
            arrays = {name: a[part.begin : part.end] for name, a in values.items()}
            chunk = self._plan_of_chunk(arrays, part.size, wanted, threads) if part.size > 1 else None
            places = {o.name: made[o.name][o.shape[0] * part.begin : o.shape[0] * part.end] for o in one.outputs}
            try:
                if chunk is None:
                    one.run(arrays, threads, places, part.end - part.begin)
                else:
                    chunk.run(arrays, threads, places, part.runs)
            except NotANumberError as error:  # of this part: count all
                name = str(error.tensor)
                raise NotANumberError(int(np.isnan(values[name]).sum()), name) from None
            progress(part.end, count)
        return {**values, **made}

    def _plan_of_sample(self, values: Mapping[str, Array], wanted: Sequence[str], threads: int) -> NativeStage | None:
        first = {name: a[:1] for name, a in values.items()}
        key = _key(first, wanted)
        if key in self._whole:
            return None
        try:
            return self._plan(self._arrays(first), first, wanted, threads)[0].per_sample
        except (NotANumberError, ResourceError):
            return None
        except (HalfevenError, ValueError, IndexError):  # not a model of one sample, or of none: the whole run says
            self._whole.add(key)
            return None

    def _plan_of_chunk(
        self, arrays: Mapping[str, Array], size: int, wanted: Sequence[str], threads: int
    ) -> NativeStage | None:
        """The plan for ``size`` samples; None where a part of it cannot be planned, as it can for one."""
        chunk = {name: a[:size] for name, a in arrays.items()}
        stages = self._plan(self._arrays(chunk), chunk, wanted, threads)[0].stages
        return stages[0] if len(stages) == 1 and isinstance(stages[0], NativeStage) else None

    def _plan(
        self, arrays: dict[str, Array], values: Mapping[str, Array], wanted: Sequence[str], threads: int
    ) -> tuple[Planned, bool]:
        """The plan for these inputs, and whether it was made, and so run on ``arrays``, just now."""
        key = _key(values, wanted)
        planned = self._kept(key)
        if planned is not None:
            return planned, False
        with self._planning:
            planned = self._kept(key)  # another thread may have made it meanwhile
            if planned is not None:
                return planned, False
            constants = frozenset(set(self._program.constants) - set(wanted) - set(values))
            packed = self.weight_bytes
            todo = needed(self._program, set(arrays), wanted)
            planned = Planner(todo, constants, self._weights, arrays, tuple(values), wanted, threads).plan()
            self._keep(key, planned)
        if self.weight_bytes > packed:  # packing took room of its own
            return_free_memory()
        return planned, True

    def _kept(self, key: Key) -> Planned | None:
        with self._looking:
            if key in self._plans:
                self._plans.move_to_end(key)
            return self._plans.get(key)

    def _keep(self, key: Key, planned: Planned) -> None:
        with self._looking:
            self._plans[key] = planned
            if len(self._plans) > KEPT_PLANS:
                self._plans.popitem(last=False)

    def _arrays(self, values: Mapping[str, Array]) -> dict[str, Array]:
        return dict(self._program.constants) | dict(values)


def _key(values: Mapping[str, Array], wanted: Sequence[str]) -> Key:
    return tuple((name, a.shape, a.dtype.str) for name, a in values.items()), tuple(wanted)


def _samples(values: Mapping[str, Array]) -> int:
    """The size of the first axis, which all inputs share; else 1."""
    sizes = {a.shape[0] if a.ndim else 1 for a in values.values()}
    return sizes.pop() if len(sizes) == 1 else 1


_engines: WeakSet[Engine] = WeakSet()


def _renew_locks() -> None:
    for engine in list(_engines):
        engine.renew_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
