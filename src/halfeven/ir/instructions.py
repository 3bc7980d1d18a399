"""The integer instructions. Frozen values; tensors are named, every constant stands in the instruction.

``x_zero`` and the like are zero points of the operands. Layouts are ONNX's: (N, C, *spatial), (O, C / group, *kernel).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.moves import Concat, Move
from halfeven.ir.normalize import Normalize
from halfeven.ir.rescale import Accumulator, MeanRescale, Rescale, Target
from halfeven.ir.select import Extreme, Mask, ReduceExtreme, ReduceSum, ResizeLinear, Where
from halfeven.ir.slopes import Divide, Slopes
from halfeven.ir.sums import AddSums
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.ir.transposed import ConvTranspose
from halfeven.ir.window import Window
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile

Integers = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Quantize:
    """Real values -> codes (docs/math/affine.md eq. 2)."""

    name: str
    x: str
    y: str
    params: AffineParams
    profile: Profile


@dataclass(frozen=True, eq=False)
class Dequantize:
    """Codes -> real values (docs/math/affine.md eq. 5)."""

    name: str
    x: str
    y: str
    params: AffineParams


@dataclass(frozen=True, eq=False)
class Requantize:
    """``(q - Zx)`` rescaled: the same reals on another scale."""

    name: str
    x: str
    y: str
    x_zero: int
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class Conv:
    """``acc[n, o] = sum (x - Zx)(w - Zw) + b`` over each window and group, then rescaled (docs/math/conv.md eq. 7).

    Padding is real zero (code ``Zx``).

    Attributes
    ----------
    weight : codes (O, C / group, *kernel). weight_zero : int64 () or (O,). bias : int64 (O,).
    """

    name: str
    x: str
    y: str
    weight: Integers
    weight_zero: NDArray[np.int64]
    bias: NDArray[np.int64]
    x_zero: int
    window: Window
    group: int
    accumulator: Accumulator
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class Linear:
    """``acc[..., n] = sum_k (x - Zx)(w - Zw) + b[n]``: matrix product with a constant, then rescaled.

    Attributes
    ----------
    weight : codes (K, N). weight_zero : int64 () or (N,). bias : int64 (N,).
    """

    name: str
    x: str
    y: str
    weight: Integers
    weight_zero: NDArray[np.int64]
    bias: NDArray[np.int64]
    x_zero: int
    accumulator: Accumulator
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class MatMul:
    """``acc = (a - Za) @ (b - Zb)`` of two activations, with NumPy's batch broadcasting, then rescaled."""

    name: str
    a: str
    b: str
    y: str
    a_zero: int
    b_zero: int
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class Add:
    """``q = clamp(rhe(((a - Za) A1 + (b - Zb) A2) / 2^shift) + Z)``, broadcasting; Sub has a negative A2."""

    name: str
    a: str
    b: str
    y: str
    a_zero: int
    b_zero: int
    a_multiplier: int
    b_multiplier: int
    shift: int
    target: Target


@dataclass(frozen=True, eq=False)
class Mul:
    """``acc = (a - Za)(b - Zb)``, broadcasting, then rescaled."""

    name: str
    a: str
    b: str
    y: str
    a_zero: int
    b_zero: int
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class Table:
    """``y = table[q - first]``: a one-input function over all codes. ``table`` has one entry a code of x."""

    name: str
    x: str
    y: str
    function: str
    first: int
    table: Integers


@dataclass(frozen=True, eq=False)
class MaxPool:
    """Largest code of each window; padding never wins."""

    name: str
    x: str
    y: str
    window: Window


@dataclass(frozen=True, eq=False)
class AveragePool:
    """``sum (x - Zx)`` of each window, divided by its count inside M (one rounding)."""

    name: str
    x: str
    y: str
    window: Window
    count_include_pad: bool
    x_zero: int
    rescale: MeanRescale


@dataclass(frozen=True, eq=False)
class ReduceMean:
    """``sum (x - Zx)`` over ``axes`` (counted from the front), divided by the count inside M (one rounding)."""

    name: str
    x: str
    y: str
    axes: tuple[int, ...]
    keepdims: bool
    x_zero: int
    rescale: MeanRescale


@dataclass(frozen=True, eq=False)
class Softmax:
    """``q = clamp(rhe(E[max - q] M0 / (sum E[max - q] 2^shift)) + Z)`` along ``axis`` (docs/math/softmax.md eq. 10).

    Attributes
    ----------
    exponentials : uint32 (levels of x,): ``E[d] = rhe(2^30 exp(-d Sx))``.
    multiplier : ``1 / Sy``, 24 bits.
    """

    name: str
    x: str
    y: str
    axis: int
    exponentials: NDArray[np.uint32]
    multiplier: Multiplier
    target: Target


@dataclass(frozen=True, eq=False)
class Float:
    """A part of the model that has no integer form: run in float32 by ONNX Runtime, for every backend.

    Attributes
    ----------
    xs, ys : tensors in and out.
    operator : its ONNX operator. reason : why it is not lowered.
    model : the serialized one-node ONNX model, whose inputs and outputs are named as ``xs`` and ``ys``.
    """

    name: str
    xs: tuple[str, ...]
    ys: tuple[str, ...]
    operator: str
    reason: str
    model: bytes


Instruction = (
    Quantize
    | Dequantize
    | Requantize
    | Conv
    | ConvTranspose
    | Linear
    | MatMul
    | Add
    | Mul
    | AddSums
    | Divide
    | Slopes
    | Table
    | PairTable
    | ChannelTable
    | MaxPool
    | AveragePool
    | FloatAveragePool
    | ReduceMean
    | ReduceSum
    | ReduceExtreme
    | Extreme
    | Where
    | Mask
    | ResizeLinear
    | Softmax
    | Normalize
    | Move
    | Float
)


def operands(instruction: Instruction) -> tuple[str, ...]:
    """Names of the tensors that an instruction reads."""
    if isinstance(instruction, (Concat, Float)):
        return instruction.xs
    if isinstance(instruction, (Add, AddSums, Divide, Extreme, Mul, MatMul, PairTable)):
        return instruction.a, instruction.b
    if isinstance(instruction, Where):
        return instruction.condition, instruction.a, instruction.b
    if isinstance(instruction, Mask):
        return instruction.condition, instruction.x
    return (instruction.x,)


def results(instruction: Instruction) -> tuple[str, ...]:
    """Names of the tensors that an instruction writes."""
    return instruction.ys if isinstance(instruction, Float) else (instruction.y,)
