"""Whether the samples of a batch go through a Program independently, each its own part of every tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch
from typing import Any

from halfeven.execute.plan.layout import Shape
from halfeven.ir import instructions as ir
from halfeven.ir import moves
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.normalize import Normalize
from halfeven.ir.select import Extreme, Mask, ReduceExtreme, ReduceSum, ResizeLinear, Where
from halfeven.ir.slopes import Divide, Slopes
from halfeven.ir.sums import AddSums
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.ir.transposed import ConvTranspose

Shapes = Mapping[str, Shape]


def independent(todo: Sequence[ir.Instruction], shapes: Shapes, given: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether a run on N samples gives, of every wanted tensor, the results of N runs one behind the other.

    A tensor that depends on an input has the samples' parts one after the other along its first axis, in C order. An
    instruction keeps that if it neither mixes nor moves them. What no rule below says is taken to mix.

    Parameters
    ----------
    shapes : of every tensor, for one sample. given : the inputs, all with the samples along their first axis.
    """
    split = set(given)
    for i in todo:
        if not split & set(ir.operands(i)):
            continue
        if not all(name in shapes for name in (*ir.operands(i), *ir.results(i))) or not _keeps(i, shapes, split):
            return False
        split |= set(ir.results(i))
    return split >= set(wanted)


@singledispatch
def _keeps(instruction: Any, shapes: Shapes, split: set[str]) -> bool:  # noqa: ARG001  the rules below read them
    """Whether the samples' parts stay apart and in order, along the first axis of the result."""
    return False


@_keeps.register(ir.Conv)
@_keeps.register(ConvTranspose)
@_keeps.register(ir.MaxPool)
@_keeps.register(ir.AveragePool)
@_keeps.register(FloatAveragePool)
@_keeps.register(ir.Table)
@_keeps.register(moves.DepthToSpace)
@_keeps.register(moves.SpaceToDepth)
def _always(i: Any, shapes: Shapes, split: set[str]) -> bool:
    del i, shapes, split
    return True


@_keeps.register(ir.Quantize)
@_keeps.register(ir.Dequantize)
def _by_channel(i: Any, shapes: Shapes, split: set[str]) -> bool:
    del shapes, split
    return not i.params.scale.ndim


@_keeps.register
def _requantize(i: ir.Requantize, shapes: Shapes, split: set[str]) -> bool:
    del shapes, split
    return i.rescale.multiplier.m0.size == 1


@_keeps.register
def _linear(i: ir.Linear, shapes: Shapes, split: set[str]) -> bool:
    del split
    return len(shapes[i.x]) > 1


@_keeps.register(ir.Add)
@_keeps.register(ir.Mul)
@_keeps.register(PairTable)
@_keeps.register(Divide)
@_keeps.register(Extreme)
@_keeps.register(AddSums)
@_keeps.register(Where)
@_keeps.register(Mask)
def _broadcast(i: Any, shapes: Shapes, split: set[str]) -> bool:
    return _meet(ir.operands(i), shapes[i.y], shapes, split)


def _meet(names: Sequence[str], result: Shape, shapes: Shapes, split: set[str]) -> bool:
    """Whether operands that are split meet along the first axis, and the others are repeated along it."""
    return bool(result) and all(
        len(shapes[n]) == len(result) and shapes[n][0] == result[0]
        if n in split
        else len(shapes[n]) < len(result) or shapes[n][0] == 1
        for n in names
    )


@_keeps.register
def _matmul(i: ir.MatMul, shapes: Shapes, split: set[str]) -> bool:
    a, b, y = shapes[i.a], shapes[i.b], shapes[i.y]
    if i.b not in split and len(b) <= 2:  # noqa: PLR2004  one matrix for all rows
        return len(a) > 1
    return len(y) > 2 and _meet((i.a, i.b), y, shapes, split)  # noqa: PLR2004  a stack of matrices


@_keeps.register
def _channel_table(i: ChannelTable, shapes: Shapes, split: set[str]) -> bool:
    del shapes, split
    return i.axis > 0


@_keeps.register
def _slopes(i: Slopes, shapes: Shapes, split: set[str]) -> bool:
    del split
    return len(shapes[i.x]) > len(i.shape) + i.inner


@_keeps.register(ir.ReduceMean)
@_keeps.register(ReduceSum)
@_keeps.register(ReduceExtreme)
def _reduce(i: Any, shapes: Shapes, split: set[str]) -> bool:
    del shapes, split
    return bool(i.axes) and 0 not in i.axes


@_keeps.register
def _softmax(i: ir.Softmax, shapes: Shapes, split: set[str]) -> bool:
    del split
    return i.axis % len(shapes[i.x]) > 0


@_keeps.register
def _normalize(i: Normalize, shapes: Shapes, split: set[str]) -> bool:
    del shapes, split
    return i.axis > 0


@_keeps.register(ResizeLinear)
@_keeps.register(moves.ResizeNearest)
def _resize(i: Any, shapes: Shapes, split: set[str]) -> bool:
    del shapes, split
    return i.sizes is None and i.scales[0] == 1


@_keeps.register
def _concat(i: moves.Concat, shapes: Shapes, split: set[str]) -> bool:
    return split >= set(i.xs) and i.axis % len(shapes[i.y]) > 0


@_keeps.register
def _reshape(i: moves.Reshape, shapes: Shapes, split: set[str]) -> bool:
    del shapes, split
    return i.shape[:1] == (-1,) or (i.shape[:1] == (0,) and not i.allowzero)


@_keeps.register
def _flatten(i: moves.Flatten, shapes: Shapes, split: set[str]) -> bool:
    del split
    return i.axis % max(len(shapes[i.x]), 1) > 0 or i.axis == len(shapes[i.x])


@_keeps.register
def _transpose(i: moves.Transpose, shapes: Shapes, split: set[str]) -> bool:
    del shapes, split
    return i.permutation[0] == 0


@_keeps.register
def _squeeze(i: moves.Squeeze, shapes: Shapes, split: set[str]) -> bool:
    del split
    return i.axes is not None and all(k % len(shapes[i.x]) for k in i.axes)


@_keeps.register
def _unsqueeze(i: moves.Unsqueeze, shapes: Shapes, split: set[str]) -> bool:
    del split
    return all(k % len(shapes[i.y]) for k in i.axes)


@_keeps.register
def _slice(i: moves.Slice, shapes: Shapes, split: set[str]) -> bool:
    del split
    return all(k % len(shapes[i.x]) for k in i.axes)


@_keeps.register
def _gather(i: moves.Gather, shapes: Shapes, split: set[str]) -> bool:
    del split
    return i.axis % len(shapes[i.x]) > 0


@_keeps.register
def _tile(i: moves.Tile, shapes: Shapes, split: set[str]) -> bool:
    del shapes, split
    return i.repeats[0] == 1


@_keeps.register
def _pad(i: moves.Pad, shapes: Shapes, split: set[str]) -> bool:
    del shapes, split
    return i.pads[0] == (0, 0)
