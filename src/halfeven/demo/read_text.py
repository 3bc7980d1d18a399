"""Judge the reader of PP-OCR: decode its probabilities to text, compare with what was drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from halfeven.demo.ppocr import Pixels, line_input
from halfeven.demo.text_images import TextLine
from halfeven.errors import ModelError

Reader: TypeAlias = Callable[[Pixels], npt.NDArray[np.float32]]
"""(1, 3, 48, W) to probabilities (1, T, classes)."""


@dataclass(frozen=True)
class ReadingScore:
    """``character_accuracy`` = 1 - edit distances / characters; ``exact`` = share of lines read without a fault."""

    character_accuracy: float
    exact: float


def reading_score(reader: Reader, lines: Sequence[TextLine], characters: Sequence[str]) -> ReadingScore:
    """Read every line at its own width and score the texts."""
    read = [decode(reader(line_input(line.image))[0], characters) for line in lines]
    faults = [edit_distance(text, line.text) for text, line in zip(read, lines, strict=True)]
    length = sum(len(line.text) for line in lines)
    return ReadingScore(1 - sum(faults) / length, faults.count(0) / len(lines))


def read_characters(model_path: Path) -> tuple[str, ...]:
    """Return what each class of the reader means, from the model's own metadata; class 0 is 'none' (empty).

    Raises
    ------
    ModelError
        The model carries no character list.
    """
    import onnx  # noqa: PLC0415  heavy, only where used

    properties = {entry.key: entry.value for entry in onnx.load(model_path).metadata_props}
    if "character" not in properties:
        message = f"'{model_path}' has no 'character' in its metadata: expected a PP-OCR reader"
        raise ModelError(message, source=str(model_path))
    return ("", *properties["character"].splitlines(), " ")


def decode(probabilities: npt.NDArray[np.float32], characters: Sequence[str]) -> str:
    """Return the best class of each step (T, classes), repeated ones once, 'none' left out (greedy CTC)."""
    best = probabilities.argmax(axis=1)
    changed = np.concatenate(([True], best[1:] != best[:-1]))
    return "".join(characters[code] for code in best[changed] if code < len(characters))


def edit_distance(a: str, b: str) -> int:
    """Return the least number of letters to insert, delete or replace that turns ``a`` into ``b`` (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a):
        above, row = row, [i + 1]
        for j, other in enumerate(b):
            row.append(min(above[j + 1] + 1, row[j] + 1, above[j] + (letter != other)))
    return row[-1]
