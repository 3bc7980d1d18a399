"""Probability maps to boxes, boxes to a score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from halfeven.demo.find_text import (
    connected_regions,
    count_matches,
    finding_f1,
    intersection_over_union,
    text_boxes,
)
from halfeven.demo.text_images import TextPage


def flood(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """Return the regions by walking from pixel to pixel."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    regions = []
    while left:
        region, todo = set(), [min(left)]
        while todo:
            y, x = todo.pop()
            if (y, x) in left:
                left.remove((y, x))
                region.add((y, x))
                todo += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        regions.append(region)
    return regions


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.booleans()))
def test_regions_are_those_of_a_walk_from_pixel_to_pixel(mask: np.ndarray) -> None:
    found = [{(run.row, x) for run in r.runs for x in range(run.start, run.stop)} for r in connected_regions(mask)]
    assert found == flood(mask)


def test_a_region_knows_its_box_and_mean() -> None:
    values = np.zeros((5, 6), np.float32)
    values[1, 2:5] = 1
    values[2, 1:3] = 0.5
    (region,) = connected_regions(values > 0)
    assert (region.left, region.top, region.right, region.bottom) == (1, 1, 5, 3)
    assert region.mean(values) == np.float32(0.8)


def test_boxes_are_widened_and_weak_or_thin_ones_left_out() -> None:
    probability = np.zeros((60, 90), np.float32)
    probability[10:20, 10:50] = 0.9
    probability[30:40, 10:50] = 0.4  # above the pixel threshold, below the box threshold
    probability[50:52, 10:50] = 0.9  # two pixels high
    d = 1.6 * 40 * 10 / (2 * 50)
    assert text_boxes(probability) == [(10 - d, 10 - d, 50 + d, 20 + d)]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0),
        ((0, 0, 2, 2), (5, 5, 6, 6), 0),
    ],
)
def test_intersection_over_union(a: tuple[int, ...], b: tuple[int, ...], expected: float) -> None:
    assert intersection_over_union(a, b) == expected  # type: ignore[arg-type]


def test_a_drawn_box_is_matched_once() -> None:
    box = (0, 0, 10, 10)
    assert count_matches([box, box], [box]) == 1
    assert count_matches([box, box], [box, box]) == 2
    assert count_matches([(0, 0, 10, 4)], [box]) == 0
    assert count_matches([], [box]) == 0


def test_f1_counts_missed_and_false_boxes() -> None:
    page = TextPage(np.zeros((64, 64, 3), np.uint8), ((4.0, 4.0, 60.0, 24.0), (4.0, 50.0, 60.0, 63.0)), ("", ""))
    d = 1.6 * 40 * 8 / (2 * 48)

    def finder(_: np.ndarray) -> np.ndarray:
        probability = np.zeros((1, 1, 64, 64), np.float32)
        probability[0, 0, 10:18, 12:52] = 1  # becomes the first drawn box, nearly
        probability[0, 0, 30:38, 12:52] = 1  # where nothing was drawn
        return probability

    assert intersection_over_union((12 - d, 10 - d, 52 + d, 18 + d), page.boxes[0]) > 0.5
    assert finding_f1(finder, [page]) == 2 * 1 / (2 + 2)
