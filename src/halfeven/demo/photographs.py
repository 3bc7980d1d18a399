"""Real photographs from the sample pictures of scikit-image and scikit-learn, cut into crops.

The left half of each picture serves to calibrate and the right half to judge: no pixel is in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halfeven.demo.fetch import fetch
from halfeven.demo.packages import PHOTOGRAPHS
from halfeven.demo.text_images import Image, import_pillow

SMALLEST_SIDE = 0.45
"""Of a crop, as a share of the picture's shorter side."""


def photographs(cache: Path | None = None) -> list[Image]:
    """Return the pictures, (H, W, 3) red green blue; Raises as `fetch`, and UnavailableError without Pillow."""
    pillow = import_pillow("Image")
    paths = [fetch(package, cache) / pinned.path for package, files in PHOTOGRAPHS for pinned in files]
    return [np.asarray(pillow.open(path).convert("RGB")) for path in paths]


def halves(pictures: Sequence[Image]) -> tuple[list[Image], list[Image]]:
    """Return the left and the right halves."""
    return [p[:, : p.shape[1] // 2] for p in pictures], [p[:, p.shape[1] // 2 :] for p in pictures]


def crops(pictures: Sequence[Image], count: int, size: int, seed: int) -> npt.NDArray[np.uint8]:
    """Return ``count`` random square crops of the pictures in turn, every second mirrored: (count, size, size, 3)."""
    pillow = import_pillow("Image")
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        picture = pillow.fromarray(pictures[k % len(pictures)])
        side = int(min(picture.size) * rng.uniform(SMALLEST_SIDE, 1.0))
        left, top = (int(rng.integers(0, length - side + 1)) for length in picture.size)
        square = picture.crop((left, top, left + side, top + side))
        pixels = np.asarray(square.resize((size, size), pillow.Resampling.BICUBIC))
        found.append(pixels[:, ::-1] if k % 2 else pixels)
    return np.stack(found)
