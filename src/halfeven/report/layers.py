"""Tensors of a quantized model, each beside the float model's tensor of the same real value."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import onnx
import onnx_ir as ir

from halfeven.errors import ModelError
from halfeven.interop import clean_up, describe, read_model
from halfeven.ir.instructions import Dequantize, Float, Instruction, Quantize, results
from halfeven.ir.program import Program
from halfeven.numerics.params import AffineParams
from halfeven.report.channels import channel_axes

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
SUFFIXES = ("_quantized", "_QuantizeLinear_Output", "_unquantized", "_QuantizeLinear_Input")
"""What this package and onnxruntime put behind the name of a value; tried where the nodes around it say nothing."""

FloatModel: TypeAlias = str | os.PathLike[str] | onnx.ModelProto


@dataclass(frozen=True)
class Layer:
    """One instruction's result and the float tensor that it stands for.

    Attributes
    ----------
    index : in the order of the program. name : of the float tensor. tensor : of the quantized model's.
    instruction : what writes it. made_by : what computes it, which is another where the sums of a product are handed
        out: the product, where ``instruction`` dequantizes. operator : of that, in a word.
    params : of its codes; None where it runs in float32.
    axis : of its channels. is_input, is_output : whether it is a model input quantized, or a model output.
    """

    index: int
    name: str
    tensor: str
    instruction: Instruction
    made_by: Instruction
    operator: str
    params: AffineParams | None
    axis: int
    is_input: bool
    is_output: bool


@dataclass(frozen=True)
class Unpaired:
    """A tensor of the quantized model that could not be compared, and why."""

    tensor: str
    reason: str

    def __str__(self) -> str:
        return f"{self.tensor}: {self.reason}"


@dataclass(frozen=True, eq=False)
class Pairing:
    """A float model, and the layers of a quantized one whose values it computes too."""

    float_model: ir.Model
    layers: tuple[Layer, ...]
    unpaired: tuple[Unpaired, ...]


def pair(program: Program, graph: ir.Graph, float_model: FloatModel) -> Pairing:
    """Find the float tensor of each tensor of the program, by name.

    Codes stand for what their QuantizeLinear reads, or for what a DequantizeLinear makes of them (a model output keeps
    its name there). The float model is cleaned up as for quantization; a file of another tool, made without that
    clean-up, is held against the float model as it is, where that pairs more.

    Raises
    ------
    ModelError
        If the float model is quantized itself, has other inputs, or no tensor pairs.
    """
    read = _read_float(float_model)
    _check_inputs(read, program, label(float_model))
    known = {str(v.name) for v in graph.inputs} | {str(v.name) for node in graph for v in node.outputs}
    written = [(i, name) for i in program for name in results(i) if name in known and not _repeats(i, known)]
    tries = (_pair(model, written, _reals(graph), program) for model in (clean_up(read).model, read))
    best = max(tries, key=lambda pairing: len(pairing.layers))
    if all(layer.is_input for layer in best.layers):
        first = next((str(u.tensor) for u in best.unpaired), program.name)
        raise ModelError(
            f"{label(float_model)}: has none of the tensors of the quantized model, such as '{first}': the float model "
            "that it was made from was expected",
            source=label(float_model),
        )
    return best


def _repeats(instruction: Instruction, known: Collection[str]) -> bool:
    """Whether it gives the reals of codes that are compared themselves; the sums of a product are not."""
    return isinstance(instruction, Dequantize) and instruction.x in known


def label(model: FloatModel) -> str:
    """How errors name the float model."""
    return "the given float model" if isinstance(model, onnx.ModelProto) else os.fspath(model)


def _read_float(model: FloatModel) -> ir.Model:
    read = read_model(model)
    node = next((n for n in read.graph if n.op_type in (QUANTIZE, DEQUANTIZE)), None)
    if node is not None:
        raise ModelError(
            f"{label(model)}: is quantized itself (node '{node.name}', {node.op_type}): the float model comes first, "
            "the quantized one second",
            source=label(model),
            node=str(node.name),
        )
    return read


def _check_inputs(model: ir.Model, program: Program, source: str) -> None:
    ours = {p.name: p.dtype for p in program.inputs}
    theirs = {p.name: p.dtype for p in describe(model).inputs}
    if set(ours) != set(theirs):
        raise ModelError(
            f"{source}: its inputs are {', '.join(theirs) or 'none'}, and those of the quantized model "
            f"{', '.join(ours) or 'none'}: the float model that it was made from was expected",
            source=source,
        )


def _pair(
    model: ir.Model, written: Sequence[tuple[Instruction, str]], reals: Mapping[str, Sequence[str]], program: Program
) -> Pairing:
    names = _float_names(model)
    axes = channel_axes(program)
    outputs = {name for p in program.outputs for name in (p.codes, p.name)}  # sums are no tensor: their reals pair
    writers = {name: i for i in program for name in results(i)}
    layers: list[Layer] = []
    unpaired: list[Unpaired] = []
    for instruction, tensor in written:
        params = program.tensors[tensor].params
        candidates = reals.get(tensor, (tensor,) if params is None else ())
        name = next((n for n in _with_stripped(tensor, candidates) if n in names), None)
        if name is None:
            if params is not None or tensor in outputs:
                unpaired.append(Unpaired(tensor, _reason(candidates)))
            continue
        place = axes[tensor], _is_entry(instruction, program), tensor in outputs
        made_by = writers.get(instruction.x, instruction) if isinstance(instruction, Dequantize) else instruction
        layers.append(Layer(len(layers), name, tensor, instruction, made_by, _operator(made_by), params, *place))
    return Pairing(model, tuple(layers), tuple(unpaired))


def _reals(graph: ir.Graph) -> dict[str, list[str]]:
    """Names of the real values that each tensor of codes stands for, likeliest first."""
    found: dict[str, list[str]] = {}
    for node in graph:
        if node.op_type == QUANTIZE and node.inputs[0] is not None:
            found.setdefault(str(node.outputs[0].name), []).insert(0, str(node.inputs[0].name))
        elif node.op_type == DEQUANTIZE and node.inputs[0] is not None:
            found.setdefault(str(node.inputs[0].name), []).append(str(node.outputs[0].name))
    return found


def _with_stripped(tensor: str, candidates: Sequence[str]) -> Iterator[str]:
    yield from candidates
    for suffix in SUFFIXES:
        for name in (*candidates, tensor):
            if name.endswith(suffix):
                yield name.removesuffix(suffix)


def _reason(candidates: Sequence[str]) -> str:
    named = " or ".join(f"'{n}'" for n in candidates) or "of its name"
    return f"the float model has no float tensor {named}"


def _float_names(model: ir.Model) -> set[str]:
    values: Iterable[ir.Value] = (*model.graph.inputs, *(v for node in model.graph for v in node.outputs))
    return {str(v.name) for v in values if v.dtype in (None, ir.DataType.FLOAT) and v.const_value is None}


def _is_entry(instruction: Instruction, program: Program) -> bool:
    return isinstance(instruction, Quantize) and instruction.x in {p.name for p in program.inputs}


def _operator(instruction: Instruction) -> str:
    if isinstance(instruction, Float):
        return f"{instruction.operator} (float32)"
    return str(getattr(instruction, "function", "") or type(instruction).__name__)
