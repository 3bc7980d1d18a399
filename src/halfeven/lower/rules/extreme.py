"""Max-13, Min-13, ReduceMax-20, ReduceMin-20, GlobalMaxPool-1: codes of one scale are compared as they are."""

from __future__ import annotations

from functools import partial

from halfeven.ir.instructions import Instruction
from halfeven.ir.select import Extreme, ReduceExtreme
from halfeven.lower.rules import unary
from halfeven.lower.rules.mean import reduced
from halfeven.lower.rules.move import moved, requantized, same_codes
from halfeven.lower.site import NotLowered, Operand, Site


def lower_pair(site: Site) -> list[Instruction]:
    """``Q(act(Max(DQ(a), DQ(b), ...)))``; operands on another scale are requantized first, which keeps their order."""
    if not site.reads_codes:
        return unary.lower(site)
    operands = [site.activation(k) for k in range(len(site.node.inputs))]
    if len(operands) < 2:  # noqa: PLR2004
        raise NotLowered("it has one operand")
    first = operands[0]
    if all(x.params == first.params for x in operands) and not same_codes(site, first):
        steps, last = _compared(site, [x.name for x in operands], f"{site.y}/compared")
        return [*steps, requantized(site, first, last, site.y, f"{site.name}/requantize")]
    before = [_requantized(site, x, k) for k, x in enumerate(operands)]
    steps, _ = _compared(site, [name for name, _ in before], site.y)
    return [*(step for _, done in before for step in done), *steps]


def _requantized(site: Site, x: Operand, k: int) -> tuple[str, list[Instruction]]:
    if same_codes(site, x):
        return x.name, []
    name = f"{site.y}/operand{k}"
    return name, [requantized(site, x, x.name, name, f"{site.name}/requantize{k}")]


def _compared(site: Site, names: list[str], y: str) -> tuple[list[Instruction], str]:
    steps: list[Instruction] = []
    best = names[0]
    for k, name in enumerate(names[1:], start=1):
        result = y if k == len(names) - 1 else f"{site.y}/best{k}"
        steps.append(Extreme(site.name, best, name, result, site.node.op_type == "Max"))
        best = result
    return steps, best


def _lower_reduced(site: Site, *, largest: bool) -> list[Instruction]:
    axes, keepdims = reduced(site)
    return moved(site, lambda x, y: ReduceExtreme(site.name, x, y, axes, keepdims, largest))


lower_reduce_max = partial(_lower_reduced, largest=True)
lower_reduce_min = partial(_lower_reduced, largest=False)


def lower_global(site: Site) -> list[Instruction]:
    """``Q(GlobalMaxPool(DQ(x)))``: the largest code over every spatial axis."""
    rank = site.activation(0).rank
    if rank is None:
        raise NotLowered("the rank of its input is unknown")
    axes = tuple(range(2, rank))
    return moved(site, lambda x, y: ReduceExtreme(site.name, x, y, axes, keepdims=True, largest=True))
