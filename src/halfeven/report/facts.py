"""What quantization is for: sizes, multiply-accumulates by width, memory traffic, energy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from halfeven.ir.instructions import Dequantize, Instruction, Quantize, Requantize, operands, results
from halfeven.ir.moves import Flatten, Reshape, Squeeze, Unsqueeze
from halfeven.ir.program import Program
from halfeven.report.energy import Energy, energy
from halfeven.report.macs import FLOAT_WIDTH, Shapes, Width, macs, width
from halfeven.report.weights import Weight, constant_bytes

FREE = (Reshape, Flatten, Squeeze, Unsqueeze)  # another shape for the same bytes
NOT_IN_FLOAT = (Quantize, Dequantize, Requantize)
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Cost:
    """Of one inference.

    Attributes
    ----------
    constant_bytes : weights, biases, scales, shapes in the file.
    weight_bytes : weights, each read once.
    activation_bytes : every tensor between layers, written once and read by each of its readers.
    """

    constant_bytes: int
    weight_bytes: int
    activation_bytes: int
    energy: Energy


@dataclass(frozen=True)
class Facts:
    """Both models' cost, for inputs of the first sample's size.

    Attributes
    ----------
    macs : multiply-accumulates of the quantized model by width. layer_macs : by the tensor that a layer writes.
    """

    real: Cost
    quantized: Cost
    macs: Mapping[Width, int]
    layer_macs: Mapping[str, int]

    @property
    def total_macs(self) -> int:
        """Of all layers."""
        return sum(self.macs.values())


def facts(program: Program, models: tuple[ir.Model, ir.Model], weights: Mapping[str, Weight], shapes: Shapes) -> Facts:
    """Of a program whose tensors have these shapes; ``models``: the float one, the quantized one.

    The float model is taken as the same layers on 4 bytes an element: what it does not fuse costs it more than that.
    """
    layers = {results(i)[0]: macs(i, weights, shapes) for i in program}
    by_width: Counter[Width] = Counter()
    for i in program:
        if layers[results(i)[0]]:
            by_width[width(i, program, weights)] += layers[results(i)[0]]
    elements = sum(w.elements for w in weights.values())
    return Facts(
        _cost(
            models[0], {FLOAT_WIDTH: by_width.total()}, FLOAT_BYTES * elements, _moved(program, shapes, in_float=True)
        ),
        _cost(models[1], by_width, _bytes(weights), _moved(program, shapes, in_float=False)),
        dict(sorted(by_width.items())),
        {name: count for name, count in layers.items() if count},
    )


def _cost(model: ir.Model, by_width: Mapping[Width, int], weight_bytes: int, activation_bytes: int) -> Cost:
    arithmetic = (w.picojoules * count for w, count in by_width.items())
    return Cost(
        constant_bytes(model), weight_bytes, activation_bytes, energy(arithmetic, weight_bytes, activation_bytes)
    )


def _bytes(weights: Mapping[str, Weight]) -> int:
    return sum(math.ceil(w.elements * (w.qtype.bits / 8 if w.qtype else FLOAT_BYTES)) for w in weights.values())


def _moved(program: Program, shapes: Shapes, *, in_float: bool) -> int:
    tensors = (name for i in program for name in _touched(i, in_float=in_float) if name in shapes)
    return sum(math.prod(shapes[n]) * (FLOAT_BYTES if in_float else _size(program, n)) for n in tensors)


def _touched(instruction: Instruction, *, in_float: bool) -> Iterator[str]:
    if isinstance(instruction, FREE) or (in_float and isinstance(instruction, NOT_IN_FLOAT)):
        return
    yield from operands(instruction)
    yield from results(instruction)


def _size(program: Program, name: str) -> int:
    return int(program.tensors[name].dtype.itemsize)
