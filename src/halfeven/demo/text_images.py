"""Draw labelled text lines and pages: words of the running Python's own documentation, in Pillow's built-in font.

Blur, noise, tilt and low contrast make them look photographed. The same seed gives the same pictures with the same
Python and Pillow; another version of either may have other words or another rasterizer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from halfeven.errors import UnavailableError

if TYPE_CHECKING:
    from types import ModuleType

Image: TypeAlias = npt.NDArray[np.uint8]
"""Pixels (H, W, 3), red green blue."""
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels; right and bottom are outside."""

PAGE_SIZE = (640, 480)


@dataclass(frozen=True, eq=False)
class TextLine:
    """One drawn line and the text on it."""

    image: Image
    text: str


@dataclass(frozen=True, eq=False)
class TextPage:
    """One drawn page, the box of each of its lines, and their texts in the same order."""

    image: Image
    boxes: tuple[Box, ...]
    texts: tuple[str, ...]


def text_lines(count: int, seed: int, fonts: Sequence[Path] = ()) -> list[TextLine]:
    """Draw ``count`` lines of one to four words, 20 to 44 pixels high, each in one of ``fonts`` or the built-in font.

    Raises
    ------
    UnavailableError
        Pillow is not installed, or was built without FreeType.
    """
    chance = random.Random(seed)  # noqa: S311  # pictures, not secrets
    return [_draw_line(chance, fonts) for _ in range(count)]


def text_pages(count: int, seed: int, fonts: Sequence[Path] = ()) -> list[TextPage]:
    """Draw ``count`` pages of 640 by 480 pixels with several lines of text each; Raises as `text_lines`."""
    chance = random.Random(seed)  # noqa: S311  # pictures, not secrets
    return [_draw_page(chance, fonts) for _ in range(count)]


def import_pillow(name: str) -> ModuleType:
    """Import ``PIL.<name>``, or raise UnavailableError that says how to install it."""
    try:
        return import_module(f"PIL.{name}")
    except ImportError as error:
        message = "drawing the demo's pictures needs Pillow 10.1 or newer: pip install 'halfeven[demo]'"
        raise UnavailableError(message, name="pillow") from error


@cache
def _words() -> tuple[str, ...]:
    """Words of 2 to 12 letters and numbers of 2 to 6 digits from the language reference that Python carries."""
    from pydoc_data.topics import topics  # noqa: PLC0415  # half a megabyte of text

    text = " ".join(topics[title] for title in sorted(topics)[:40])
    found = re.findall(r"[A-Za-z][A-Za-z\-']{1,11}|\d{2,6}", text)
    return tuple(word for word in found if "--" not in word and not word.endswith(("-", "'")))


@dataclass(frozen=True)
class _Phrase:
    """A text with its font; ``box`` is what its ink covers when it is drawn at (0, 0)."""

    text: str
    font: Any
    box: tuple[int, int, int, int]

    @property
    def size(self) -> tuple[int, int]:
        left, top, right, bottom = self.box
        return right - left, bottom - top

    def draw(self, canvas: Any, at: tuple[int, int], colour: tuple[int, ...]) -> None:
        """Draw it so that its ink begins at ``at``."""
        canvas.text((at[0] - self.box[0], at[1] - self.box[1]), self.text, font=self.font, fill=colour)


def _phrase(chance: random.Random, fonts: Sequence[Path], height: int | None = None) -> _Phrase:
    text = " ".join(chance.choice(_words()) for _ in range(chance.randint(1, 4)))
    size = height or chance.randint(20, 44)
    font = _font(chance.choice([*fonts, None]), size)
    ruler = import_pillow("ImageDraw").Draw(import_pillow("Image").new("L", (1, 1)))
    left, top, right, bottom = (int(edge) for edge in ruler.textbbox((0, 0), text, font=font))
    return _Phrase(text, font, (left, top, right, bottom))


def _font(path: Path | None, size: int) -> Any:
    """Load a font file, or Pillow's built-in outline font."""
    image_font = import_pillow("ImageFont")
    try:
        return image_font.truetype(str(path), size) if path else image_font.load_default(size)
    except (ImportError, TypeError) as error:  # no FreeType; before 10.1 there is no outline font
        message = "drawing text needs Pillow 10.1 or newer with FreeType: pip install 'halfeven[demo]'"
        raise UnavailableError(message, name="pillow") from error


def _draw_line(chance: random.Random, fonts: Sequence[Path]) -> TextLine:
    phrase = _phrase(chance, fonts)
    margin = chance.randint(3, 8)
    paper, ink = _line_colours(chance)
    width, height = phrase.size
    picture = import_pillow("Image").new("RGB", (width + 2 * margin, height + 2 * margin), paper)
    phrase.draw(import_pillow("ImageDraw").Draw(picture), (margin, margin), ink)
    bicubic = import_pillow("Image").Resampling.BICUBIC
    picture = picture.rotate(chance.uniform(-1.5, 1.5), bicubic, fillcolor=paper)
    picture = picture.filter(import_pillow("ImageFilter").GaussianBlur(chance.choice([0, 0.5, 0.9, 1.3])))
    seed = chance.randrange(1 << 30)
    return TextLine(_add_noise(picture, chance.choice([0, 4, 10]), seed), phrase.text)


def _line_colours(chance: random.Random) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Light paper and darker ink, one time in four the other way round."""
    paper = tuple(chance.randint(150, 255) for _ in range(3))
    ink = tuple(max(0, level - chance.randint(70, 200)) for level in paper)
    return (ink, paper) if chance.random() < 0.25 else (paper, ink)  # noqa: PLR2004  # said above


def _draw_page(chance: random.Random, fonts: Sequence[Path]) -> TextPage:
    width, height = PAGE_SIZE
    paper = tuple(chance.randint(190, 255) for _ in range(3))
    picture = import_pillow("Image").new("RGB", PAGE_SIZE, paper)
    canvas = import_pillow("ImageDraw").Draw(picture)
    boxes: list[Box] = []
    texts: list[str] = []
    top = chance.randint(15, 60)
    while top < height - 70:
        phrase = _phrase(chance, fonts, chance.randint(18, 36))
        left = chance.randint(10, 120)
        right, bottom = left + phrase.size[0], top + phrase.size[1]
        if right < width - 10 and bottom < height - 10:
            phrase.draw(canvas, (left, top), tuple(max(0, level - chance.randint(90, 190)) for level in paper))
            boxes.append((left, top, right, bottom))
            texts.append(phrase.text)
        top = bottom + chance.randint(18, 60)
    return TextPage(_add_noise(picture, 5, chance.randrange(1 << 30)), tuple(boxes), tuple(texts))


def _add_noise(picture: Any, deviation: float, seed: int) -> Image:
    """Add normal noise to every channel, and return the pixels cut to 0 .. 255."""
    pixels = np.asarray(picture, np.float32)
    noisy = pixels + np.random.default_rng(seed).normal(0, deviation, pixels.shape)
    return noisy.clip(0, 255).astype(np.uint8)
