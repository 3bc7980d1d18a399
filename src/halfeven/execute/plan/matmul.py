"""Products of two activations: operands read where they lie, whatever was transposed before them."""

from __future__ import annotations

from math import prod

import numpy as np

from halfeven.execute.plan.arguments import INT32_LIMIT, check_product
from halfeven.execute.plan.folded import doubles, stored, stored_rescale
from halfeven.execute.plan.layout import Held, Shape, last_axis
from halfeven.execute.plan.stage import BYTES, Stage
from halfeven.execute.plan.wide import CODES, LONG, STORED_TYPES, fused_multiplier, widened
from halfeven.ir.instructions import MatMul
from halfeven.ir.moves import Transpose
from halfeven.numerics.profile import Requantize

SUMS_IN_KERNEL = 2**31 - 2**8


def take_matmul(i: MatMul, stage: Stage) -> bool:
    """Emit a product of two activations: of bytes, or of words where there are some, or the sums leave int32."""
    a_shape, b_shape, how = stage.any_shape(i.a), stage.any_shape(i.b), i.rescale
    if not a_shape or not b_shape or how.multiplier.m0.size != 1:
        return False
    kinds = [stage.dtype_of(i.a), stage.dtype_of(i.b)]
    if not all(kind in CODES for kind in kinds):
        return False
    check_product(a_shape, b_shape)
    a, b = _rows(stage.view(i.a)), _columns(stage.view(i.b))
    largest = a.shape[-1] * _farthest(a, i.a_zero) * _farthest(b, i.b_zero)
    narrow = all(kind in BYTES for kind in (*kinds, how.target.qtype.storage)) and largest < INT32_LIMIT
    if not narrow:
        a, b = widened(stage, a), widened(stage, b)
    if a.strides[-1] != a.itemsize:
        a = stage.laid_out(a, last_axis(a.shape))
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*batch, a.shape[-2], b.shape[-1])
    y = _result(stage, i, shape, np.dtype(how.target.qtype.storage))
    b_offsets, b_of = np.unique(_offsets(b, batch), return_inverse=True)
    matrices = (
        (a.id, b.id, y.id),
        [a.shape[-2], a.shape[-1], b.shape[-1]],
        [a.strides[-2], b.strides[-2], b.strides[-1], y.strides[-2]],
        _offsets(a, batch),
        b_offsets.tolist(),
        b_of.reshape(-1).tolist(),
        _offsets(y, batch),
    )
    rescale = stored_rescale(how.multiplier, how.target, how.method)
    zeros, m = (stored(i.a_zero, a.dtype), stored(i.b_zero, b.dtype)), float(doubles(how.multiplier, 1)[0])
    if narrow:
        in_kernel = how.method is Requantize.EXACT_HALF_EVEN and m * largest < SUMS_IN_KERNEL
        stage.plan.matmul(*matrices, zeros[0], zeros[1] - 128, m, rescale, in_kernel)
    else:
        fused = fused_multiplier(how, how.multiplier, 1, LONG, largest)
        stage.plan.wide_matmul(*matrices, *zeros, fused, rescale, STORED_TYPES[y.itemsize])
    stage.steps.append(f"MatMul {i.name}")
    kept = batch + (() if len(a_shape) == 1 else shape[-2:-1]) + (() if len(b_shape) == 1 else shape[-1:])
    stage.held[i.y] = y if kept == shape else y.seen_as(kept, _kept_strides(y, len(a_shape), len(b_shape)))
    return True


def _farthest(x: Held, zero: int) -> int:
    info = np.iinfo(x.dtype)
    return max(zero - int(info.min), int(info.max) - zero)


def _rows(x: Held) -> Held:
    """An operand of one axis is one row."""
    return x if len(x.shape) > 1 else x.seen_as((1, *x.shape), [0, *x.strides])


def _columns(x: Held) -> Held:
    """An operand of one axis is one column."""
    return x if len(x.shape) > 1 else x.seen_as((*x.shape, 1), [*x.strides, 0])


def _kept_strides(y: Held, a_rank: int, b_rank: int) -> list[int]:
    rows = [] if a_rank == 1 else y.strides[-2:-1]
    columns = [] if b_rank == 1 else y.strides[-1:]
    return [*y.strides[:-2], *rows, *columns]


def _offsets(x: Held, batch: Shape) -> list[int]:
    """Where each product's matrix begins."""
    places = np.full((1,) * len(x.shape[:-2]), x.place, np.int64)
    for k, n in enumerate(x.shape[:-2]):
        along = [1] * len(x.shape[:-2])
        along[k] = n
        places = places + (np.arange(n) * x.strides[k]).reshape(along)
    return np.broadcast_to(places, batch).reshape(-1).tolist() if prod(batch) else []


def _result(stage: Stage, i: MatMul, shape: Shape, dtype: np.dtype[np.generic]) -> Held:
    """Room for the result, in the order in which a transposition behind it wants it."""
    reader = stage.readers.get(i.y)
    if stage.uses.get(i.y) == 1 and isinstance(reader, Transpose) and len(reader.permutation) == len(shape):
        order = reader.permutation
        if order[-1] == len(shape) - 1:
            moved = stage.tensor(tuple(shape[k] for k in order), len(shape) - 1, dtype)
            back = [order.index(k) for k in range(len(shape))]
            return moved.seen_as(shape, [moved.strides[k] for k in back])
    return stage.tensor(shape, last_axis(shape), dtype)
