"""Random small programs of bytes: instructions chained, each on what those before it made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from draw import ACTIVATIONS, TARGETS, WEIGHTS, Draw, farthest

from halfeven.execute import reference
from halfeven.execute.moves import move
from halfeven.ir import instructions as ir
from halfeven.ir import moves
from halfeven.ir.normalize import Normalize
from halfeven.ir.program import Program
from halfeven.ir.rescale import Accumulator
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, profiles
from halfeven.numerics.qtype import QType, int4, int8, int16, uint8, uint16

Array = np.ndarray[Any, np.dtype[Any]]
BYTES: dict[Any, QType] = {np.dtype(np.int8): int8, np.dtype(np.uint8): uint8}
QTYPES: dict[Any, QType] = {**BYTES, np.dtype(np.int16): int16, np.dtype(np.uint16): uint16}


class ByteDraw(Draw):
    """Draws bytes in most programs, words in the others."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.bytes_share = 0.97 if self.chance(0.6) else 0.4

    def one(self, values: Sequence[Any]) -> Any:
        """Any of the values; of types, one of 8 bits nearly always."""
        if values is ACTIVATIONS or values is TARGETS:
            values = (int8, uint8) if self.chance(self.bytes_share) else values
        elif values is WEIGHTS:
            values = (int8, int8, int4) if self.chance(self.bytes_share) else values
        return super().one(values)


class Chain:
    """A program that grows; the reference runs beside it, so that shapes and codes are known."""

    def __init__(self, seed: int) -> None:
        self.d = ByteDraw(np.random.default_rng([seed, 20_260]))
        self.instructions: list[ir.Instruction] = []
        self.arrays: dict[str, Array] = {}
        self.constants: dict[str, Array] = {}
        self.feeds: dict[str, Array] = {}

    def add(self, instruction: ir.Instruction) -> None:
        """Append an instruction and run it."""
        found = reference.step(instruction, [self.arrays[name] for name in ir.operands(instruction)])
        self.arrays.update(zip(ir.results(instruction), found, strict=True))
        self.instructions.append(instruction)

    @property
    def name(self) -> str:
        """A new tensor's name."""
        return f"t{len(self.instructions)}"

    def codes(self, rank: int | None = None, kinds: Any = QTYPES) -> str | None:
        """A tensor of codes, the newest most often."""
        names = [n for n, a in self.arrays.items() if a.dtype in kinds and a.ndim and rank in {None, a.ndim}]
        if not names:
            return None
        return names[-1] if self.d.chance(0.6) else str(self.d.one(names))


def _start(c: Chain) -> None:
    d = c.d
    shape = d.one([(1, 3, 9, 11), (2, 5, 8, 7), (1, 16, 6, 6), (1, 70, 5, 4), (3, 1, 12, 5), (1, 64, 1, 1)])
    qtype = d.one(TARGETS)
    qtype = qtype if qtype.storage in QTYPES else int8
    x = d.rng.normal(0, 40, shape).astype(np.float32)
    c.feeds["x"] = c.arrays["x"] = x
    c.add(ir.Quantize("q", "x", "t0", AffineParams(0.5, d.zero(qtype), qtype), d.one(list(profiles.values()))))


def _conv(c: Chain, *, depthwise: bool = False) -> None:
    d, x = c.d, c.codes(4)
    if x is None:
        return
    a = c.arrays[x]
    window = _window(d, a.shape[2:])
    inputs = a.shape[1]
    group = inputs if depthwise else d.one([1, 1, 1, *(g for g in (2, 5) if inputs % g == 0)])
    outputs = group * (d.one([1, 1, 2]) if depthwise else d.one([1, 3, 16, 17, 33, 70, 100]))
    qw, qx = d.one(WEIGHTS), QTYPES[a.dtype]
    w = d.codes(qw, (outputs, inputs // group, *window.kernel))
    w_zero = np.zeros((), np.int64) if d.chance(0.7) else np.asarray(d.between(-3, 3), np.int64)
    zero, size = d.zero(qx), d.one([0, 1000, 2**20])
    bias = d.rng.integers(-size, size, outputs, endpoint=True)
    bound = Accumulator.of(np.abs(w.reshape(outputs, -1) - w_zero).sum(axis=1) * farthest(qx, zero) + np.abs(bias))
    how = d.rescale(int(bound.bound.max()), outputs)
    c.add(ir.Conv(c.name, x, c.name, w, w_zero, bias, zero, window, group, bound, how))


def _window(d: Draw, sizes: Sequence[int], *, pool: bool = False) -> ir.Window:
    kernel = tuple(d.between(1, min(n, 3)) for n in sizes)
    dilations = tuple(
        2 if k > 1 and 2 * (k - 1) < n and d.chance(0.2) else 1 for k, n in zip(kernel, sizes, strict=True)
    )
    pads = tuple((d.between(0, k - 1), d.between(0, k - 1)) for k in kernel)
    strides = tuple(d.one([1, 1, 2]) for _ in kernel)
    return ir.Window(kernel, strides, pads, dilations, pool and d.chance(0.3))


def _linear(c: Chain) -> None:
    d, x = c.d, c.codes()
    if x is None:
        return
    a = c.arrays[x]
    columns, qx, qw = d.one([1, 10, 65]), QTYPES[a.dtype], d.one(WEIGHTS)
    w, zero = d.codes(qw, (a.shape[-1], columns)), d.zero(qx)
    bias = d.rng.integers(-5000, 5000, columns)
    bound = Accumulator.of(np.abs(w.astype(np.int64)).sum(axis=0) * farthest(qx, zero) + np.abs(bias))
    how = d.rescale(int(bound.bound.max()), columns)
    c.add(ir.Linear(c.name, x, c.name, w, np.zeros((), np.int64), bias, zero, bound, how))


def _pair(c: Chain, kinds: Any = QTYPES) -> tuple[str, str] | None:
    d, a = c.d, c.codes(kinds=kinds)
    if a is None:
        return None
    shape = c.arrays[a].shape
    if d.chance(0.4):
        name = f"c{len(c.instructions)}"
        spread = d.one([shape, [1] * len(shape), (1, *shape[1:2], *[1] * (len(shape) - 2)), shape[-1:]])
        c.constants[name] = c.arrays[name] = d.codes(d.one([int8, uint8]), spread)
        return (a, name) if d.chance(0.5) else (name, a)
    same = [n for n, b in c.arrays.items() if b.dtype in kinds and _broadcasts(shape, b.shape)]
    b = str(d.one(same))
    return (a, b) if d.chance(0.5) else (b, a)


def _broadcasts(a: Sequence[int], b: Sequence[int]) -> bool:
    try:
        return len(np.broadcast_shapes(tuple(a), tuple(b))) <= 4
    except ValueError:
        return False


def _add(c: Chain) -> None:
    d, pair = c.d, _pair(c)
    if pair is None:
        return
    zeros = [d.zero(QTYPES[c.arrays[n].dtype]) for n in pair]
    most = d.one([2**15, 2**15, 2**30])
    m, n = d.between(0, most), d.between(0, most) * d.one([1, 1, -1])
    c.add(ir.Add(c.name, *pair, c.name, *zeros, m, n, d.one([8, 14, 15, 15, 16, 30]), d.target()))


def _mul(c: Chain) -> None:
    d, pair = c.d, _pair(c)
    if pair is None:
        return
    qtypes = [QTYPES[c.arrays[n].dtype] for n in pair]
    zeros = [d.zero(q) for q in qtypes]
    how = d.rescale(farthest(qtypes[0], zeros[0]) * farthest(qtypes[1], zeros[1]))
    c.add(ir.Mul(c.name, *pair, c.name, *zeros, how))


def _pair_table(c: Chain) -> None:
    d, pair = c.d, _pair(c, BYTES)
    if pair is None:
        return
    firsts = [QTYPES[c.arrays[n].dtype].qmin for n in pair]
    c.add(PairTable(c.name, *pair, c.name, "f", *firsts, d.codes(d.one([int8, uint8]), (256, 256))))


def _channel_table(c: Chain) -> None:
    d, x = c.d, c.codes(kinds=BYTES)
    if x is None:
        return
    a = c.arrays[x]
    axis = d.between(0, a.ndim - 1)
    table = d.codes(d.one([int8, uint8]), (a.shape[axis], 256))
    c.add(ChannelTable(c.name, x, c.name, "f", QTYPES[a.dtype].qmin, axis, table))


def _table(c: Chain) -> None:
    d, x = c.d, c.codes()
    if x is None:
        return
    qx, qy = QTYPES[c.arrays[x].dtype], d.one(TARGETS)
    if d.chance(0.5):
        c.add(ir.Table(c.name, x, c.name, "f", qx.qmin, d.codes(qy, (qx.levels,))))
    else:
        zero = d.zero(qx)
        c.add(ir.Requantize(c.name, x, c.name, zero, d.rescale(farthest(qx, zero))))


def _pool(c: Chain) -> None:
    d, x = c.d, c.codes(4)
    if x is None:
        return
    a, qx = c.arrays[x], QTYPES[c.arrays[x].dtype]
    window = _window(d, a.shape[2:], pool=True)
    if d.chance(0.5):
        c.add(ir.MaxPool(c.name, x, c.name, window))
        return
    window = ir.Window(window.kernel, window.strides, window.pads, (1, 1))
    zero, count = d.zero(qx), int(np.prod(window.kernel))
    how = d.mean_rescale(farthest(qx, zero) * count, count)
    c.add(ir.AveragePool(c.name, x, c.name, window, d.chance(0.5), zero, how))


def _mean(c: Chain) -> None:
    d, x = c.d, c.codes()
    if x is None:
        return
    a, qx = c.arrays[x], QTYPES[c.arrays[x].dtype]
    axes = d.one([(2, 3), (1,), (0,), (a.ndim - 1,)]) if a.ndim == 4 else (a.ndim - 1,)
    zero, count = d.zero(qx), int(np.prod([a.shape[k] for k in axes]))
    how = d.mean_rescale(farthest(qx, zero) * count, count)
    c.add(ir.ReduceMean(c.name, x, c.name, axes, a.ndim < 2 or d.chance(0.7), zero, how))


def _softmax(c: Chain) -> None:
    d, x = c.d, c.codes(kinds=BYTES)
    if x is None:
        return
    a = c.arrays[x]
    e = np.rint(np.ldexp(np.exp(-np.arange(256) * 2.0 ** d.rng.uniform(-8, 1)), 30)).astype(np.uint32)
    m = Multiplier.from_real(float(2.0 ** d.rng.uniform(4, 12)), 24)
    c.add(ir.Softmax(c.name, x, c.name, d.between(-a.ndim, a.ndim - 1), e, m, d.target(d.one([int8, uint8]))))


def _matmul(c: Chain) -> None:
    """By its own transpose, by a slice of that, or by new codes, which some of the batch share."""
    d, x = c.d, c.codes()
    if x is None or c.arrays[x].ndim < 2:
        return
    a = c.arrays[x]
    if d.chance(0.6):
        other = c.name
        order = (*range(a.ndim - 2), a.ndim - 1, a.ndim - 2)
        c.add(moves.Transpose(other, x, other, order))
        if d.chance(0.5) and a.shape[-2] > 2:
            part = c.name
            c.add(moves.Slice(part, other, part, (-1,), (1,), (a.shape[-2],), (d.one([1, 2]),)))
            other = part
    else:
        other, batch = f"f{len(c.instructions)}", a.shape[:-2] if d.chance(0.5) else ()
        shape = (*batch, a.shape[-1], d.one([1, 5, 33, 70])) if d.chance(0.8) else (a.shape[-1],)
        c.feeds[other] = c.arrays[other] = d.codes(d.one([int8, uint8]), shape)
    pair = (x, other)
    zeros = [d.zero(QTYPES[c.arrays[n].dtype]) for n in pair]
    largest = a.shape[-1] * farthest(QTYPES[a.dtype], zeros[0]) * farthest(QTYPES[c.arrays[other].dtype], zeros[1])
    if np.prod(a.shape[:-1]) * c.arrays[other].shape[-1] < 100_000:
        c.add(ir.MatMul(c.name, *pair, c.name, *zeros, d.rescale(largest)))


def _normalize(c: Chain) -> None:
    d, x = c.d, c.codes()
    if x is None:
        return
    a = c.arrays[x]
    axis = d.between(0, a.ndim - 1)
    span, groups = d.one([(a.ndim - axis, 1), (a.ndim - axis, 1), (1, d.one([0, 1]))])
    channels = int(np.prod(a.shape[axis : axis + span]))
    length = int(np.prod(a.shape[axis:])) // (groups or channels)
    fraction = d.between(15, 30 - (max(length - 1, 0).bit_length() + 1) // 2)
    gain = d.rng.integers(-(2 ** d.between(1, 31)) + 1, 2 ** d.between(1, 31), channels)
    offset = d.rng.integers(-(2 ** d.between(0, 61)), 2 ** d.between(1, 61), channels)
    epsilon = Multiplier.from_real(d.one([0.0, 1e-5, 1.0]))
    shift, target = d.one([0, 1, d.between(30, 61), d.between(30, 61)]), d.target()
    rows = axis, span, groups, QTYPES[a.dtype].levels, epsilon, fraction, gain, offset, shift, target
    c.add(Normalize(c.name, x, c.name, *rows))


def _move(c: Chain) -> None:
    d, x = c.d, c.codes()
    if x is None:
        return
    a = c.arrays[x]
    n = a.ndim
    axis = d.between(0, n - 1)
    order = tuple(int(k) for k in d.rng.permutation(n))
    kinds: list[Any] = [
        moves.Transpose(c.name, x, c.name, order),
        moves.Reshape(c.name, x, c.name, d.one([(0, -1), (-1,), (1, -1, 1)]) if n > 1 else (1, -1), allowzero=False),
        moves.Flatten(c.name, x, c.name, d.between(0, n)),
        moves.Unsqueeze(c.name, x, c.name, (d.between(0, n),)) if n < 4 else moves.Squeeze(c.name, x, c.name, None),
        moves.Slice(c.name, x, c.name, (axis,), (0,), (max(1, a.shape[axis] - 1),), (d.one([1, 2]),)),
        moves.Slice(c.name, x, c.name, (axis,), (-1,), (-(2**40),), (-1,)),
        moves.Concat(c.name, (x, x), c.name, axis),
        moves.Gather(c.name, x, c.name, axis, np.array([0, -1])),
        moves.Gather(c.name, x, c.name, axis, np.array(a.shape[axis] - 1)) if n > 1 else _no_move(x, c),
        moves.Gather(c.name, x, c.name, axis, np.array([[0, -1, 0], [0, 0, 0]])) if n < 4 else _no_move(x, c),
        moves.Expand(c.name, x, c.name, (2, *[1] * n)) if n < 4 else _no_move(x, c),
        moves.Tile(c.name, x, c.name, (1,) * (n - 1) + (2,)),
        moves.Pad(c.name, x, c.name, ((1, 0),) * n, d.one(["constant", "edge", "wrap"]), QTYPES[a.dtype].qmin),
    ]
    if n == 4 and a.shape[1] % 4 == 0:
        kinds += [moves.DepthToSpace(c.name, x, c.name, 2, d.chance(0.5))] * 2
    if n == 4 and not (a.shape[2] % 2 or a.shape[3] % 2):
        kinds += [moves.SpaceToDepth(c.name, x, c.name, 2)] * 2
    if n == 4:
        scales = (1.0, 1.0, 2.0, 1.5)
        kinds += [moves.ResizeNearest(c.name, x, c.name, scales, None, "asymmetric", "floor")] * 2
    chosen = d.one(kinds)
    if 0 < move(chosen, [c.arrays[name] for name in ir.operands(chosen)])[0].size < 200_000:
        c.add(chosen)


def _no_move(x: str, c: Chain) -> Any:
    return moves.Reshape(c.name, x, c.name, (-1,), allowzero=False)


GROWTH: tuple[Callable[[Chain], None], ...] = (
    _conv, _conv, _conv, lambda c: _conv(c, depthwise=True), _linear, _add, _add, _add, _mul, _table, _pool, _mean,
    _softmax, _move, _move, _pair_table, _channel_table, _matmul, _matmul, _normalize,
)  # fmt: skip


def random_program(seed: int) -> tuple[Program, dict[str, Array], dict[str, Array]]:
    """A program, its inputs, and every tensor as the reference has it."""
    c = Chain(seed)
    _start(c)
    for _ in range(c.d.between(2, 9)):
        c.d.one(GROWTH)(c)
    last = c.codes()
    if last is not None and c.d.chance(0.6):
        qtype = QTYPES[c.arrays[last].dtype]
        c.add(ir.Dequantize(c.name, last, c.name, AffineParams(0.25, c.d.zero(qtype), qtype)))
    program = Program("random", JOURNEY6, (), (), {}, c.constants, tuple(c.instructions))
    return program, c.feeds, c.arrays
