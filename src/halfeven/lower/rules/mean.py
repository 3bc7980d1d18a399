"""GlobalAveragePool-1, ReduceMean-18 and ReduceSum-13: exact sum, one rounding."""

from __future__ import annotations

from halfeven.ir.instructions import Instruction, ReduceMean
from halfeven.ir.select import ReduceSum
from halfeven.lower.scaling import mean_rescale, rescale
from halfeven.lower.site import NotLowered, Site


def lower_global(site: Site) -> list[Instruction]:
    """Mean over every spatial axis."""
    x = site.activation(0)
    axes = tuple(range(2, _rank(site)))
    return [ReduceMean(site.name, x.name, site.y, axes, True, x.zero, mean_rescale(site, x.params.scale))]


def lower_reduce(site: Site) -> list[Instruction]:
    """Mean over constant axes."""
    x = site.activation(0)
    return [ReduceMean(site.name, x.name, site.y, *reduced(site), x.zero, mean_rescale(site, x.params.scale))]


def lower_sum(site: Site) -> list[Instruction]:
    """Sum over constant axes."""
    x = site.activation(0)
    return [ReduceSum(site.name, x.name, site.y, *reduced(site), x.zero, rescale(site, x.params.scale))]


def reduced(site: Site) -> tuple[tuple[int, ...], bool]:
    """The constant axes that a Reduce operator runs over, from the front, and whether it keeps them as size 1."""
    axes, rank = site.constant(1), _rank(site)
    if (axes is None or not axes.size) and site.integer("noop_with_empty_axes", 0):
        raise NotLowered("it reduces nothing")
    chosen = range(rank) if axes is None or not axes.size else sorted(int(a) % rank for a in axes.reshape(-1))
    return tuple(chosen), bool(site.integer("keepdims", 1))


def _rank(site: Site) -> int:
    rank = site.activation(0).rank
    if rank is None:
        raise NotLowered("the rank of its input is unknown")
    return rank
