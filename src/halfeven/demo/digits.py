"""Two digit classifiers with trained weights, built as ONNX, and ten thousand labelled handwritten digits.

Each network: [Conv 3x3, BatchNormalization (USPS alone), Relu, MaxPool 2x2] twice, Flatten, Gemm, Relu, Gemm. The
first takes the digits as they are, 28 by 28; the second was trained on USPS and takes their middle 20 by 20 pixels at
16 by 16.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from halfeven.demo.cache import cache_folder, write_file
from halfeven.demo.fetch import fetch
from halfeven.demo.network import Network
from halfeven.demo.packages import DIGIT_IMAGES, DIGIT_WEIGHTS, MNIST_WEIGHTS, USPS_WEIGHTS, PinnedFile
from halfeven.demo.task import DemoTask, accuracy_of
from halfeven.demo.text_images import import_pillow
from halfeven.demo.torch_weights import read_state_dict

Pixels: TypeAlias = npt.NDArray[np.float32]

IMAGE_SIZE = 28
TRAIN_SHARE = 0.8
CALIBRATION_COUNT = 128
EVALUATION_COUNT = 500
INPUT_NAME = "input"
OUTPUT_NAME = "logits"


@dataclass(frozen=True)
class DigitNetwork:
    """One of the two networks: its weights, its input size in pixels, what its input is normalized by."""

    name: str
    weights: PinnedFile
    size: int
    mean: float
    deviation: float


MNIST_NETWORK = DigitNetwork("digits_mnist", MNIST_WEIGHTS, 28, 0.1307, 0.3081)
USPS_NETWORK = DigitNetwork("digits_usps", USPS_WEIGHTS, 16, 0.2471, 0.2994)


@dataclass(frozen=True, eq=False)
class LabelledDigits:
    """Images (N, 28, 28) float32 between 0 and 1, labels (N,) int64."""

    images: Pixels
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of digits."""
        return len(self.labels)

    def take(self, count: int | None, seed: int) -> LabelledDigits:
        """Return ``count`` digits drawn without repetition, all of them for None, in an order that the seed fixes."""
        chosen = np.random.default_rng(seed).permutation(len(self))[:count]
        return LabelledDigits(self.images[chosen], self.labels[chosen])


@dataclass(frozen=True, eq=False)
class DigitSplit:
    """Of each digit's images the first 80 % in ``train``, the others in ``test``."""

    train: LabelledDigits
    test: LabelledDigits


def digit_task(
    network: DigitNetwork,
    cache: Path | None = None,
    calibration: int = CALIBRATION_COUNT,
    evaluation: int | None = EVALUATION_COUNT,
) -> DemoTask:
    """Return one network's demo task: calibration digits from the train part, evaluation digits from the test part.

    ``evaluation=None`` takes the whole test part.

    Raises
    ------
    DataUnavailableError
        The weights or the images could not be had.
    UnavailableError
        The USPS network without Pillow.
    """
    split = load_digits(cache)
    seen, judged = split.train.take(calibration, seed=0), split.test.take(evaluation, seed=0)
    return DemoTask(
        name=network.name,
        model_path=digit_model(network, cache),
        input_name=INPUT_NAME,
        calibration=preprocess(seen.images, network),
        evaluation=preprocess(judged.images, network),
        labels=judged.labels,
        metric=accuracy_of(OUTPUT_NAME, judged.labels),
        metric_name="accuracy",
    )


def load_digits(cache: Path | None = None) -> DigitSplit:
    """Return the ten thousand digits, split; Raises as `fetch`."""
    folder = fetch(DIGIT_IMAGES, cache)
    train: list[Pixels] = []
    test: list[Pixels] = []
    for pinned in DIGIT_IMAGES.files:
        images = _read_images(folder / pinned.path)
        cut = int(len(images) * TRAIN_SHARE)
        train.append(images[:cut])
        test.append(images[cut:])
    return DigitSplit(_label(train), _label(test))


def _read_images(path: Path) -> Pixels:
    """Read one digit's file: a JSON list of pixels, image after image; an unfinished last image is left out."""
    pixels = np.array(json.loads(path.read_bytes())["data"], np.float32)
    count = pixels.size // IMAGE_SIZE**2
    return pixels[: count * IMAGE_SIZE**2].reshape(count, IMAGE_SIZE, IMAGE_SIZE)


def _label(images_by_digit: list[Pixels]) -> LabelledDigits:
    """Join lists of images, one a digit in order, with their labels."""
    counts = [len(images) for images in images_by_digit]
    return LabelledDigits(np.concatenate(images_by_digit), np.repeat(np.arange(len(counts), dtype=np.int64), counts))


def preprocess(images: Pixels, network: DigitNetwork) -> Pixels:
    """Return ``(resized - mean) / deviation``: (N, 28, 28) between 0 and 1 to (N, 1, size, size), float32."""
    sized = images if network.size == IMAGE_SIZE else _resize_middle(images, network.size)
    return ((sized - network.mean) / network.deviation)[:, np.newaxis].astype(np.float32)


def _resize_middle(images: Pixels, size: int) -> Pixels:
    """Resize the middle 20 by 20 pixels, where the digit is, with Pillow's box filter."""
    pillow = import_pillow("Image")
    box = pillow.Resampling.BOX
    middles = (np.ascontiguousarray(image[4:24, 4:24]) for image in images)
    return np.stack([np.asarray(pillow.fromarray(middle).resize((size, size), box)) for middle in middles])


def digit_model(network: DigitNetwork, cache: Path | None = None) -> Path:
    """Build the network as ONNX from its trained weights, keep it in the cache, return its path; Raises as `fetch`."""
    weights = read_state_dict(fetch(DIGIT_WEIGHTS, cache) / network.weights.path)
    root = cache_folder() if cache is None else cache
    content = _network_bytes(network, weights)
    return write_file(root / "models" / f"{network.name}.onnx", lambda path: path.write_bytes(content))


def _network_bytes(network: DigitNetwork, weights: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Write the layers down and return the serialized and checked ONNX model.

    The state dict numbers the layers as its writer stacked them: a 4-d ``features`` weight is a convolution, a running
    mean right after it its normalization, a ``classifier`` weight a fully connected layer.
    """
    net, value = Network(weights), INPUT_NAME
    for layer in _layers(weights, "features", ndim=4):
        value = net.append("Conv", value, layer, ("weight", "bias"), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        norm = f"features.{int(layer.split('.')[1]) + 1}"
        if f"{norm}.running_mean" in weights:
            parts = ("weight", "bias", "running_mean", "running_var")
            value = net.append("BatchNormalization", value, norm, parts, epsilon=1e-5)
        value = net.append("Relu", value, f"{layer}.relu")
        value = net.append("MaxPool", value, f"{layer}.pool", kernel_shape=[2, 2], strides=[2, 2])
    value = net.append("Flatten", value, "flatten", axis=1)
    hidden, last = _layers(weights, "classifier", ndim=2)
    value = net.append("Gemm", value, hidden, ("weight", "bias"), transB=1)
    value = net.append("Relu", value, f"{hidden}.relu")
    net.append("Gemm", value, last, ("weight", "bias"), output=OUTPUT_NAME, transB=1)
    ports = {INPUT_NAME: ["N", 1, network.size, network.size]}, {OUTPUT_NAME: ["N", 10]}
    return net.to_bytes(network.name, *ports)


def _layers(weights: Mapping[str, npt.NDArray[Any]], part: str, ndim: int) -> list[str]:
    """Return the layers of ``part`` whose weight has ``ndim`` dimensions, in order."""
    names = (name.removesuffix(".weight") for name, value in weights.items() if value.ndim == ndim)
    return sorted((name for name in names if name.startswith(part)), key=lambda name: int(name.split(".")[1]))
