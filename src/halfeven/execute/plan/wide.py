"""Products and sums of 16-bit codes, and of bytes that 8 bits do not suffice for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.execute.plan import tables
from halfeven.execute.plan.folded import doubles, stored, stored_rescale
from halfeven.execute.plan.layout import Held, Shape, last_axis
from halfeven.execute.plan.lookups import all_codes, emit_look_up
from halfeven.execute.plan.pairs import operands_of, place_of
from halfeven.execute.plan.stage import NO_TABLE, Stage
from halfeven.ir.instructions import Add, Conv, Linear
from halfeven.ir.rescale import Rescale
from halfeven.ir.transposed import ConvTranspose
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.profile import Requantize

CODES = (np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.int16), np.dtype(np.uint16))
STORED_TYPES = {1: 1, 2: 2, 4: 4}  # by bytes: u8, s16 and s32 in the engine's list of types
EXACT_SUM = 2**51
EXACT_CODE = 2**50
MOST_SHIFT = 200
LARGEST_WORD = 65535
LARGEST_BYTE = 255
HALF_WORD = 1 << 15
LONG = 64
NO_MULTIPLIER = np.zeros(0, np.float64)


def words(stage: Stage, name: str, axis: int) -> Held:
    """The tensor's codes as words: bytes are widened."""
    return widened(stage, stage.get(name, axis))


def widened(stage: Stage, x: Held) -> Held:
    """The same codes as words."""
    if x.itemsize != 1:
        return x
    x = stage.laid_out(x, None)
    key = x.id, x.shape, x.axis, "words"
    if key not in stage.relaid:
        y = stage.tensor(x.shape, x.axis, np.int16)
        emit_look_up(stage, x, y, all_codes(x.dtype).astype(np.int16))
        stage.steps.append("Widen")
        stage.relaid[key] = y
    return stage.relaid[key]


def _centered(i: Conv | Linear, axis: int) -> NDArray[np.int16] | None:
    """``w - Zw`` where 16 bits hold it, and a pair of products fits int32; else None."""
    shape = [1] * i.weight.ndim
    shape[axis] = -1
    w = i.weight.astype(np.int64) - (i.weight_zero.reshape(shape) if i.weight_zero.ndim else i.weight_zero)
    return w.astype(np.int16) if w.size and int(np.abs(w).max()) < 2**15 else None


def takes_words(i: Conv | Linear | ConvTranspose, stage: Stage) -> bool:
    """Whether operand and result are of types that the products of words have."""
    if i.accumulator.bits == LONG and i.rescale.method is Requantize.DOUBLE_ROUNDING:
        return False  # defined for int32 sums alone
    known = bool(stage.any_shape(i.x)) and stage.dtype_of(i.x) in CODES
    return known and np.dtype(i.rescale.target.qtype.storage).itemsize in STORED_TYPES


def take_wide_conv(i: Conv, stage: Stage) -> bool:
    """Emit a convolution of words."""
    w, shape = _centered(i, 0), stage.any_shape(i.x)
    if w is None or shape is None or not takes_words(i, stage) or shape[1] != w.shape[1] * i.group:
        return False
    out = tables.output_shape(shape, len(w), i.window)
    x = words(stage, i.x, 1)
    y = stage.tensor(out, 1, i.rescale.target.qtype.storage)
    codes = w.reshape(len(w), w.shape[1], -1)
    depthwise = i.group == len(w) and w.shape[1] == 1
    pointwise = tables.is_pointwise(i.window) and not depthwise
    table = NO_TABLE if pointwise else tables.window_table(x, i.window, out[2:])
    columns = len(w) if depthwise else len(w) // i.group
    for g in range(len(w) // columns):
        part = slice(g * columns, (g + 1) * columns)
        emit_product(stage, i, (x, y), codes.transpose(0, 2, 1)[part], part, table, depthwise=depthwise)
    stage.held[i.y] = y
    return True


def take_wide_linear(i: Linear, stage: Stage) -> bool:
    """Emit a product of words with a constant matrix."""
    w, shape = _centered(i, 1), stage.any_shape(i.x)
    if w is None or not shape or not takes_words(i, stage) or shape[-1] != len(w):
        return False
    x = words(stage, i.x, last_axis(shape))
    y = stage.tensor((*shape[:-1], w.shape[1]), last_axis(shape), i.rescale.target.qtype.storage)
    emit_product(stage, i, (x, y), np.ascontiguousarray(w.T)[:, None, :], slice(None), NO_TABLE, depthwise=False)
    stage.held[i.y] = y
    return True


def emit_product(
    stage: Stage,
    i: Conv | Linear | ConvTranspose,
    ends: tuple[Held, Held],
    codes: NDArray[np.int16],
    part: slice,
    table: NDArray[np.int32],
    *,
    depthwise: bool,
    of: Any = "wide",
) -> None:
    """One product with weights [columns][taps][channels], of all channels or of a group; ``of`` tells them apart."""
    if not depthwise and _by_planes(stage, i, ends, codes, part, table, of):
        return
    x, y = ends
    first = part.start or 0
    zero = stored(i.x_zero, x.dtype)
    key = i, of, first, x.dtype
    if key not in stage.weights:
        bias = i.bias[part] - zero * codes.sum(axis=(1, 2), dtype=np.int64)
        flat = np.ascontiguousarray(codes).reshape(-1)
        bits = i.accumulator.bits
        stage.weights[key] = _native.WideWeights(flat, codes.shape[1], codes.shape[2], bias, bits, depthwise)
    m = i.rescale.multiplier
    m = Multiplier(m.m0.reshape(-1)[part], m.shift.reshape(-1)[part], m.bits) if m.m0.size > 1 else m
    how = stored_rescale(m, i.rescale.target, i.rescale.method)
    channels = 0 if depthwise else codes.shape[2]
    group = first // max(len(codes), 1)
    place = [x.id, x.nbytes, group * channels * x.itemsize, y.id, y.stride, first * y.itemsize, y.rows]
    padding = stage.padding(zero, x.stride, np.int16)
    fused = fused_multiplier(i.rescale, m, len(codes), i.accumulator.bits, int(i.accumulator.bound.max(initial=0)))
    kind = STORED_TYPES[y.itemsize]
    stage.plan.wide_product(stage.weights[key], place, table, x.stride, padding, how, fused, kind)
    stage.steps.append(f"{type(i).__name__} {i.name}")


def _by_planes(
    stage: Stage,
    i: Conv | Linear | ConvTranspose,
    ends: tuple[Held, Held],
    codes: NDArray[np.int16],
    part: slice,
    table: NDArray[np.int32],
    of: Any,
) -> bool:
    """Emit the product as two of bytes, where there are kernels for them and every sum is exact."""
    (x, y), first, target = ends, part.start or 0, i.rescale.target
    m = i.rescale.multiplier
    m = Multiplier(m.m0.reshape(-1)[part], m.shift.reshape(-1)[part], m.bits) if m.m0.size > 1 else m
    real = fused_multiplier(i.rescale, m, len(codes), LONG, int(i.accumulator.bound.max(initial=0)))
    narrow = codes.astype(np.int8)
    of_planes = LARGEST_BYTE * np.abs(codes, dtype=np.int64).sum(axis=(1, 2))
    if not (real.size and _native.ProductWeights.by_planes() and (narrow == codes).all()):
        return False
    if y.itemsize > 2 or of_planes.max(initial=0) >= 1 << 31:  # noqa: PLR2004  words
        return False
    zero = stored(i.x_zero, x.dtype)
    bias = i.bias[part] - (zero + HALF_WORD) * codes.sum(axis=(1, 2), dtype=np.int64)
    key = i, of, first, x.dtype, "planes"
    if key not in stage.weights:
        flat, none = np.ascontiguousarray(narrow).reshape(-1), np.zeros(len(codes), np.int32)
        stage.weights[key] = _native.ProductWeights(
            flat, codes.shape[1], codes.shape[2], none, real, stage.weights.pages
        )
    place = [x.id, x.nbytes, first // max(len(codes), 1) * codes.shape[2] * x.itemsize]
    place += [y.id, y.stride, first * y.itemsize, y.rows]
    how = stored_rescale(m, target, i.rescale.method)
    padding = stage.padding(zero, x.stride, np.int16)
    kind = STORED_TYPES[y.itemsize]
    stage.plan.planes_product(stage.weights[key], place, table, x.stride, padding, how, bias.astype(np.float64), kind)
    stage.steps.append(f"{type(i).__name__} {i.name}")
    return True


def fused_multiplier(how: Rescale, m: Multiplier, columns: int, bits: int, bound: int) -> NDArray[np.float64]:
    """M of each column, where one fused multiply-add rounds int64 sums to bytes or words; else nothing."""
    if bits != LONG or how.method is not Requantize.EXACT_HALF_EVEN or how.target.qtype.bits > 16:  # noqa: PLR2004
        return NO_MULTIPLIER
    real = doubles(m, columns)
    return real if bound < EXACT_SUM and real.max(initial=0) * bound < EXACT_CODE else NO_MULTIPLIER


def take_wide_add(i: Add, stage: Stage) -> bool:
    """Emit a sum of words, where double holds every term."""
    rule = _sum_rule(i)
    if rule is None or not all(stage.any_shape(n) is not None and stage.dtype_of(n) in CODES for n in (i.a, i.b)):
        return False
    found = operands_of(i, stage)
    if found is None:
        return False
    x, y, how, first = found
    x, y = widened(stage, x), widened(stage, y)
    zeros = (i.a_zero, i.b_zero) if first else (i.b_zero, i.a_zero)
    a, b, unit = rule if first else (rule[1], rule[0], rule[2])
    constant = -(stored(zeros[0], x.dtype) * a + stored(zeros[1], y.dtype) * b) * unit
    to = i.target
    out = stage.tensor(x.shape, x.axis, to.qtype.storage)
    bounds = [stored(q, to.qtype.storage) for q in (to.zero_point, to.qmin, to.qmax)]
    numbers: Any = (a * unit, b * unit, constant, *bounds)
    stage.plan.wide_sum(place_of(x, y, out, how), out.stride, numbers, out.itemsize == 1)
    stage.steps.append(f"Add {i.name}")
    stage.held[i.y] = out
    return True


def _sum_rule(i: Add) -> tuple[int, int, float] | None:
    """(A, B, 2^-shift) where every term and sum is exact in double; else None."""
    largest = LARGEST_WORD * (abs(i.a_multiplier) + abs(i.b_multiplier))
    if 4 * largest > EXACT_CODE or not 0 <= i.shift <= MOST_SHIFT or i.target.qtype.bits > 16:  # noqa: PLR2004
        return None
    return i.a_multiplier, i.b_multiplier, 2.0**-i.shift


def wide_shape(stage: Stage, name: str) -> Shape | None:
    """Shape of a tensor of words; else None."""
    shape = stage.any_shape(name)
    return shape if shape is not None and stage.dtype_of(name) in CODES[2:] else None
