"""R-Net and O-Net of the face detector MTCNN, and two hundred small pictures: faces and others.

They take their pixels with the channels last and width before height. Source: K. Zhang et al., "Joint Face Detection
and Alignment using Multi-task Cascaded Convolutional Networks", 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from halfeven.demo.fetch import fetch
from halfeven.demo.packages import FACES, MTCNN, MTCNN_ONET, MTCNN_RNET, SKIMAGE, PinnedFile
from halfeven.demo.text_images import import_pillow

Pixels: TypeAlias = npt.NDArray[np.float32]

CALIBRATION_COUNT = 64


@dataclass(frozen=True)
class FaceNetwork:
    """One of the two networks: its file, the side of its input in pixels, its input and its output of probabilities."""

    name: str
    file: PinnedFile
    size: int
    input_name: str
    output_name: str


RNET = FaceNetwork("mtcnn_rnet", MTCNN_RNET, 24, "input_2", "softmax_1")
ONET = FaceNetwork("mtcnn_onet", MTCNN_ONET, 48, "input_3", "softmax_2")


@dataclass(frozen=True, eq=False)
class LabelledFaces:
    """Inputs (N, size, size, 3) of one network; labels (N,): 1 for a face."""

    inputs: Pixels
    labels: npt.NDArray[np.int64]


def face_model(network: FaceNetwork, cache: Path | None = None) -> Path:
    """Return the path of the network; Raises as `fetch`."""
    return fetch(MTCNN, cache) / network.file.path


def face_inputs(
    network: FaceNetwork, cache: Path | None = None, calibration: int = CALIBRATION_COUNT
) -> tuple[Pixels, LabelledFaces]:
    """Return pictures to calibrate with, as many faces as others, and the pictures that are left, with labels.

    Raises
    ------
    DataUnavailableError
        The pictures could not be had.
    UnavailableError
        Pillow is missing.
    """
    grey = np.load(fetch(SKIMAGE, cache) / FACES.path)  # the first half are faces
    pixels = np.stack([_resize(picture, network.size) for picture in grey])
    inputs = ((pixels[..., np.newaxis].repeat(3, axis=-1) - 127.5) / 128).transpose(0, 2, 1, 3).astype(np.float32)
    labels = (np.arange(len(grey)) < len(grey) // 2).astype(np.int64)
    order = np.arange(len(grey)).reshape(2, -1).T.reshape(-1)  # a face and another in turn
    seen, judged = order[:calibration], order[calibration:]
    return inputs[seen], LabelledFaces(inputs[judged], labels[judged])


def _resize(picture: npt.NDArray[np.floating], size: int) -> Pixels:
    """Values 0 .. 1 to pixels 0 .. 255, (size, size)."""
    pillow = import_pillow("Image")
    bytes_ = pillow.fromarray((255 * picture).astype(np.uint8))
    return np.asarray(bytes_.resize((size, size), pillow.Resampling.BILINEAR), np.float32)
