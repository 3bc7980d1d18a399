"""Run the main job on every demo task: float model, quantized model, what it costs, and whether all backends agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from halfeven.api import QuantizedModel, load, quantize_model
from halfeven.demo.agreement import Agreement, compare_backends
from halfeven.demo.catalogue import tasks
from halfeven.demo.task import DemoTask
from halfeven.errors import ParameterError, UnavailableError
from halfeven.execute.float_part import open_session, run_session
from halfeven.execute.run import Backend, native_backend, reference_backend, torch_backend
from halfeven.numerics.profile import JOURNEY6, Profile

Say: TypeAlias = Callable[[str], None]

BATCH = 50
AGREEMENT_SAMPLES = 16  # the reference is written to be read, not to be fast


@dataclass(frozen=True)
class DemoResult:
    """What the demo measured for one task.

    Attributes
    ----------
    samples
        Evaluation samples behind both scores.
    float_score, integer_score
        The metric of the float model in ONNX Runtime, and of the written quantized model on the native backend.
    float_size_bytes, integer_size_bytes
        Sizes of the two ONNX files.
    float_parts
        Instructions of the quantized model that run in float32.
    agreements
        The native backend against each of the others, over every tensor of the model.
    notes
        What was left out, and why.
    """

    name: str
    metric_name: str
    samples: int
    float_score: float
    integer_score: float
    float_size_bytes: int
    integer_size_bytes: int
    float_parts: int
    agreements: tuple[Agreement, ...]
    notes: tuple[str, ...]
    path: Path

    @property
    def agrees(self) -> bool:
        """Whether every compared number is the same on every backend."""
        return all(agreement.differing == 0 for agreement in self.agreements)


def run_demo(
    output_dir: Path, progress: Say, *, profile: str | Profile = JOURNEY6, cache: Path | None = None
) -> list[DemoResult]:
    """Run every task that can be had and write ``<task>.int8.onnx`` into ``output_dir``.

    Parameters
    ----------
    progress
        Called with one line at each step, and with the reason where a task is left out.
    profile
        The arithmetic to quantize for.
    cache
        Where packages are kept; `cache_folder()` unless given.

    Raises
    ------
    ParameterError
        ``output_dir`` cannot be made.
    UnavailableError
        Not one task can be had.
    HalfevenError
        A step failed; the message names it.
    """
    skipped: list[UnavailableError] = []

    def skip(name: str, error: UnavailableError) -> None:
        skipped.append(error)
        progress(f"{name}: left out: {error}")

    _make_folder(output_dir)
    progress("fetching models and data")
    results = [run_task(task, output_dir, progress, profile) for task in tasks(cache, skip)]
    if not results:
        raise skipped[0]
    return results


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the output folder '{folder}' cannot be made ({error.strerror}): choose another"
        raise ParameterError(message) from error


def run_task(task: DemoTask, output_dir: Path, progress: Say, profile: str | Profile = JOURNEY6) -> DemoResult:
    """Quantize one task's model, write it into the folder ``output_dir``, read it back, measure what was written."""
    progress(f"{task.name}: quantizing with {len(task.calibration)} samples")
    path = output_dir / f"{task.name}.int8.onnx"
    quantize_model(task.model_path, {task.input_name: task.calibration}, profile=profile).save(path)
    model = load(path)
    progress(f"{task.name}: {task.metric_name} over {len(task.labels)} samples")
    float_score, integer_score = _float_score(task), _integer_score(task, model)
    progress(f"{task.name}: the same {AGREEMENT_SAMPLES} samples on every backend")
    others, notes = _other_backends()
    return DemoResult(
        name=task.name,
        metric_name=task.metric_name,
        samples=len(task.labels),
        float_score=float_score,
        integer_score=integer_score,
        float_size_bytes=task.model_path.stat().st_size,
        integer_size_bytes=path.stat().st_size,
        float_parts=len(model.program.float_parts),
        agreements=tuple(_agreement(task, model, other) for other in others),
        notes=notes,
        path=path,
    )


def _float_score(task: DemoTask) -> float:
    session = open_session(str(task.model_path))
    return _score(task, lambda batch: run_session(session, {task.input_name: batch}))


def _integer_score(task: DemoTask, model: QuantizedModel) -> float:
    return _score(task, lambda batch: model.run({task.input_name: batch}, backend="native"))


def _score(task: DemoTask, run: Callable[[npt.NDArray[np.float32]], dict[str, npt.NDArray[Any]]]) -> float:
    """Run the evaluation samples in batches, join the outputs and judge them."""
    parts = [run(task.evaluation[start : start + BATCH]) for start in range(0, len(task.evaluation), BATCH)]
    return task.metric({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _other_backends() -> tuple[list[Backend], tuple[str, ...]]:
    """Return the backends to hold against the native one, and a note for one that is not there."""
    if find_spec("torch") is None:
        return [reference_backend()], ("torch not compared: PyTorch is not installed (pip install 'halfeven[torch]')",)
    return [reference_backend(), torch_backend()], ()


def _agreement(task: DemoTask, model: QuantizedModel, other: Backend) -> Agreement:
    feeds = {task.input_name: task.evaluation[:AGREEMENT_SAMPLES]}
    return compare_backends(model.program, feeds, native_backend(), other)
