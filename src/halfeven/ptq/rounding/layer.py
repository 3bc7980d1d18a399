"""The codes and scales of one layer's weights.

Source: docs/math/weight-rounding.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven.numerics.qtype import int4
from halfeven.ops.columns import Panels, Reals, solve
from halfeven.ptq.in_turn import in_turn
from halfeven.ptq.rounding.columns import spread_evenly
from halfeven.ptq.rounding.factor import factored
from halfeven.ptq.rounding.feedback import Grid, improve, round_with_feedback
from halfeven.ptq.rounding.scales import by_diagonal, covering, refitted, spread, stored
from halfeven.ptq.rounding.statistics import Halves, Problem
from halfeven.ptq.weight_blocks import snapped

DAMPINGS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
FIRST = 3  # of the dampings
FEW_ROWS = 4  # dampings below K / (4 rows) are not tried: with few rows one of them wins by luck
SWEEPS = 4
AROUND = (1.2, 1.1, 0.9, 0.8)  # parts of the scales of blocks, all at once
REFITS = 3
ROWS = 128  # of a group, from which a damping is chosen; it is one number for them all
TRIED = (13, 64)  # scales of a row: as many of them as take WORK multiplications
WORK = 1 << 29
TRIED_AT_ONCE = 1 << 19  # numbers
CLIPPING = (0.4, 0.8)  # the least scale that is tried over that which clips nothing: of int4, of longer codes
WIDEST = 1.1
SMALL = 1 << 18  # numbers in a matrix: of larger ones kernels use all cores, and one at a time is held


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """What is to be rounded.

    Attributes
    ----------
    weight : float weights, (groups, rows, K).
    codes : (qmin, qmax). block : columns that share a scale; None for one scale a row.
    scale : (groups, rows, 1 or blocks), of the nearest rounding that is there already.
    least : scales must not be smaller, (groups, rows, 1).
    """

    weight: Reals
    codes: tuple[int, int]
    scale: Reals
    least: Reals
    block: int | None = None

    def grid(self, scale: Reals) -> Grid:
        """The reals that codes on these scales stand for."""
        return Grid(spread(scale, self.weight.shape[-1], self.block), *self.codes)

    def storable(self, scale: Reals) -> Reals:
        """The scales that can be stored, next to these: of blocks, small multiples of a unit of the row."""
        if self.block is None:
            return _positive(stored(scale, self.least))
        rows = scale.reshape(-1, scale.shape[-1])
        return snapped(rows, self.least.reshape(-1)).reshape(scale.shape)

    def scales(self) -> list[Reals]:
        """One a row, evenly around that which clips nothing; more of them where each is tried fast.

        Codes of 8 bits and more gain nothing by clipping: there each scale is another draw of roundings.
        """
        groups, rows, columns = self.weight.shape
        count = int(np.clip(WORK // max(groups * rows * columns**2, 1), *TRIED))
        whole = covering(self.weight, *self.codes)
        return [self.storable(whole * part) for part in np.linspace(CLIPPING[self.codes[1] > int4.qmax], WIDEST, count)]


@dataclass(frozen=True, eq=False)
class Rounded:
    """Codes (groups, rows, K) and scales (groups, rows, 1 or blocks).

    Attributes
    ----------
    damping : that was found best; None where nearest rounding was.
    """

    codes: Reals
    scale: Reals
    damping: float | None


@dataclass(frozen=True, eq=False)
class _Found:
    """Codes and scales with the error of each row (groups, rows, 1)."""

    codes: Reals
    scale: Reals
    error: Reals

    def or_better(self, other: _Found) -> _Found:
        """Row by row the one with less error; of equals this one."""
        better = other.error < self.error
        return _Found(
            np.where(better, other.codes, self.codes),
            np.where(better, other.scale, self.scale),
            np.minimum(self.error, other.error),
        )


@dataclass(frozen=True, eq=False)
class _Damped:
    """A problem with ``damping |v - w|^2`` added, in the order in which its columns are rounded.

    Attributes
    ----------
    w : the factor of the matrix that weighs the errors. wanted : the best real weights.
    """

    order: np.ndarray
    w: Panels
    wanted: Reals

    @classmethod
    def of(cls, problem: Problem, weighing: Panels) -> _Damped:
        """``weighing`` (see :func:`_weighing`) becomes its factor."""
        order, w = _order(problem), factored(weighing)
        columns = np.broadcast_to(order[:, None, :], problem.weight.shape)
        weight, drift = (np.take_along_axis(a, columns, -1) for a in (problem.weight, problem.drift))
        return cls(order, w, weight + solve(drift, w))

    def back(self, codes: Reals) -> Reals:
        """Columns in their own order again."""
        found = np.empty_like(codes)
        np.put_along_axis(found, np.broadcast_to(self.order[:, None, :], codes.shape), codes, -1)
        return found

    def by_feedback(self, layer: LayerWeights, scale: Reals) -> _Found:
        """Codes in this order, each making up for those before."""
        codes, error = round_with_feedback(self.wanted, self.w, layer.grid(scale).take(self.order))
        return _Found(codes, scale, error[..., None])

    def by_feedback_on(self, layer: LayerWeights, scales: Sequence[Reals]) -> _Found:
        """The best of each row on some scales, of equals the first; many at a time, as rows that lie side by side."""
        groups, rows, columns = self.wanted.shape
        at_once = max(1, TRIED_AT_ONCE // max(self.wanted.size, 1))
        found: list[_Found] = []
        for start in range(0, len(scales), at_once):
            some = scales[start : start + at_once]
            codes, error = round_with_feedback(
                np.tile(self.wanted, (1, len(some), 1)), self.w, layer.grid(np.concatenate(some, axis=1))
            )
            errors = error.reshape(groups, len(some), rows)
            best = errors.argmin(axis=1)[:, None]
            chosen = np.take_along_axis(codes.reshape(groups, len(some), rows, columns), best[..., None], 1)[:, 0]
            scale = np.take_along_axis(np.stack(some, axis=1), best[..., None], 1)[:, 0]
            one = _Found(chosen, scale, np.take_along_axis(errors, best, 1)[:, 0, :, None])
            found[:] = [found[0].or_better(one)] if found else [one]
        return found[0]

    def improved(self, h: Panels, layer: LayerWeights, codes: Reals, scale: Reals) -> _Found:
        """Each code in turn the best one; h weighs the errors."""
        found, error = improve(codes, self.wanted, h, layer.grid(scale).take(self.order), SWEEPS)
        return _Found(found, scale, error[..., None])


def _order(problem: Problem) -> NDArray[np.int64]:
    """Columns that vary most come first."""
    return np.argsort(-problem.diagonal, axis=-1, kind="stable")


def _weighing(problem: Problem, damping: float) -> Panels:
    """Covariance and damping, in the order of rounding."""
    mean = problem.diagonal.mean(axis=-1)
    return problem.covariance(_order(problem), damping * np.where(mean > 0, mean, 1.0))


def round_layer(halves: Halves, layer: LayerWeights, damping: float | None = None) -> Rounded:
    """The codes with the least error at the layer's result.

    Parameters
    ----------
    halves : problems of two halves of the samples; they are joined.
    damping : None for the one of :data:`DAMPINGS`, or nearest rounding, that is best on each half when the other has
        chosen the codes. Scales and codes then come from all samples.
    """
    importance = halves.diagonal
    scale = layer.storable(by_diagonal(layer.weight, importance, layer.least, layer.codes, layer.block))
    if damping is None:
        least = layer.weight.shape[-1] / (FEW_ROWS * max(halves.count, 1))
        damping = _damping(halves.both, layer.grid(scale), least)
    both = halves.whole()
    nearest = _nearest(both, layer, layer.scale).or_better(_nearest(both, layer, scale))
    if damping is None:
        return Rounded(nearest.codes, nearest.scale, None)
    damped = _best(both, damping, layer, scale)
    error = _errors(both, layer, damped.codes, damped.scale)
    found = nearest.or_better(_Found(damped.codes, damped.scale, error))
    return Rounded(found.codes, found.scale, damping)


def _damping(halves: tuple[Problem, ...], grid: Grid, least: float) -> float | None:
    """That with the least error, in one half, of the codes that the other chose; None where nearest has it.

    From the middle of what is allowed, on to a neighbour for as long as one is better; on some of the rows.
    """
    allowed = [d for d in DAMPINGS if d >= least]
    if not allowed:
        return None
    rows = spread_evenly(halves[0].weight.shape[1], ROWS, 0)
    grid = Grid(grid.scale[:, rows], grid.qmin, grid.qmax)
    first, second = (half.of_rows(rows) for half in halves)
    at_once = 2 if first.qq.size <= SMALL else 1
    errors: dict[int, float] = {}

    def error(k: int) -> float:
        if k not in errors:
            pairs = (first, second), (second, first)
            errors[k] = sum(in_turn(lambda pair: _carried_over(*pair, allowed[k], grid), pairs, at_once))
        return errors[k]

    best = min(FIRST, len(allowed) - 1)
    while (found := min((k for k in (best, best - 1, best + 1) if 0 <= k < len(allowed)), key=error)) != best:
        best = found
    nearest = sum(float(half.error(grid.scale * grid.nearest(half.weight)).sum()) for half in (first, second))
    return allowed[best] if error(best) < nearest else None


def _carried_over(chosen_by: Problem, judged_by: Problem, damping: float, grid: Grid) -> float:
    problem = _Damped.of(chosen_by, _weighing(chosen_by, damping))
    codes = problem.back(round_with_feedback(problem.wanted, problem.w, grid.take(problem.order))[0])
    return float(judged_by.error(grid.scale * codes).sum())


def _positive(scale: Reals) -> Reals:
    return np.where(scale > 0, scale, 1.0)


def _errors(problem: Problem, layer: LayerWeights, codes: Reals, scale: Reals) -> Reals:
    return problem.error(layer.grid(scale).scale * codes)[..., None]


def _nearest(problem: Problem, layer: LayerWeights, scale: Reals) -> _Found:
    codes = layer.grid(scale).nearest(layer.weight)
    return _Found(codes, scale, _errors(problem, layer, codes, scale))


def _best(problem: Problem, damping: float, layer: LayerWeights, scale: Reals) -> _Found:
    """Feedback on many scales, the best of each row, then codes and scales improved in turn."""
    h = _weighing(problem, damping)
    damped = _Damped.of(problem, h.copy())
    found = damped.by_feedback(layer, scale)
    if layer.block is None:
        found = found.or_better(damped.by_feedback_on(layer, layer.scales()))
    for part in () if layer.block is None else AROUND:
        found = found.or_better(damped.by_feedback(layer, layer.storable(scale * part)))
    found = damped.improved(h, layer, found.codes, found.scale)
    for _ in range(REFITS if layer.block is None else 0):
        scale = layer.storable(refitted(found.codes, damped.wanted, h, found.scale))
        found = found.or_better(damped.improved(h, layer, found.codes, scale))
    return _Found(damped.back(found.codes), found.scale, found.error)
