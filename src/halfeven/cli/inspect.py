"""``halfeven inspect``: what a quantized model is made of."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from halfeven import api
from halfeven.cli import console
from halfeven.cli.options import Debug, ModelPath, Profile
from halfeven.cli.summary import print_float_parts
from halfeven.ir.instructions import Instruction, operands, results
from halfeven.ir.program import Port
from halfeven.ir.rescale import MeanRescale, Rescale


def command(
    model: ModelPath,
    profile: Profile = None,
    full: Annotated[bool, typer.Option("--full", help="Every number of every instruction, one line each.")] = False,
    debug: Debug = False,  # noqa: ARG001  read by main
) -> None:
    """Show inputs, outputs, layers, ranges, multipliers, bounds, and what runs in float32 and why."""
    loaded = api.load(model, profile)
    out = console.out()
    out.print(f"{model}: profile {loaded.profile.name}, {len(loaded.program)} instructions")
    out.print(_ports(loaded))
    if full:
        out.print(str(loaded.program), markup=False)
    else:
        out.print(_layers(loaded))
    print_float_parts(loaded)


def _ports(model: api.QuantizedModel) -> Any:
    table = console.table("boundary", "", "name", "shape", "type", "scale", "zero point", "range")
    for kind, ports in (("input", model.inputs), ("output", model.outputs)):
        for port in ports:
            table.add_row(kind, port.name, _shape(port), *_params(port))
    return table


def _shape(port: Port) -> str:
    return "?" if port.shape is None else " x ".join(map(str, port.shape)) or "scalar"


def _params(port: Port) -> tuple[str, str, str, str]:
    if port.params is None:
        return str(port.dtype), "-", "-", "-"
    scale, zero = float(port.params.scale), int(port.params.zero_point)
    low, high = (port.params.qtype.qmin - zero) * scale, (port.params.qtype.qmax - zero) * scale
    return str(port.params.qtype), f"{scale:.9g}", str(zero), f"[{low:.6g}, {high:.6g}]"


def _layers(model: api.QuantizedModel) -> Any:
    table = console.table("layers", "instruction", "name", "reads", "range of the result", "accumulator", "multiplier")
    for i in model.program:
        table.add_row(type(i).__name__, i.name, ", ".join(operands(i)), _range(model, i), *_numbers(i))
    return table


def _range(model: api.QuantizedModel, instruction: Instruction) -> str:
    tensor = model.program.tensors.get(results(instruction)[0])
    if tensor is None or tensor.params is None or tensor.params.axis is not None:
        return "-"
    scale, zero = float(tensor.params.scale), int(tensor.params.zero_point)
    qtype = tensor.params.qtype
    return f"[{(qtype.qmin - zero) * scale:.5g}, {(qtype.qmax - zero) * scale:.5g}]"


def _numbers(instruction: Instruction) -> tuple[str, str]:
    accumulator = getattr(instruction, "accumulator", None)
    rescale = getattr(instruction, "rescale", None)
    if isinstance(rescale, MeanRescale):
        return "-", f"{rescale.ratio:.6g} / count"
    multiplier = rescale.multiplier if isinstance(rescale, Rescale) else getattr(instruction, "multiplier", None)
    return str(accumulator or "-"), str(multiplier or "-")
