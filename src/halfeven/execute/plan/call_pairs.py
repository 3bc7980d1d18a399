"""Two and three operands that broadcast: kernels over arrays at any strides."""

from __future__ import annotations

import numpy as np

from halfeven.errors import ParameterError
from halfeven.execute.plan.arguments import broadcast
from halfeven.execute.plan.calls import ALL_CODES, ORDERED, array, clamp, holds, known, plain, room
from halfeven.execute.plan.folded import stored, stored_rescale
from halfeven.execute.plan.layout import Held, Shape
from halfeven.execute.plan.stage import Stage
from halfeven.execute.sums import rows_of as sum_rows
from halfeven.ir import instructions as ir
from halfeven.ir.select import Extreme, Mask, Where
from halfeven.ir.slopes import Divide
from halfeven.ir.sums import AddSums

INT32 = np.dtype(np.int32)


def _spread(x: Held, shape: Shape) -> list[int]:
    """Bytes between neighbours along ``shape``, 0 where ``x`` is repeated."""
    missing = len(shape) - len(x.shape)
    steps = zip(x.shape, x.strides, strict=True)
    return [0] * missing + [0 if n == 1 else step for n, step in steps]


def walk(shape: Shape, *operands: Held) -> list[list[int]]:
    """``shape`` and the strides of each operand, at least one axis."""
    return [list(shape) or [1], *(_spread(x, shape) or [0] for x in operands)]


def _pair(i: ir.Add | ir.Mul | Divide | Extreme, stage: Stage) -> tuple[Held, Held, Shape]:
    a, b = stage.view(i.a), stage.view(i.b)
    return a, b, broadcast(a.shape, b.shape)


def elements(steps: list[list[int]], a: Held, b: Held) -> list[list[int]]:
    """The same strides in elements."""
    return [steps[0], [n // a.itemsize for n in steps[1]], [n // b.itemsize for n in steps[2]]]


def call_add(i: ir.Add, stage: Stage) -> bool:
    """Any two shapes that broadcast, any multipliers."""
    if not known(stage, i.a, i.b):
        return False
    a, b, shape = _pair(i, stage)
    y = room(stage, shape, i.target.qtype.storage)
    steps, rule = elements(walk(shape, a, b), a, b), [i.a_multiplier, i.b_multiplier, i.shift]
    ends = array(a, i.a_zero), array(b, i.b_zero), array(y)
    stage.plan.call_sum(*ends, steps, rule, clamp(i.target))
    return holds(stage, i, y)


def call_mul(i: ir.Mul, stage: Stage) -> bool:
    """Any two shapes that broadcast."""
    how = i.rescale
    if not known(stage, i.a, i.b) or how.multiplier.m0.size != 1:
        return False
    a, b, shape = _pair(i, stage)
    y = room(stage, shape, how.target.qtype.storage)
    steps = elements(walk(shape, a, b), a, b)
    rescale = stored_rescale(how.multiplier, how.target, how.method)
    stage.plan.call_multiply(array(a, i.a_zero), array(b, i.b_zero), array(y), steps, rescale)
    return holds(stage, i, y)


def call_divide(i: Divide, stage: Stage) -> bool:
    """Any two shapes that broadcast."""
    if not known(stage, i.a, i.b):
        return False
    a, b, shape = _pair(i, stage)
    y = room(stage, shape, i.target.qtype.storage)
    steps, rule = elements(walk(shape, a, b), a, b), [int(i.multiplier.m0), int(i.multiplier.shift)]
    stage.plan.call_divide(array(a, i.a_zero), array(b, i.b_zero), array(y), steps, rule, clamp(i.target))
    return holds(stage, i, y)


def call_extreme(i: Extreme, stage: Stage) -> bool:
    """The larger or smaller code of each pair."""
    if not known(stage, i.a, i.b, kinds=ORDERED) or stage.dtype_of(i.a) != stage.dtype_of(i.b):
        return False
    a, b, shape = _pair(i, stage)
    y = room(stage, shape, a.dtype)
    steps = walk(shape, a, a, b)
    stage.plan.call_choose((-1, 0), (a.id, a.place), (b.id, b.place), y.id, steps, y.itemsize, i.largest)
    return holds(stage, i, y)


def call_where(i: Where, stage: Stage) -> bool:
    """One of two codes by a condition."""
    if any(stage.any_shape(n) is None for n in (i.condition, i.a, i.b)) or stage.dtype_of(i.condition) != np.bool_:
        return False
    if stage.dtype_of(i.a) != stage.dtype_of(i.b):
        return False
    condition, a, b = (stage.view(n) for n in (i.condition, i.a, i.b))
    return _choose(i, stage, condition, a, b)


def call_mask(i: Mask, stage: Stage) -> bool:
    """A code or one number by a condition."""
    if any(stage.any_shape(n) is None for n in (i.condition, i.x)) or stage.dtype_of(i.condition) != np.bool_:
        return False
    condition, x = stage.view(i.condition), stage.view(i.x)
    number = np.asarray(stored(i.fill, x.dtype), np.int64).astype(f"i{x.itemsize}")
    fill = Held(stage.plan.constant(np.frombuffer(number.tobytes() * 64, np.uint8)), (1,), 0, x.dtype)
    return _choose(i, stage, condition, *((fill, x) if i.when else (x, fill)))


def _choose(i: Where | Mask, stage: Stage, condition: Held, a: Held, b: Held) -> bool:
    shape = broadcast(condition.shape, a.shape, b.shape)
    y = room(stage, shape, a.dtype)
    ends = (condition.id, condition.place), (a.id, a.place), (b.id, b.place)
    stage.plan.call_choose(*ends, y.id, walk(shape, condition, a, b), y.itemsize, True)
    return holds(stage, i, y)


def call_add_sums(i: AddSums, stage: Stage) -> bool:
    """Sums with something added before they become codes."""
    if not known(stage, i.a, kinds=(INT32,)) or not known(stage, i.b, kinds=ALL_CODES):
        return False
    a, b = plain(stage, i.a), stage.view(i.b)
    if broadcast(a.shape, b.shape) != a.shape:
        raise ParameterError(f"shape {b.shape} does not broadcast against sums of shape {a.shape}")
    spread = room(stage, a.shape, b.dtype)
    what = Held(b.id, a.shape, 0, b.dtype)
    stage.copy((True, b.id), (True, spread.id), what, _spread(b, a.shape), spread.strides, offsets=(b.place, 0))
    m, n, shift = (part.reshape(-1).tolist() for part in (i.a_multiplier, i.b_multiplier, i.shift))
    y = room(stage, a.shape, i.target.qtype.storage)
    ends = array(a), array(spread, i.b_zero), array(y)
    stage.plan.call_add_sums(*ends, list(sum_rows(a.shape, i.axis)), m, n, shift, clamp(i.target))
    return holds(stage, i, y)
