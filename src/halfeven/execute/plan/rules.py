"""One rule an instruction: emit its steps into a stage, or say that the engine does not take it."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from halfeven.execute import reference, windows
from halfeven.execute.plan import tables
from halfeven.execute.plan.folded import stored, stored_rescale
from halfeven.execute.plan.images import CODE_TYPES, emit_bordered, emit_quantize, takes_bordered
from halfeven.execute.plan.layout import Held, image_axis, last_axis
from halfeven.execute.plan.lookups import all_codes, take_channel_table, take_function, take_slopes, take_with_scalar
from halfeven.execute.plan.matmul import take_matmul
from halfeven.execute.plan.normalize import take_normalize
from halfeven.execute.plan.pairs import take_add, take_mul, take_pair_table
from halfeven.execute.plan.products import conv_shape, emit_conv, take_linear
from halfeven.execute.plan.stage import BYTES, Stage
from halfeven.execute.plan.transposed import take_conv_transpose
from halfeven.execute.plan.wide import STORED_TYPES, take_wide_add, take_wide_conv, take_wide_linear
from halfeven.ir import instructions as ir
from halfeven.ir.normalize import Normalize
from halfeven.ir.select import Extreme
from halfeven.ir.slopes import Divide, Slopes
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.ir.transposed import ConvTranspose
from halfeven.numerics.affine import as_float32

CODES = 256


@singledispatch
def take(instruction: Any, stage: Stage) -> bool:  # noqa: ARG001  the rules below read it
    """Whether the instruction's steps are now part of the stage. Raises where shapes do not fit."""
    return False


take.register(ir.MatMul)(take_matmul)
take.register(ir.Table)(take_function)
take.register(ir.Requantize)(take_function)
take.register(ChannelTable)(take_channel_table)
take.register(Normalize)(take_normalize)
take.register(Slopes)(take_slopes)
take.register(Divide)(take_with_scalar)
take.register(Extreme)(take_with_scalar)
take.register(ConvTranspose)(take_conv_transpose)


@take.register
def _linear(i: ir.Linear, stage: Stage) -> bool:
    return take_linear(i, stage) or take_wide_linear(i, stage)


@take.register
def _add(i: ir.Add, stage: Stage) -> bool:
    return take_with_scalar(i, stage) or take_add(i, stage) or take_wide_add(i, stage)


@take.register
def _mul(i: ir.Mul, stage: Stage) -> bool:
    return take_with_scalar(i, stage) or take_mul(i, stage)


@take.register
def _pair_table(i: PairTable, stage: Stage) -> bool:
    return take_with_scalar(i, stage) or take_pair_table(i, stage)


@take.register
def _conv(i: ir.Conv, stage: Stage) -> bool:
    if i.x in stage.images:
        stage.held[i.y] = emit_bordered(stage, i, *stage.images[i.x])
        del stage.images[i.x]
        return True
    shape = conv_shape(i, stage)
    if shape is None:
        return take_wide_conv(i, stage)
    stage.emit_conv = emit_conv
    if stage.uses.get(i.y) == 1 and isinstance(stage.readers.get(i.y), ir.Add) and i.group == 1:
        stage.get(i.x, 1)  # what it reads is in place
        stage.pending[i.y] = i, shape
        return True
    stage.held[i.y] = emit_conv(stage, i, stage.get(i.x, 1), None)
    return True


@take.register
def _quantize(i: ir.Quantize, stage: Stage) -> bool:
    a, p = stage.arrays.get(i.x), i.params
    if i.x in stage.held or a is None or p.scale.ndim or np.dtype(p.qtype.storage) not in CODE_TYPES:
        return False
    as_float32(np.empty(0, a.dtype))  # refuses what is not real
    reader = stage.readers.get(i.y)
    if (
        p.qtype.storage in BYTES
        and stage.uses.get(i.y) == 1
        and isinstance(reader, ir.Conv)
        and takes_bordered(reader, a.shape, stage)
    ):
        stage.images[i.y], stage.emit_quantize = (i, a.shape), emit_quantize
    else:
        stage.held[i.y] = emit_quantize(stage, i)
    return True


@take.register
def _dequantize(i: ir.Dequantize, stage: Stage) -> bool:
    if stage.any_shape(i.x) is None or stage.dtype_of(i.x) not in CODE_TYPES or i.params.scale.ndim:
        return False
    if not isinstance(stage.readers.get(i.y), (ir.Float, type(None))):  # it goes on inside
        return False
    x = stage.get(i.x)
    codes, qtype = all_codes(x.dtype), i.params.qtype
    inside = (codes >= qtype.qmin) & (codes <= qtype.qmax)
    table = np.zeros(codes.size, np.float32)  # of what is no code: it never comes
    table[inside] = reference.step(i, [codes[inside]])[0]
    target = stage.output(i.y, x.shape, np.float32)
    stage.plan.dequantize(x.id, target, x.planes, table)
    stage.steps.append(f"Dequantize {i.name}")
    return True


def _rows(y: Held) -> list[int]:
    return [y.rows, y.channels, y.stride]


@take.register
def _max_pool(i: ir.MaxPool, stage: Stage) -> bool:
    shape = stage.shape_of(i.x)
    if shape is None:
        return False
    out = tables.output_shape(shape, shape[1], i.window)
    x = stage.get(i.x, 1)
    y = stage.tensor(out, 1, x.dtype)
    stage.plan.max_pool(x.id, y.id, _rows(y), tables.window_table(x, i.window, out[2:]))
    stage.steps.append(f"MaxPool {i.name}")
    stage.held[i.y] = y
    return True


@take.register
def _average_pool(i: ir.AveragePool, stage: Stage) -> bool:
    shape, how = stage.shape_of(i.x), i.rescale
    if shape is None or how.target.qtype.storage not in BYTES:
        return False
    counts = windows.counts(shape[2:], i.window, include_pad=i.count_include_pad)
    out = tables.output_shape(shape, shape[1], i.window)
    x = stage.get(i.x, 1)
    y = stage.tensor(out, 1, how.target.qtype.storage)
    same = bool((counts == counts.flat[0]).all())
    m = how.multiplier(int(counts.flat[0]) if same else counts)
    table, rescale = tables.window_table(x, i.window, out[2:]), stored_rescale(m, how.target, how.method)
    stage.plan.mean_pool(x.id, y.id, _rows(y), table, stored(i.x_zero, x.dtype), rescale)
    stage.steps.append(f"AveragePool {i.name}")
    stage.held[i.y] = y
    return True


@take.register
def _reduce_mean(i: ir.ReduceMean, stage: Stage) -> bool:
    shape, how = stage.shape_of(i.x), i.rescale
    if not shape or not i.axes or how.target.qtype.storage not in BYTES:
        return False
    axis = next((k for k in (image_axis(shape), last_axis(shape)) if k not in i.axes), None)
    if axis is None:
        return False
    kept = tuple(1 if k in i.axes else n for k, n in enumerate(shape) if i.keepdims or k not in i.axes)
    y_axis = axis if i.keepdims else axis - sum(k < axis for k in i.axes)
    if y_axis not in {image_axis(kept), last_axis(kept)}:
        return False
    rescale = stored_rescale(how.multiplier(reference.mean_count(i, shape)), how.target, how.method)
    x = stage.get(i.x, axis)
    y = stage.tensor(kept, y_axis, how.target.qtype.storage)
    stage.plan.mean_pool(x.id, y.id, _rows(y), tables.axes_table(x, i.axes), stored(i.x_zero, x.dtype), rescale)
    stage.steps.append(f"ReduceMean {i.name}")
    stage.held[i.y] = y
    return True


@take.register
def _softmax(i: ir.Softmax, stage: Stage) -> bool:
    shape, to = stage.any_shape(i.x), i.target
    if not shape or stage.dtype_of(i.x) not in CODE_TYPES or np.dtype(to.qtype.storage) not in CODE_TYPES:
        return False
    if i.exponentials.size < CODES ** stage.dtype_of(i.x).itemsize:
        return False
    axis = i.axis % len(shape)
    if axis not in {image_axis(shape), last_axis(shape)}:
        return False
    reference.check_softmax(i, shape[axis])
    x = stage.get(i.x, axis)
    y = stage.tensor(shape, axis, to.qtype.storage)
    bounds = [stored(q, to.qtype.storage) for q in (to.zero_point, to.qmin, to.qmax)]
    m = i.multiplier
    e = np.ascontiguousarray(i.exponentials, np.uint32)
    types = [STORED_TYPES[x.itemsize], STORED_TYPES[y.itemsize]]
    stage.plan.softmax(x.id, y.id, _rows(x), y.stride, types, e, int(m.m0), int(m.shift), *bounds)
    stage.steps.append(f"Softmax {i.name}")
    stage.held[i.y] = y
    return True
