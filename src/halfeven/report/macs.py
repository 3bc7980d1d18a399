"""Multiply-accumulates of an instruction, and the widths of what it multiplies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from halfeven.ir.instructions import Float, Instruction, operands, results
from halfeven.ir.program import Program
from halfeven.report.energy import multiply_accumulate_pj
from halfeven.report.weights import Weight

Shapes = Mapping[str, tuple[int, ...]]
FLOAT_BITS = 32


@dataclass(frozen=True, order=True)
class Width:
    """Bits of the weight (or second operand) and of the activation that are multiplied."""

    weight: int
    activation: int
    is_float: bool

    @property
    def picojoules(self) -> float:
        """Of one multiplication and one addition, as published."""
        return multiply_accumulate_pj(self.weight, self.activation, is_float=self.is_float)

    def __str__(self) -> str:
        kind = "float" if self.is_float else "int"
        return f"{kind}{self.weight} x {kind}{self.activation}"


FLOAT_WIDTH = Width(FLOAT_BITS, FLOAT_BITS, is_float=True)


def macs(instruction: Instruction, weights: Mapping[str, Weight], shapes: Shapes) -> int:
    """How many products are added up: each result's element times the elements of its window or row; else 0."""
    kind = instruction.operator if isinstance(instruction, Float) else type(instruction).__name__
    weight = _elements(instruction, weights)
    read, made = operands(instruction), results(instruction)[0]
    if not read or made not in shapes or read[0] not in shapes:
        return 0
    x, y = shapes[read[0]], shapes[made]
    if kind == "MatMul" and weight is None:
        return math.prod(y) * (x[-1] if x else 1)
    if kind in ("Conv", "Gemm", "Linear", "MatMul") and weight:
        return math.prod(y) * weight // max(1, y[1] if kind == "Conv" else y[-1])
    return math.prod(x) * weight // max(1, x[1]) if kind == "ConvTranspose" and weight else 0


def _elements(instruction: Instruction, weights: Mapping[str, Weight]) -> int | None:
    weight: Any = getattr(instruction, "weight", None)
    if weight is not None:
        return int(weight.size)
    return weights[instruction.name].elements if instruction.name in weights else None


def width(instruction: Instruction, program: Program, weights: Mapping[str, Weight]) -> Width:
    """Of the products of an instruction that has some."""
    if isinstance(instruction, Float):
        return FLOAT_WIDTH
    read = operands(instruction)
    known = weights.get(instruction.name)
    if known is not None and known.qtype is not None:
        weight = known.qtype.bits
    elif (codes := getattr(instruction, "weight", None)) is not None:
        weight = 8 * int(codes.dtype.itemsize)
    else:
        weight = _bits(program, read[-1])
    return Width(weight, _bits(program, read[0]), is_float=False)


def _bits(program: Program, name: str) -> int:
    tensor = program.tensors[name]
    return tensor.params.qtype.bits if tensor.params is not None else 8 * tensor.dtype.itemsize
