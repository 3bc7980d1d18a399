"""A Benchmark as the rows of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from halfeven.report.bench.batch import OURS, Batch
from halfeven.report.bench.benchmark import Benchmark
from halfeven.report.bench.layers import LayerTime
from halfeven.report.bench.timing import Times

ENGINE_COLUMNS = ("engine", "median", "best", "samples/s", "halfeven / it", "best / best")
BATCH_COLUMNS = ("engine", "batch", "a sample", "samples/s", "halfeven / it")
LAYER_COLUMNS = ("layer", "", "time", "share", "MMACs", "GOPS", "of peak")


def engine_rows(found: Benchmark) -> list[tuple[str, ...]]:
    """One row an engine, and one a peer that does not run the file."""
    return [*(_engine_row(found, name) for name in found.times), *_refused(found, len(ENGINE_COLUMNS))]


def _engine_row(found: Benchmark, name: str) -> tuple[str, ...]:
    times = found.times[name]
    ratios = ("", "") if name == OURS else (f"{found.ratio(name):.2f}", f"{found.own.best_s / times.best_s:.2f}")
    speed = found.samples / times.median_s
    return name, milliseconds(times.median_s), milliseconds(times.best_s), f"{speed:.1f}", *ratios


def batch_rows(batch: Batch) -> list[tuple[str, ...]]:
    """One row an engine, and one a peer that does not run the file."""
    rows = [_batch_row(batch, name, times) for name, times in batch.times.items()]
    return [*rows, *_refused(batch, len(BATCH_COLUMNS))]


def _refused(found: Benchmark | Batch, columns: int) -> Iterator[tuple[str, ...]]:
    return ((name, "refused", *[""] * (columns - 2)) for name in found.refused)


def refusal_lines(found: Benchmark) -> list[str]:
    """Why peers have no times, one line a reason."""
    reasons = {**({} if found.batch is None else found.batch.refused), **found.refused}
    return [f"{name} refuses the model: {why}" for name, why in reasons.items()]


def _batch_row(batch: Batch, name: str, times: Times) -> tuple[str, ...]:
    spent = times.median_s
    ratio = "" if name == OURS else f"{batch.times[OURS].median_s / spent:.2f}"
    each = milliseconds(spent / batch.samples)
    return name, milliseconds(spent), each, f"{batch.samples_per_second(name):.1f}", ratio


def layer_rows(found: Benchmark, most: int) -> list[tuple[str, ...]]:
    """The ``most`` slowest layers, slowest first."""
    total = sum(layer.seconds or 0.0 for layer in found.layers)
    slowest = sorted(found.layers, key=lambda layer: -(layer.seconds or 0.0))
    return [_layer_row(layer, total, found.peak) for layer in slowest[:most]]


def _layer_row(layer: LayerTime, total: float, peak: float) -> tuple[str, ...]:
    if layer.seconds is None:
        return layer.kind, layer.name, "outside the engine", "", _millions(layer.macs), "", ""
    speed = layer.operations_per_second
    rates = ("", "") if speed is None else (f"{speed / 1e9:.0f}", f"{speed / peak:.0%}")
    share = f"{layer.seconds / total:.1%}" if total else ""
    return layer.kind, layer.name, f"{layer.seconds * 1e6:.1f} us", share, _millions(layer.macs), *rates


def _millions(macs: int) -> str:
    return f"{macs / 1e6:.2f}" if macs else ""


def milliseconds(seconds: float) -> str:
    """A duration, with three digits."""
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


MOST_LAYERS = 15


def text(found: Benchmark, most: int = MOST_LAYERS) -> str:
    """The summary and every table; of the layers the ``most`` slowest."""
    lines = [*summary_lines(found), "", *_table(ENGINE_COLUMNS, engine_rows(found)), *refusal_lines(found)]
    if found.batch is not None:
        lines += ["", f"{found.batch.samples} samples at once", *_table(BATCH_COLUMNS, batch_rows(found.batch))]
    return "\n".join([*lines, "", "slowest layers", *_table(LAYER_COLUMNS, layer_rows(found, most))])


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    return ("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in (columns, *rows))


def summary_lines(found: Benchmark) -> Sequence[str]:
    """What the tables do not say."""
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in found.shapes.items())
    mib = 1 << 20
    parts = found.footprint
    lines = [
        f"{shapes}; {found.threads} thread(s), {found.isa}",
        (
            f"{found.macs / 1e6:.1f} million multiply-accumulates a run: {found.share_of_peak:.0%} of this machine's "
            f"integer peak, {found.peak / 1e9:.0f} GOPS on registers alone"
        ),
        (
            f"memory of a run: {parts.total / mib:.1f} MiB = {parts.weights / mib:.1f} packed weights "
            f"+ {parts.arena / mib:.1f} tensors + {parts.tables / mib:.1f} tables"
        ),
    ]
    if len(found.times) > 1:
        lines.append(
            "Peers run this very file, which may not be what suits them best (onnxruntime leaves Relu and Clip behind "
            "symmetric codes in float). Rounds are interleaved; threads of onnxruntime do not spin between runs."
        )
    return lines
