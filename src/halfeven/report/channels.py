"""Which axis of a tensor holds its channels."""

from __future__ import annotations

from collections.abc import Mapping

from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.instructions import (
    AveragePool,
    Conv,
    Float,
    Instruction,
    Linear,
    MatMul,
    MaxPool,
    Softmax,
    operands,
    results,
)
from halfeven.ir.moves import DepthToSpace, Flatten, Reshape, ResizeNearest, SpaceToDepth, Squeeze, Transpose, Unsqueeze
from halfeven.ir.program import Program
from halfeven.ir.transposed import ConvTranspose

CHANNELS_SECOND = (
    Conv,
    ConvTranspose,
    MaxPool,
    AveragePool,
    FloatAveragePool,
    DepthToSpace,
    SpaceToDepth,
    ResizeNearest,
)
CHANNELS_LAST = (Linear, MatMul, Softmax)
CHANGES_AXES = (Reshape, Flatten, Squeeze, Unsqueeze, Float)
SEQUENCE_RANK = 3


def channel_axes(program: Program) -> dict[str, int]:
    """The channel axis of each tensor: 1 behind a convolution, the last behind a matrix product, else as what it reads.

    A guess where axes were merged or split; it shapes the statistics of channels alone, never an error sum.
    """
    axes: dict[str, int] = {}
    for instruction in program:
        for name in results(instruction):
            axes[name] = _axis(instruction, name, axes, program)
    return axes


def _axis(instruction: Instruction, name: str, axes: Mapping[str, int], program: Program) -> int:
    params = program.tensors[name].params if name in program.tensors else None
    if params is not None and params.axis is not None:
        return params.axis
    if isinstance(instruction, CHANNELS_SECOND):
        return 1
    if isinstance(instruction, CHANNELS_LAST):
        return -1
    read = next((axes[n] for n in operands(instruction) if n in axes), None)
    if isinstance(instruction, Transpose) and read is not None:
        return instruction.permutation.index(read % len(instruction.permutation))
    keeps_axes = not isinstance(instruction, CHANGES_AXES) and not _drops_axes(instruction)
    return read if read is not None and keeps_axes else _usual(program, name)


def _drops_axes(instruction: Instruction) -> bool:
    return not getattr(instruction, "keepdims", True)


def _usual(program: Program, name: str) -> int:
    shape = program.tensors[name].shape if name in program.tensors else None
    return -1 if shape is not None and len(shape) == SEQUENCE_RANK else 1


def axis_for(axis: int, rank: int) -> int | None:
    """``axis`` as far as a tensor of ``rank`` axes has it."""
    return axis if -rank <= axis < rank else None
