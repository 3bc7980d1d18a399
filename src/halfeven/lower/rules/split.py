"""Split (ONNX Split-18): each quantized part is a Slice of constant bounds."""

from __future__ import annotations

from halfeven.ir.instructions import Instruction
from halfeven.ir.moves import Slice
from halfeven.lower.rules.move import moved, rank
from halfeven.lower.site import NotLowered, Site


def lower(site: Site) -> list[Instruction]:
    """``Q(Split(DQ(x))[k])``."""
    axis = site.integer("axis", 0) % rank(site)
    ends = _ends(site, axis)
    start = 0 if site.result == 0 else ends[site.result - 1]
    return moved(site, lambda x, y: Slice(site.name, x, y, (axis,), (start,), (ends[site.result],), (1,)))


def _ends(site: Site, axis: int) -> list[int]:
    sizes = site.constant(1)
    if sizes is not None:
        return [int(n) for n in sizes.cumsum()]
    value = site.node.inputs[0]
    size = None if value is None or value.shape is None else value.shape[axis]
    if not isinstance(size, int):
        raise NotLowered("its parts have no constant sizes")
    each = -(-size // len(site.node.outputs))
    return [min(each * (k + 1), size) for k in range(len(site.node.outputs))]
