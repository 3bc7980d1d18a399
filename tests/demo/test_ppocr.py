"""Inputs of the PP-OCR models, and the scores that the float models reach on drawn text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from halfeven.demo.find_text import finding_f1
from halfeven.demo.ppocr import (
    CLS_OUTPUT_NAME,
    Pixels,
    cls_inputs,
    cls_task,
    det_model,
    line_input,
    page_input,
    rec_model,
)
from halfeven.demo.read_text import read_characters, reading_score
from halfeven.demo.task import DemoTask
from halfeven.demo.text_images import TextLine, text_lines, text_pages

pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'halfeven[demo]'")

Runner = Callable[[Pixels], np.ndarray]


def float_model(path: Path) -> Runner:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def test_pixels_are_normalized_with_blue_first() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    x = page_input(image)
    assert x.shape == (1, 3, 32, 64)
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    assert_allclose(x[0], (image[..., ::-1].transpose(2, 0, 1) / 127.5) - 1, atol=1e-6)


@pytest.mark.parametrize(("height", "width", "expected"), [(48, 100, 100), (24, 100, 200), (96, 100, 50), (96, 10, 16)])
def test_a_line_keeps_its_shape_at_48_pixels(height: int, width: int, expected: int) -> None:
    assert line_input(np.zeros((height, width, 3), np.uint8)).shape == (1, 3, 48, expected)


def test_a_short_line_is_filled_with_zeros_and_a_long_one_squeezed() -> None:
    short, long = (line_input(np.full((48, width, 3), 255, np.uint8), 192) for width in (100, 400))
    assert short.shape == long.shape == (1, 3, 48, 192)
    assert_array_equal(short[..., :100], np.ones((1, 3, 48, 100), np.float32))
    assert_array_equal(short[..., 100:], np.zeros((1, 3, 48, 92), np.float32))
    assert_array_equal(long, np.ones_like(long))


def test_each_line_stands_upright_then_upside_down() -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 192, 3), dtype=np.uint8)
    x = cls_inputs([TextLine(image, ""), TextLine(image, "")])
    assert x.shape == (4, 3, 48, 192)
    assert_array_equal(x[1], x[0, :, ::-1, ::-1])
    assert_array_equal(x[2:], x[:2])


def test_no_evaluation_line_is_a_calibration_line(available: Callable[[Callable[[], DemoTask]], DemoTask]) -> None:
    task = available(cls_task)
    seen = {image.tobytes() for image in task.calibration}
    assert task.calibration.shape == (64, 3, 48, 192)
    assert task.evaluation.shape == (200, 3, 48, 192)
    assert len(seen) == 64
    assert not seen & {image.tobytes() for image in task.evaluation}
    assert_array_equal(np.bincount(task.labels), [100, 100])


def test_the_classifier_reaches_its_accuracy(available: Callable[[Callable[[], DemoTask]], DemoTask]) -> None:
    task = available(lambda: cls_task(evaluation=600))
    outputs = float_model(task.model_path)(task.evaluation)
    assert abs(task.metric({CLS_OUTPUT_NAME: outputs}) - 0.988) < 0.01  # the words drawn differ by Python version


def test_the_reader_reads(available: Callable[[Callable[[], Path]], Path]) -> None:
    path = available(rec_model)
    score = reading_score(float_model(path), text_lines(40, seed=0), read_characters(path))
    assert score.character_accuracy > 0.94
    assert score.exact > 0.5


def test_the_finder_finds(available: Callable[[Callable[[], Path]], Path]) -> None:
    assert finding_f1(float_model(available(det_model)), text_pages(6, seed=1)) > 0.88
