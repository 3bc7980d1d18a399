"""What quantization is for, in words: size, operations, traffic, speed, energy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from halfeven.report.comparison import Comparison
from halfeven.report.energy import ASSUMPTIONS, SOURCE


def cost_rows(comparison: Comparison) -> Iterator[tuple[str, str, str, str]]:
    """What, of the float model, of the quantized model, how many times less; for inputs of the first sample's size."""
    facts, speed = comparison.facts, comparison.speed
    real, made = facts.real, facts.quantized
    yield _row("weights and constants", real.constant_bytes, made.constant_bytes, size)
    yield "multiply-accumulates", f"{count(facts.total_macs)} float32", _by_width(comparison), ""
    yield _row("weights read, once each", real.weight_bytes, made.weight_bytes, size)
    yield _row("activations written and read", real.activation_bytes, made.activation_bytes, size)
    if speed is not None:
        times = speed.float_s, speed.quantized_s
        yield _row("measured time of one run, here", *times, lambda s: f"{1e3 * s:.2f} ms")
    parts = (
        ("arithmetic", "arithmetic_uj"),
        ("weights from DRAM", "weights_uj"),
        ("activations in SRAM", "activations_uj"),
    )
    for words, name in parts:
        yield _row(f"energy, estimated: {words}", getattr(real.energy, name), getattr(made.energy, name), microjoules)
    yield _row("energy, estimated: together", real.energy.total_uj, made.energy.total_uj, microjoules)


def cost_notes(comparison: Comparison) -> Iterator[str]:
    """How these numbers came about."""
    speed = comparison.speed
    if speed is not None:
        yield (
            f"Time: median of {speed.runs[0]} runs of the float model in ONNX Runtime and {speed.runs[1]} of the "
            f"integer program in the native engine, every core of this {speed.machine} machine, first sample."
        )
    yield f"Energy: {ASSUMPTIONS} Source: {SOURCE}."


def cost_lines(comparison: Comparison) -> Iterator[str]:
    """Rows and notes as plain text."""
    lines = [("", "float", "quantized", ""), *cost_rows(comparison)]
    widths = [max(len(line[k]) for line in lines) for k in range(4)]
    for line in lines:
        yield "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
    yield from cost_notes(comparison)


def _row(what: str, real: float, made: float, show: Callable[[float], str]) -> tuple[str, str, str, str]:
    ratio = f"{real / made:.1f} x less" if made and real >= made else f"{made / real:.1f} x more" if real else ""
    return what, show(real), show(made), ratio


def _by_width(comparison: Comparison) -> str:
    return ", ".join(f"{count(n)} {width}" for width, n in comparison.facts.macs.items()) or "0"


def count(value: float) -> str:
    """A number for people: 16.3 M."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:g}"


def size(value: float) -> str:
    """Bytes for people."""
    for factor, unit in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if value >= factor:
            return f"{value / factor:.2f} {unit}"
    return f"{value:g} B"


def microjoules(value: float) -> str:
    """Energy for people."""
    return f"{value / 1e3:.3g} mJ" if value >= 1e3 else f"{value:.3g} µJ"  # noqa: PLR2004
