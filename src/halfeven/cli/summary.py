"""What ``quantize`` says of its result."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from halfeven.api import QuantizedModel
from halfeven.cli import console
from halfeven.interop import file_bytes
from halfeven.ir.instructions import Conv, Linear


def print_quantized(model: QuantizedModel, source: Path, output: Path) -> None:
    """Clean-up, samples, instructions, accumulators, float parts, sizes."""
    out = console.out()
    result = model.ptq
    if result is not None:
        steps = ", ".join(f"{s.name} {s.count}" for s in result.clean_up.steps if s.count)
        out.print(f"clean-up: {steps or 'nothing to do'}")
        out.print(f"the cleaned model is {result.equality}")
        for widened in result.widened:
            out.print(str(widened))
        methods = Counter(row.method for row in result.ranges).most_common()
        out.print(f"{len(result.ranges)} ranges: " + ", ".join(f"{n} by {method}" for method, n in methods))
        for report in result.algorithms:
            out.print(str(report))
        if result.outcome is not None and not result.outcome.held_back:  # else the last algorithm has said it
            out.print(str(result.outcome))
        samples = f"{result.samples} sample{'s' if result.samples != 1 else ''}"
        out.print(f"calibrated on {samples}, profile {model.profile.name}")
    kinds = Counter(type(i).__name__ for i in model.program)
    out.print(f"{len(model.program)} instructions: " + ", ".join(f"{n} {k}" for k, n in kinds.most_common()))
    wide = [i.name for i in model.program if isinstance(i, (Conv, Linear)) and i.accumulator.bits > 32]  # noqa: PLR2004
    out.print(
        "accumulators: int32, proved" if not wide else f"accumulators: int64 in {', '.join(wide)}, else int32, proved"
    )
    print_float_parts(model)
    before, after = (console.size(file_bytes(path)) for path in (source, output))
    out.print(f"{source} {before} -> {output} {after}")


def print_float_parts(model: QuantizedModel) -> None:
    """Every node that runs in float32, and why."""
    out = console.out()
    parts = model.program.float_parts
    if not parts:
        out.print("every node is integer")
        return
    table = console.table(f"{len(parts)} node(s) run in float32", "operator", "node", "why")
    for part in parts:
        table.add_row(part.operator, part.name, part.reason)
    out.print(table)
