"""Additions and products of two activations, broadcasting."""

from __future__ import annotations

from math import prod

import numpy as np

from halfeven.execute.plan.folded import stored, stored_rescale, sum_rule
from halfeven.execute.plan.layout import Held, Shape, last_axis
from halfeven.execute.plan.products import emit_conv
from halfeven.execute.plan.stage import BYTES, Stage
from halfeven.ir.instructions import Add, Mul
from halfeven.ir.tables import PairTable

CODES = 256
SEQUENCE_AXES = 3


def repeat(of: Shape, over: Shape) -> tuple[int, int] | None:
    """(divide, modulo) so that row r of pixels ``over`` meets row ``r / divide % modulo`` of pixels ``of``; or None."""
    if len(of) != len(over):
        return None
    end = len(of)
    while end and of[end - 1] == 1:
        end -= 1
    first = 0
    while first < end and of[first] == 1:
        first += 1
    if of[first:end] != over[first:end]:
        return None
    return prod(over[end:]), max(prod(of[first:end]), 1)


def _second(stage: Stage, name: str, x: Held) -> tuple[Held, tuple[int, int]] | None:
    """The smaller operand and how it repeats: of the same number of axes, or a constant."""
    shape = stage.any_shape(name)
    if shape is None or len(shape) > len(x.shape):
        return None
    full = (1,) * (len(x.shape) - len(shape)) + shape
    pixels = tuple(n for k, n in enumerate(full) if k != x.axis)
    how = repeat(pixels, x.pixel_shape)
    if how is None or full[x.axis] not in {x.channels, 1}:
        return None
    if len(shape) == len(x.shape) and full[x.axis] == x.channels:
        return stage.get(name, x.axis), how
    if name not in stage.constants:
        return None
    spread = (*full[: x.axis], x.channels, *full[x.axis + 1 :])
    a = np.ascontiguousarray(np.broadcast_to(stage.arrays[name].reshape(full), spread))
    return stage.brought_in(name, a, x.axis), how


def operands_of(i: Add | Mul | PairTable, stage: Stage) -> tuple[Held, Held, tuple[int, int], bool] | None:
    """(larger, smaller, how it repeats, whether the larger is the first)."""
    a, b = stage.any_shape(i.a), stage.any_shape(i.b)
    if not a or not b:
        return None
    result = np.broadcast_shapes(a, b)
    if result not in {a, b}:
        return None
    first = result == a
    x = stage.view(i.a if first else i.b)
    if a == b and len(a) <= SEQUENCE_AXES:  # rows of features, where both can be had so
        x = stage.laid_out(x, last_axis(a))
    x = stage.laid_out(x, None)
    found = _second(stage, i.b if first else i.a, x)
    return None if found is None else (x, *found, first)


def _bytes(i: Add | Mul | PairTable, stage: Stage) -> bool:
    return stage.shape_of(i.a) is not None and stage.shape_of(i.b) is not None


def take_add(i: Add, stage: Stage) -> bool:
    """Emit a sum, as part of the convolution that makes one of its operands where there is one."""
    if i.target.qtype.storage not in BYTES or not stage.shape_of(i.a) or not stage.shape_of(i.b):
        return False
    if sum_rule(i, *(stage.dtype_of(name) for name in (i.a, i.b))) is None:
        return False
    if _fused(i, stage):
        return True
    found = operands_of(i, stage)
    if found is None:
        return False
    x, y, how, first = found
    rule = sum_rule(i, *(h.dtype for h in ((x, y) if first else (y, x))))
    if rule is None:
        return False
    if not first:
        rule = rule[1], rule[0], *rule[2:]
    out = stage.tensor(x.shape, x.axis, i.target.qtype.storage)
    stage.plan.sum(place_of(x, y, out, how), rule)
    stage.steps.append(f"Add {i.name}")
    stage.held[i.y] = out
    return True


def _fused(i: Add, stage: Stage) -> bool:
    """The last convolution among the operands takes the sum into its own step."""
    waiting = [name for name in stage.pending if name in {i.a, i.b}]
    if not waiting or i.a == i.b or stage.shape_of(i.a) != stage.shape_of(i.b):
        return False
    own = waiting[-1]
    conv, _ = stage.pending.pop(own)
    first = own == i.a
    other = stage.get(i.b if first else i.a, 1)
    stage.held[i.y] = emit_conv(stage, conv, stage.get(conv.x, 1), (other, i, first))
    return True


def place_of(x: Held, y: Held, out: Held, how: tuple[int, int]) -> list[int]:
    """Where the operands' and the result's rows are, for the engine."""
    return [x.id, y.id, out.id, x.rows, x.channels, x.stride, y.stride, *how]


def take_mul(i: Mul, stage: Stage) -> bool:
    """Emit a product of two activations."""
    if i.rescale.target.qtype.storage not in BYTES or i.rescale.multiplier.m0.size != 1 or not _bytes(i, stage):
        return False
    found = operands_of(i, stage)
    if found is None:
        return False
    x, y, how, first = found
    x_zero, y_zero = (i.a_zero, i.b_zero) if first else (i.b_zero, i.a_zero)
    out = stage.tensor(x.shape, x.axis, i.rescale.target.qtype.storage)
    rescale = stored_rescale(i.rescale.multiplier, i.rescale.target, i.rescale.method)
    stage.plan.multiply(place_of(x, y, out, how), stored(x_zero, x.dtype), stored(y_zero, y.dtype), rescale)
    stage.steps.append(f"Mul {i.name}")
    stage.held[i.y] = out
    return True


def take_pair_table(i: PairTable, stage: Stage) -> bool:
    """Emit a look-up by two codes, over tables of all of them."""
    if i.table.dtype not in BYTES or i.table.shape != (CODES, CODES) or not _bytes(i, stage):
        return False
    found = operands_of(i, stage)
    if found is None:
        return False
    x, y, how, first = found
    out = stage.tensor(x.shape, x.axis, i.table.dtype)
    table = np.ascontiguousarray(i.table if first else i.table.T).view(np.uint8) ^ np.uint8(out.offset)
    stage.plan.pair_table(place_of(x, y, out, how), table.reshape(-1))
    stage.steps.append(f"PairTable {i.name}")
    stage.held[i.y] = out
    return True
