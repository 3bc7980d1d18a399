"""Where (ONNX Where-16): it picks codes; operands on another scale are requantized first."""

from __future__ import annotations

import onnx_ir as ir

from halfeven.ir.instructions import Instruction
from halfeven.ir.select import Mask, Where
from halfeven.lower.rules.move import requantized, same_codes
from halfeven.lower.site import NotLowered, Site, constant_of
from halfeven.numerics import affine


def lower(site: Site) -> list[Instruction]:
    """``Q(act(Where(condition, DQ(a), DQ(b))))``; a or b may be one float constant, such as -inf."""
    condition = site.node.inputs[0]
    if condition is None or condition.name is None:
        raise NotLowered("it has no condition")
    numbers = [_number(v) for v in site.node.inputs[1:]]
    if None not in numbers:
        raise NotLowered("its operands are constant")
    for k, number in enumerate(numbers):
        if number is not None:
            name, steps = _operand(site, 2 - k)
            return [*steps, Mask(site.name, condition.name, name, site.y, k == 0, _fill(site, number))]
    (a, before), (b, then) = _operand(site, 1), _operand(site, 2)
    return [*before, *then, Where(site.name, condition.name, a, b, site.y)]


def _number(value: ir.Value | None) -> float | None:
    known = constant_of(value)
    return None if known is None or known.size != 1 else float(known.reshape(()))


def _fill(site: Site, number: float) -> int:
    if number != number:  # noqa: PLR0124  NaN has no code
        raise NotLowered("it chooses NaN")
    target = site.target
    return min(max(int(affine.quantize(number, site.params, site.profile)), target.qmin), target.qmax)


def _operand(site: Site, index: int) -> tuple[str, list[Instruction]]:
    x = site.activation(index)
    if same_codes(site, x):
        return x.name, []
    name = f"{site.y}/operand{index}"
    return name, [requantized(site, x, x.name, name, f"{site.name}/requantize{index}")]
