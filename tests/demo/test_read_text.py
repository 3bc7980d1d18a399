"""Probabilities to text, text to a score."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfeven.demo.read_text import decode, edit_distance, read_characters, reading_score
from halfeven.demo.text_images import TextLine
from halfeven.errors import ModelError

CHARACTERS = ("", "a", "b", "c", " ")


def steps(*codes: int, classes: int = 5) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[list(codes)]


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        ([1, 1, 2], "ab"),
        ([1, 0, 1], "aa"),
        ([0, 0, 0], ""),
        ([0, 3, 3, 0, 0, 3, 4, 2, 2], "cc b"),
        ([2], "b"),
    ],
)
def test_repeated_classes_count_once_and_none_separates(codes: list[int], text: str) -> None:
    assert decode(steps(*codes), CHARACTERS) == text


def test_a_class_beyond_the_characters_is_left_out() -> None:
    assert decode(steps(1, 6, 2, classes=7), CHARACTERS) == "ab"


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("same", "same", 0)],
)
def test_known_edit_distances(a: str, b: str, distance: int) -> None:
    assert edit_distance(a, b) == distance


@given(st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_the_edit_distance_is_its_definition(a: str, b: str) -> None:
    @functools.cache
    def defined(i: int, j: int) -> int:
        if min(i, j) == 0:
            return max(i, j)
        return min(defined(i - 1, j) + 1, defined(i, j - 1) + 1, defined(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    assert edit_distance(a, b) == defined(len(a), len(b))


def test_the_score_counts_letters_and_lines() -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'halfeven[demo]'")
    image = np.zeros((48, 48, 3), np.uint8)
    lines = [TextLine(image, "abc"), TextLine(image, "abb")]
    score = reading_score(lambda _: steps(1, 2, 0, 3)[np.newaxis], lines, CHARACTERS)
    assert score.character_accuracy == 1 - 1 / 6
    assert score.exact == 0.5


def test_a_model_without_characters_is_named(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    value = functools.partial(onnx.helper.make_tensor_value_info, elem_type=1, shape=[1])
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value("x")], [value("y")])), tmp_path / "m.onnx"
    )
    with pytest.raises(ModelError, match=r"m\.onnx' has no 'character'"):
        read_characters(tmp_path / "m.onnx")
