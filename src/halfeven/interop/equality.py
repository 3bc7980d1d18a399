"""Whether a cleaned model computes what the original did, measured in onnxruntime."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.errors import DataError, HalfevenError
from halfeven.interop.lines import model_error, one_line
from halfeven.interop.write import write_model

Array = NDArray[Any]
F64 = NDArray[np.float64]
Model: TypeAlias = str | os.PathLike[str] | onnx.ModelProto | ir.Model
ROUNDING_MARGIN = 2.0  # one reordering of sums shows the size of rounding errors, not their largest
SILENT = 4  # onnxruntime's log level for fatal errors alone


@dataclass(frozen=True)
class Equality:
    """How far two models are apart: ``max |a - b| / max |a|`` of an output over all samples, for the worst output.

    ``rounding`` is the same measure between the original and itself with its sums in another order (onnxruntime's own
    optimizations), for the same output: what float32 makes of this model anyway. It is measured where the difference
    exceeds the tolerance, else 0.
    """

    max_relative: float
    tolerance: float
    output: str
    samples: int
    rounding: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether the difference is within the tolerance, or within what float32 rounding does to the original."""
        return self.max_relative <= max(self.tolerance, ROUNDING_MARGIN * self.rounding)

    def __str__(self) -> str:
        if not self.samples:
            return "not compared: no samples"
        rounding = f"; float32 rounding alone {self.rounding:.1e}" if self.rounding else ""
        samples = f"{self.samples} sample{'s' if self.samples != 1 else ''}"
        verdict = "equal to the original" if self.equal else "DIFFERENT from the original"
        return (
            f"{verdict} on {samples}: largest relative difference {self.max_relative:.1e} at output "
            f"'{self.output}' (tolerance {self.tolerance:.0e}{rounding})"
        )


def check_equal(
    original: Model, cleaned: Model, feeds: Iterable[Mapping[str, Array]], tolerance: float = 1e-5
) -> Equality:
    """Run both models in onnxruntime, without its own graph optimizations, on each sample and compare all outputs.

    Parameters
    ----------
    original, cleaned : a path, a ModelProto or an onnx_ir.Model.
    feeds : samples: dicts of input name -> array.
    tolerance : the largest relative difference that counts as equal; NaN and infinity must stand in the same places.

    Raises
    ------
    ModelError
        If onnxruntime cannot load one of them, or their outputs have different names.
    DataError
        If a sample does not fit the models.
    """
    samples = list(feeds)
    names, expected = _outputs(original, "the original model", samples)
    others, found = _outputs(cleaned, "the cleaned model", samples)
    if names != others:
        raise model_error(f"the cleaned model has other outputs than the original, which has {', '.join(names)}")
    reordered = _Lazy(original)
    errors, rounding, sizes = np.zeros(len(names)), np.zeros(len(names)), np.zeros(len(names))
    for count, (feed, a, b) in enumerate(zip(samples, expected, found, strict=True), start=1):
        error, size = _largest(a, b)
        errors, sizes = np.maximum(errors, error), np.maximum(sizes, size)
        if np.any(error > tolerance * sizes):
            rounding = np.maximum(rounding, _largest(a, _run(reordered.session, feed, count))[0])
    # over all samples: one blank picture, whose outputs are all but zero, says nothing about relative errors
    relative = _relative(errors, sizes)
    worst = int(relative.argmax())
    return Equality(
        float(relative[worst]), tolerance, names[worst], len(samples), float(_relative(rounding, sizes)[worst])
    )


def _outputs(model: Model, label: str, samples: Sequence[Mapping[str, Array]]) -> tuple[list[str], list[list[Array]]]:
    """Names, and values for each sample; one model is in memory at a time."""
    session = _session(model, label)
    values = [_run(session, feed, count) for count, feed in enumerate(samples, start=1)]
    return [output.name for output in session.get_outputs()], values


class _Lazy:
    """The original with onnxruntime's optimizations on, loaded when first asked for."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @cached_property
    def session(self) -> Any:
        return _session(self._model, "the original model", optimized=True)


def _largest(a: list[Array], b: list[Array]) -> tuple[F64, F64]:
    pairs = [largest_difference(x, y) for x, y in zip(a, b, strict=True)]
    return np.array([error for error, _ in pairs]), np.array([size for _, size in pairs])


def _relative(errors: F64, sizes: F64) -> F64:
    return np.divide(errors, sizes, out=np.where(errors > 0, np.inf, 0.0), where=sizes > 0)


def largest_difference(a: Array, b: Array) -> tuple[float, float]:
    """``max |a - b|, max |a|``; the first infinite where shapes, types or the places of NaN and infinity differ."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return np.inf, 1.0
    if a.dtype.kind not in "fiub":
        return (0.0 if np.array_equal(a, b) else np.inf), 1.0
    x, y = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(x)
    if not np.array_equal(x[~finite], y[~finite], equal_nan=True) or not np.isfinite(y[finite]).all():
        return np.inf, 1.0
    return float(np.abs(x[finite] - y[finite]).max(initial=0.0)), float(np.abs(x[finite]).max(initial=0.0))


def _session(model: Model, label: str, *, optimized: bool = False) -> Any:
    import onnxruntime as ort  # noqa: PLC0415 - reading and writing models does not need it

    options = ort.SessionOptions()
    if not optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = SILENT
    try:
        if isinstance(model, (str, os.PathLike)):
            return ort.InferenceSession(os.fspath(model), options, providers=["CPUExecutionProvider"])
        if isinstance(model, onnx.ModelProto):
            return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        with tempfile.TemporaryDirectory(prefix="halfeven-") as folder:  # a file, for models above 2 GB
            file = Path(folder) / "model.onnx"
            write_model(model, file)
            return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except HalfevenError:
        raise
    except Exception as error:  # noqa: BLE001 - onnxruntime's own exceptions share no other base
        raise model_error(f"onnxruntime cannot load {label}: {one_line(error)}") from None


def _run(session: Any, feed: Mapping[str, Array], number: int) -> list[Array]:
    wanted = {port.name for port in session.get_inputs()}
    if wanted - feed.keys():
        raise DataError(f"sample {number} has no array for the input '{min(wanted - feed.keys())}'")
    try:
        return [np.asarray(y) for y in session.run(None, {name: feed[name] for name in wanted})]
    except Exception as error:  # noqa: BLE001 - as above
        raise DataError(f"sample {number} does not fit the model: {one_line(error)}") from None
