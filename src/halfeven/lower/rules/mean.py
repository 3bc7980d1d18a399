"""GlobalAveragePool (ONNX GlobalAveragePool-1) and ReduceMean (ONNX ReduceMean-18): exact sum, one rounding."""

from __future__ import annotations

from halfeven.ir.instructions import Instruction, ReduceMean
from halfeven.lower.scaling import mean_rescale
from halfeven.lower.site import NotLowered, Site


def lower_global(site: Site) -> list[Instruction]:
    """Mean over every spatial axis."""
    return _mean(site, None, keepdims=True)


def lower_reduce(site: Site) -> list[Instruction]:
    """Mean over constant axes."""
    axes = site.constant(1)
    if axes is None and site.integer("noop_with_empty_axes", 0):
        raise NotLowered("it reduces nothing")
    return _mean(site, [] if axes is None else [int(a) for a in axes], keepdims=bool(site.integer("keepdims", 1)))


def _mean(site: Site, axes: list[int] | None, *, keepdims: bool) -> list[Instruction]:
    x = site.activation(0)
    if x.rank is None:
        raise NotLowered("the rank of its input is unknown")
    chosen = range(2, x.rank) if axes is None else sorted(a % x.rank for a in axes) or range(x.rank)
    how = mean_rescale(site, x.params.scale)
    return [ReduceMean(site.name, x.name, site.y, tuple(chosen), keepdims, x.zero, how)]
