"""``halfeven inspect``: what a quantized model is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

import typer

from halfeven import api
from halfeven.cli import console
from halfeven.cli.options import Debug, ModelPath, Profile
from halfeven.cli.summary import print_float_parts
from halfeven.ir.instructions import Instruction, operands, results
from halfeven.ir.program import Port
from halfeven.ir.rescale import MeanRescale, Rescale
from halfeven.numerics.multiplier import Multiplier

TABLE_WIDTH = 120  # columns from which on the tables are not cramped
NARROW = 76  # what is left of 80 behind the indent
PORT_COLUMNS = ("", "name", "shape", "type", "scale", "zero point", "range")
LAYER_COLUMNS = ("instruction", "name", "reads", "range of the result", "accumulator", "multiplier")


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
    wide = out.width >= TABLE_WIDTH
    if wide:
        out.print(_ports(loaded))
    else:
        out.print(lines(_port_cells(loaded)))
    if full:
        out.print(str(loaded.program))
    elif wide:
        out.print(_layers(loaded))
    else:
        out.print(lines(_layer_cells(loaded)))
    print_float_parts(loaded)


def lines(entries: Iterable[Sequence[tuple[str, str]]]) -> str:
    """Entries for a narrow terminal: the first two values on a line, then ``name value`` each, as many as fit."""
    found: list[str] = []
    for (_, kind), (_, name), *rest in entries:
        found.append(f"{kind}  {name}")
        line = ""
        for title, value in rest:
            if value == "-":
                continue
            part = f"{title} {value}"
            if line and len(line) + len(part) + 2 > NARROW:
                found.append(f"    {line}")
                line = ""
            line += f"{', ' if line else ''}{part}"
        found += [f"    {line}"] if line else []
    return "\n".join(found)


def _ports(model: api.QuantizedModel) -> Any:
    table = console.table("boundary", *PORT_COLUMNS)
    for entry in _port_cells(model):
        table.add_row(*(value for _, value in entry))
    return table


def _port_cells(model: api.QuantizedModel) -> Iterator[list[tuple[str, str]]]:
    for kind, ports in (("input", model.inputs), ("output", model.outputs)):
        for port in ports:
            yield list(zip(PORT_COLUMNS, (kind, port.name, _shape(port), *_params(port)), strict=True))


def _shape(port: Port) -> str:
    return "?" if port.shape is None else " x ".join(map(str, port.shape)) or "scalar"


def _params(port: Port) -> tuple[str, str, str, str]:
    if port.params is None:
        return str(port.dtype), "-", "-", "-"
    params = port.params
    kind = str(params.qtype) if port.takes_codes else f"{port.dtype} as {params.qtype}"
    if params.axis is not None:
        scales = f"{params.scale.size} in [{params.scale.min():.4g} .. {params.scale.max():.4g}]"
        return kind, scales, "0" if not params.zero_point.any() else "one a channel", "-"
    scale, zero = float(params.scale), int(params.zero_point)
    low, high = (params.qtype.qmin - zero) * scale, (params.qtype.qmax - zero) * scale
    return kind, f"{scale:.9g}", str(zero), f"[{low:.6g}, {high:.6g}]"


def _layers(model: api.QuantizedModel) -> Any:
    table = console.table("layers", *LAYER_COLUMNS)
    for entry in _layer_cells(model):
        table.add_row(*(value for _, value in entry))
    return table


def _layer_cells(model: api.QuantizedModel) -> Iterator[list[tuple[str, str]]]:
    for i in model.program:
        values = type(i).__name__, i.name, ", ".join(operands(i)), _range(model, i), *_numbers(i)
        yield list(zip(LAYER_COLUMNS, values, strict=True))


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
    return str(accumulator or "-"), "-" if multiplier is None else _multiplier(multiplier)


def _multiplier(multiplier: Multiplier) -> str:
    if multiplier.m0.ndim == 0:
        return f"{float(multiplier.value):.6g}"
    if not multiplier.m0.size:
        return "none"
    return f"{multiplier.m0.size} in [{multiplier.value.min():.4g} .. {multiplier.value.max():.4g}]"
