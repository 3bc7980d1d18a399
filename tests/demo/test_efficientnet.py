"""EfficientNet-Lite0 is the network that its weights were trained for; photographs to calibrate and to judge differ."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from halfeven.demo.efficientnet import INPUT_NAME, SIZE, efficientnet_model, photograph_inputs
from halfeven.demo.photographs import crops, halves, photographs

pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'halfeven[demo]'")

Available = Callable[[Callable[[], object]], object]
NUMBERED = [np.dstack([np.arange(64 * 96).reshape(64, 96) // 256, np.arange(64 * 96).reshape(64, 96) % 256] * 2)]


def test_halves_share_no_pixel() -> None:
    (left,), (right,) = halves(NUMBERED)
    numbers = [set((half[..., 0] * 256 + half[..., 1]).ravel()) for half in (left, right)]
    assert not numbers[0] & numbers[1]
    assert len(numbers[0] | numbers[1]) == 64 * 96


def test_crops_follow_the_seed() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    first, again, other = (crops([picture], 4, 16, seed) for seed in (0, 0, 1))
    assert first.shape == (4, 16, 16, 3)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_network_sees_what_is_in_a_photograph(available: Available) -> None:
    path = available(efficientnet_model)
    assert isinstance(path, Path)
    pictures = available(photographs)
    assert isinstance(pictures, list)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    whole = crops([p[:, : min(p.shape[:2])] for p in pictures[2:3]], 8, SIZE, seed=0)  # a cat
    x = ((whole.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2)
    (logits,) = session.run(None, {INPUT_NAME: x})
    cats = range(281, 288)  # ImageNet's cats
    assert np.isin(logits.argmax(axis=1), cats).mean() >= 0.75


def test_normalizations_are_left_in(available: Available) -> None:
    path = available(efficientnet_model)
    operators = [node.op_type for node in onnx.load(str(path)).graph.node]
    assert operators.count("Conv") == operators.count("BatchNormalization") == 49
    assert operators.count("Add") == 9


def test_inputs(available: Available) -> None:
    inputs = available(lambda: photograph_inputs(8, 8))
    assert isinstance(inputs, tuple)
    seen, judged = inputs
    assert seen.shape == judged.shape == (8, 3, SIZE, SIZE)
    assert seen.dtype == judged.dtype == np.float32
    assert seen.min() >= -127 / 128
    assert seen.max() <= 1
    assert not np.isin(np.round(seen[:, 0, ::50, ::50], 6), np.round(judged[:, 0, ::50, ::50], 6)).all()
