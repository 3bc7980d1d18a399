"""The three PP-OCR mobile models (text found, turned, read): their files, their inputs, and the classifier's demo task.

The classifier says whether a line of text stands upright (0) or upside down (1).
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from halfeven.demo.fetch import fetch
from halfeven.demo.packages import PPOCR, PPOCR_CLS, PPOCR_DET, PPOCR_REC
from halfeven.demo.task import DemoTask, accuracy_of
from halfeven.demo.text_images import Image, TextLine, import_pillow, text_lines

Pixels: TypeAlias = npt.NDArray[np.float32]

INPUT_NAME = "x"
CLS_OUTPUT_NAME = "save_infer_model/scale_0.tmp_1"
LINE_HEIGHT = 48
CLS_WIDTH = 192
MIN_WIDTH = 16
CALIBRATION_COUNT = 64
EVALUATION_COUNT = 200
CALIBRATION_SEED = 1002
EVALUATION_SEED = 2


def cls_model(cache: Path | None = None) -> Path:
    """Return the path of the 0 / 180 classifier: x (N, 3, 48, 192) -> probabilities (N, 2); Raises as `fetch`."""
    return fetch(PPOCR, cache) / PPOCR_CLS.path


def rec_model(cache: Path | None = None) -> Path:
    """Return the path of the reader: x (N, 3, 48, W) -> probabilities (N, T, characters + 2); Raises as `fetch`."""
    return fetch(PPOCR, cache) / PPOCR_REC.path


def det_model(cache: Path | None = None) -> Path:
    """Return the path of the finder: x (N, 3, H, W) -> probability of text (N, 1, H, W); Raises as `fetch`."""
    return fetch(PPOCR, cache) / PPOCR_DET.path


def cls_task(
    cache: Path | None = None, calibration: int = CALIBRATION_COUNT, evaluation: int = EVALUATION_COUNT
) -> DemoTask:
    """Return the classifier's demo task; both counts are even, each line is there upright and upside down.

    Raises
    ------
    DataUnavailableError
        The model could not be had.
    UnavailableError
        Pillow is missing.
    """
    model_path = cls_model(cache)
    labels = np.tile(np.array([0, 1], np.int64), evaluation // 2)
    return DemoTask(
        name="ppocr_cls",
        model_path=model_path,
        input_name=INPUT_NAME,
        calibration=cls_inputs(text_lines(calibration // 2, CALIBRATION_SEED)),
        evaluation=cls_inputs(text_lines(evaluation // 2, EVALUATION_SEED)),
        labels=labels,
        metric=accuracy_of(CLS_OUTPUT_NAME, labels),
        metric_name="accuracy",
    )


def cls_inputs(lines: list[TextLine]) -> Pixels:
    """Return the classifier's input: lines upright and upside down in turn, (2 * N, 3, 48, 192) float32."""
    turned = (image for line in lines for image in (line.image, np.ascontiguousarray(line.image[::-1, ::-1])))
    return np.concatenate([line_input(image, CLS_WIDTH) for image in turned])


def line_input(image: Image, width: int | None = None) -> Pixels:
    """Return ``(v / 255 - 0.5) / 0.5`` of a line resized to 48 pixels height: (1, 3, 48, W), blue green red, float32.

    The width follows the height; given, it is cut to ``width`` or filled with zeros up to it.
    """
    pillow = import_pillow("Image")
    picture = pillow.fromarray(image)
    natural = max(MIN_WIDTH, round(picture.width * LINE_HEIGHT / picture.height))
    drawn = natural if width is None else min(natural, width)
    pixels = _normalize(np.asarray(picture.resize((drawn, LINE_HEIGHT), pillow.Resampling.BILINEAR)))
    return pixels if width is None else np.pad(pixels, ((0, 0), (0, 0), (0, 0), (0, width - drawn)))


def page_input(image: Image) -> Pixels:
    """Return the finder's input: (H, W, 3) pixels, H and W multiples of 32, to (1, 3, H, W) float32."""
    return _normalize(image)


def _normalize(image: Image) -> Pixels:
    blue_green_red = np.asarray(image, np.float32)[..., ::-1]
    return np.ascontiguousarray(((blue_green_red / 255 - 0.5) / 0.5).transpose(2, 0, 1)[np.newaxis])
