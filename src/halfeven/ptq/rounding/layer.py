"""The codes and scales of one layer's weights.

Source: docs/math/weight-rounding.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from halfeven.ptq.in_turn import in_turn
from halfeven.ptq.rounding.factor import solve, upper_factor
from halfeven.ptq.rounding.feedback import Grid, improve, round_with_feedback
from halfeven.ptq.rounding.scales import SHRINK, by_diagonal, covering, refitted, spread, stored
from halfeven.ptq.rounding.statistics import Moments, Problem
from halfeven.ptq.rounding.tiles import Reals, product
from halfeven.ptq.weight_blocks import snapped

DAMPINGS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
FIRST = 3  # of the dampings
FEW_ROWS = 4  # dampings below K / (4 rows) are not tried: with few rows one of them wins by luck
SWEEPS = 4
AROUND = (1.2, 1.1, 0.9, 0.8)  # parts of the scales of blocks, all at once
REFITS = 3


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
    """A problem with ``damping |v - w|^2`` added, in the order in which its columns are rounded."""

    order: np.ndarray
    h: Reals
    u: Reals
    wanted: Reals  # the best real weights

    @classmethod
    def of(cls, problem: Problem, damping: float) -> _Damped:
        diagonal = np.diagonal(problem.h, axis1=-2, axis2=-1)
        mean = diagonal.mean(axis=-1)
        order = np.argsort(-diagonal, axis=-1, kind="stable")
        h = np.take_along_axis(np.take_along_axis(problem.h, order[:, :, None], 1), order[:, None, :], 2)
        h = h + np.eye(h.shape[-1]) * (damping * np.where(mean > 0, mean, 1.0))[:, None, None]
        u = upper_factor(h)
        columns = order[:, None, :]
        weight = np.take_along_axis(problem.weight, np.broadcast_to(columns, problem.weight.shape), -1)
        drift = np.take_along_axis(problem.drift, np.broadcast_to(columns, problem.weight.shape), -1)
        return cls(order, h, u, weight + solve(drift, u))

    def back(self, codes: Reals) -> Reals:
        """Columns in their own order again."""
        found = np.empty_like(codes)
        np.put_along_axis(found, np.broadcast_to(self.order[:, None, :], codes.shape), codes, -1)
        return found

    def by_feedback(self, layer: LayerWeights, scale: Reals) -> _Found:
        """Codes in this order, each making up for those before."""
        grid = layer.grid(scale).take(self.order)
        return self._found(round_with_feedback(self.wanted, self.u, grid), scale, grid)

    def improved(self, layer: LayerWeights, codes: Reals, scale: Reals) -> _Found:
        """Each code in turn the best one."""
        grid = layer.grid(scale).take(self.order)
        return self._found(improve(codes, self.wanted, self.h, grid, SWEEPS), scale, grid)

    def _found(self, codes: Reals, scale: Reals, grid: Grid) -> _Found:
        e = self.wanted - grid.scale * codes
        return _Found(codes, scale, (product(e, self.h) * e).sum(axis=-1, keepdims=True))


def round_layer(halves: tuple[Moments, Moments], layer: LayerWeights, damping: float | None = None) -> Rounded:
    """The codes with the least error at the layer's result.

    Parameters
    ----------
    halves : moments of two halves of the samples.
    damping : None for the one of :data:`DAMPINGS`, or nearest rounding, that is best on each half when the other has
        chosen the codes. Scales and codes then come from all samples.
    """
    first, second = (half.problem(layer.weight) for half in halves)
    both = (halves[0] + halves[1]).problem(layer.weight)
    importance = np.diagonal(both.h, axis1=-2, axis2=-1)
    scale = layer.storable(by_diagonal(layer.weight, importance, layer.least, layer.codes, layer.block))
    if damping is None:
        rows = halves[0].count + halves[1].count
        least = layer.weight.shape[-1] / (FEW_ROWS * max(rows, 1))
        damping = _damping((first, second), layer.grid(scale), least)
    nearest = _nearest(both, layer, layer.scale).or_better(_nearest(both, layer, scale))
    if damping is None:
        return Rounded(nearest.codes, nearest.scale, None)
    damped = _best(_Damped.of(both, damping), layer, scale)
    error = _errors(both, layer, damped.codes, damped.scale)
    found = nearest.or_better(_Found(damped.codes, damped.scale, error))
    return Rounded(found.codes, found.scale, damping)


def _damping(halves: tuple[Problem, Problem], grid: Grid, least: float) -> float | None:
    """That with the least error, in one half, of the codes that the other chose; None where nearest has it.

    From the middle of what is allowed, on to a neighbour for as long as one is better.
    """
    allowed = [d for d in DAMPINGS if d >= least]
    errors: dict[int, float] = {}

    def error(k: int) -> float:
        if k not in errors:
            both_ways = in_turn(lambda pair: _carried_over(*pair, allowed[k], grid), (halves, halves[::-1]), 2)
            errors[k] = sum(both_ways)
        return errors[k]

    if not allowed:
        return None
    best = min(FIRST, len(allowed) - 1)
    while (found := min((k for k in (best, best - 1, best + 1) if 0 <= k < len(allowed)), key=error)) != best:
        best = found
    nearest = sum(float(half.error(grid.scale * grid.nearest(half.weight)).sum()) for half in halves)
    return allowed[best] if error(best) < nearest else None


def _carried_over(chosen_by: Problem, judged_by: Problem, damping: float, grid: Grid) -> float:
    problem = _Damped.of(chosen_by, damping)
    codes = problem.back(round_with_feedback(problem.wanted, problem.u, grid.take(problem.order)))
    return float(judged_by.error(grid.scale * codes).sum())


def _positive(scale: Reals) -> Reals:
    return np.where(scale > 0, scale, 1.0)


def _errors(problem: Problem, layer: LayerWeights, codes: Reals, scale: Reals) -> Reals:
    return problem.error(layer.grid(scale).scale * codes)[..., None]


def _nearest(problem: Problem, layer: LayerWeights, scale: Reals) -> _Found:
    codes = layer.grid(scale).nearest(layer.weight)
    return _Found(codes, scale, _errors(problem, layer, codes, scale))


def _best(problem: _Damped, layer: LayerWeights, scale: Reals) -> _Found:
    """Feedback on every shrunk scale, the best of each row, then codes and scales improved in turn."""
    found = problem.by_feedback(layer, scale)
    whole = covering(layer.weight, *layer.codes) if layer.block is None else scale
    for part in SHRINK if layer.block is None else AROUND:
        found = found.or_better(problem.by_feedback(layer, layer.storable(whole * part)))
    found = problem.improved(layer, found.codes, found.scale)
    for _ in range(REFITS if layer.block is None else 0):
        scale = layer.storable(refitted(found.codes, problem.wanted, problem.h, found.scale))
        found = found.or_better(problem.improved(layer, found.codes, scale))
    return _Found(problem.back(found.codes), found.scale, found.error)
