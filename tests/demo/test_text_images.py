"""The same seed draws the same labelled pictures; the ink is where the labels say."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from halfeven.demo.text_images import PAGE_SIZE, text_lines, text_pages
from halfeven.errors import UnavailableError

pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'halfeven[demo]'")


def test_the_same_seed_draws_the_same_lines() -> None:
    first, second = text_lines(5, seed=3), text_lines(5, seed=3)
    for a, b in zip(first, second, strict=True):
        assert a.text == b.text
        assert_array_equal(a.image, b.image)


def test_more_lines_begin_with_the_same_lines() -> None:
    few, many = text_lines(2, seed=3), text_lines(4, seed=3)
    assert [line.text for line in few] == [line.text for line in many[:2]]
    assert_array_equal(few[1].image, many[1].image)


def test_another_seed_draws_other_lines() -> None:
    assert [line.text for line in text_lines(5, seed=3)] != [line.text for line in text_lines(5, seed=4)]


def test_a_line_is_a_colour_picture_with_ink() -> None:
    for line in text_lines(10, seed=0):
        assert line.image.dtype == np.uint8
        assert line.image.ndim == 3
        assert line.image.shape[2] == 3
        assert line.image.shape[1] > line.image.shape[0] // 2
        assert 1 <= len(line.text.split(" ")) <= 4
        assert np.ptp(line.image.astype(int)) > 40


def test_the_ink_of_a_page_is_in_its_boxes() -> None:
    width, height = PAGE_SIZE
    for page in text_pages(3, seed=1):
        assert page.image.shape == (height, width, 3)
        assert len(page.boxes) == len(page.texts) > 0
        paper = np.median(page.image.reshape(-1, 3), axis=0)
        ink = np.abs(page.image - paper).max(axis=2) > 60
        for left, top, right, bottom in page.boxes:
            box = ink[int(top) : int(bottom), int(left) : int(right)]
            assert box.any()
            ink[int(top) - 1 : int(bottom) + 1, int(left) - 1 : int(right) + 1] = False
        assert not ink.any()
        assert all(upper[3] <= lower[1] for upper, lower in pairwise(page.boxes))


def test_without_pillow_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.ImageDraw", None)
    with pytest.raises(UnavailableError, match=r"pip install 'halfeven\[demo\]'") as caught:
        text_lines(1, seed=0)
    assert caught.value.name == "pillow"
