"""Judge the finder of PP-OCR: probability maps to boxes, boxes against the drawn ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from halfeven.demo.ppocr import Pixels, page_input
from halfeven.demo.text_images import Box, TextPage

Finder: TypeAlias = Callable[[Pixels], npt.NDArray[np.float32]]
"""(1, 3, H, W) to the probability of text (1, 1, H, W)."""

PIXEL_THRESHOLD = 0.3
BOX_THRESHOLD = 0.5
MIN_SIDE = 3
UNCLIP_RATIO = 1.6
MATCH_IOU = 0.5


def finding_f1(finder: Finder, pages: Sequence[TextPage]) -> float:
    """Return ``2 * hits / (found + drawn)`` over all pages; a hit is a found box with IoU > 0.5 to a drawn one."""
    hits = found = drawn = 0
    for page in pages:
        boxes = text_boxes(finder(page_input(page.image))[0, 0])
        hits += count_matches(boxes, page.boxes)
        found += len(boxes)
        drawn += len(page.boxes)
    return 2 * hits / (found + drawn)


def count_matches(found: Sequence[Box], drawn: Sequence[Box]) -> int:
    """Give each found box in turn the nearest drawn box that is still free, and count those with IoU > 0.5."""
    free = list(drawn)
    for box in found:
        nearest = max(free, key=lambda other: intersection_over_union(box, other), default=None)
        if nearest is not None and intersection_over_union(box, nearest) > MATCH_IOU:
            free.remove(nearest)
    return len(drawn) - len(free)


def intersection_over_union(a: Box, b: Box) -> float:
    """Return the shared area over the covered area of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (_area(a) + _area(b) - shared)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def text_boxes(probability: npt.NDArray[np.float32]) -> list[Box]:
    """Return the box of each connected region (H, W) above 0.3 with mean above 0.5, widened by the unclip rule.

    The model was trained on shrunken text; ``d = 1.6 * area / perimeter`` undoes that, on every side.
    """
    boxes = []
    for region in connected_regions(probability > PIXEL_THRESHOLD):
        width, height = region.right - region.left, region.bottom - region.top
        if min(width, height) < MIN_SIDE or region.mean(probability) < BOX_THRESHOLD:
            continue
        d = UNCLIP_RATIO * width * height / (2 * (width + height))
        boxes.append((region.left - d, region.top - d, region.right + d, region.bottom + d))
    return boxes


@dataclass(frozen=True)
class Run:
    """Set pixels ``start`` to ``stop`` (outside) of one row, as many as stand side by side."""

    row: int
    start: int
    stop: int


@dataclass(frozen=True)
class Region:
    """Runs that touch one another (above, below; not across a corner), from top to bottom."""

    runs: tuple[Run, ...]

    @property
    def left(self) -> int:
        """First column."""
        return min(run.start for run in self.runs)

    @property
    def right(self) -> int:
        """Column after the last."""
        return max(run.stop for run in self.runs)

    @property
    def top(self) -> int:
        """First row."""
        return self.runs[0].row

    @property
    def bottom(self) -> int:
        """Row after the last."""
        return self.runs[-1].row + 1

    def mean(self, values: npt.NDArray[np.float32]) -> float:
        """Return the mean of ``values`` (H, W) over the region's pixels."""
        return float(np.concatenate([values[run.row, run.start : run.stop] for run in self.runs]).mean())


def connected_regions(mask: npt.NDArray[np.bool_]) -> list[Region]:
    """Return the 4-connected regions of set pixels of ``mask`` (H, W), in the order of their first pixel."""
    runs = list(_runs(mask))
    parent = list(range(len(runs)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = k = parent[parent[k]]
        return k

    for a, b in _touching(runs):
        first, second = sorted((root(a), root(b)))
        parent[second] = first
    regions: dict[int, list[Run]] = {}
    for k, run in enumerate(runs):
        regions.setdefault(root(k), []).append(run)
    return [Region(tuple(members)) for members in regions.values()]


def _runs(mask: npt.NDArray[np.bool_]) -> Iterator[Run]:
    """Yield the runs of set pixels row by row: where a row with a clear pixel at both ends changes."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, stops = np.nonzero(edges == -1)
    for row, start, stop in zip(rows.tolist(), starts.tolist(), stops.tolist(), strict=True):
        yield Run(row, start, stop)


def _touching(runs: Sequence[Run]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of runs in neighbouring rows that share a column; ``runs`` are sorted by row and column."""
    above = 0
    for k, run in enumerate(runs):
        while runs[above].row < run.row - 1 or (runs[above].row == run.row - 1 and runs[above].stop <= run.start):
            above += 1
        j = above
        while runs[j].row == run.row - 1 and runs[j].start < run.stop:
            yield j, k
            j += 1
