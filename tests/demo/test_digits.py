"""The digit networks compute what their state dict says; no digit is in both parts of the split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from halfeven.demo import digits
from halfeven.demo.digits import (
    MNIST_NETWORK,
    USPS_NETWORK,
    DigitNetwork,
    LabelledDigits,
    digit_task,
    load_digits,
    preprocess,
)
from halfeven.demo.packages import DIGIT_IMAGES, Package, PinnedFile, Registry
from halfeven.demo.task import DemoTask

Available = Callable[[Callable[[], DemoTask]], DemoTask]
COUNTS = (10, 5, 6, 7, 8, 9, 10, 11, 12, 13)


@pytest.fixture
def small_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with COUNTS[d] images of each digit d; every image is filled with a number of its own."""
    pins = []
    number = 0
    for digit, count in enumerate(COUNTS):
        pixels = np.repeat(np.arange(number, number + count), 28 * 28).tolist()
        number += count
        content = json.dumps({"data": pixels + [0.5] * 7}).encode()  # seven pixels of an unfinished image
        path = f"digits/{digit}.json"
        pins.append(PinnedFile(path, hashlib.sha256(content).hexdigest()))
        target = tmp_path / "npm-small-1.0" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    monkeypatch.setattr(digits, "DIGIT_IMAGES", Package(Registry.NPM, "small", "1.0", tuple(pins)))
    return tmp_path


def test_the_split_is_disjoint_complete_and_four_to_one(small_digits: Path) -> None:
    split = load_digits(small_digits)
    train, test = split.train.images[:, 0, 0], split.test.images[:, 0, 0]
    assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(sum(COUNTS)))
    for digit, count in enumerate(COUNTS):
        assert np.sum(split.train.labels == digit) == int(0.8 * count)
        assert np.sum(split.test.labels == digit) == count - int(0.8 * count)
    starts = np.cumsum((0, *COUNTS[:-1]))
    assert_array_equal(split.test.labels, np.searchsorted(starts, test, side="right") - 1)
    assert split.train.images.shape == (len(train), 28, 28)
    assert split.train.images.dtype == np.float32


def test_take_draws_without_repetition_and_by_seed() -> None:
    numbers = np.arange(50)
    whole = LabelledDigits(np.ones((50, 28, 28), np.float32) * numbers[:, None, None], numbers)
    some = whole.take(20, seed=0)
    assert len(np.unique(some.labels)) == len(some) == 20
    assert_array_equal(some.images[:, 3, 3], some.labels)
    assert_array_equal(some.labels, whole.take(20, seed=0).labels)
    assert not np.array_equal(some.labels, whole.take(20, seed=1).labels)
    assert_array_equal(np.sort(whole.take(None, seed=0).labels), numbers)


def test_mnist_preprocessing_is_the_formula() -> None:
    images = np.random.default_rng(0).random((3, 28, 28), dtype=np.float32)
    expected = (images.astype(np.float64) - 0.1307) / 0.3081
    assert_allclose(preprocess(images, MNIST_NETWORK)[:, 0], expected, rtol=1e-5, atol=1e-6)
    assert preprocess(images, MNIST_NETWORK).dtype == np.float32


def test_usps_preprocessing_keeps_the_middle() -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'halfeven[demo]'")
    images = np.full((2, 28, 28), 9, np.float32)
    images[:, 4:24, 4:24] = np.repeat(np.arange(20, dtype=np.float32), 20).reshape(20, 20) / 20
    ready = preprocess(images, USPS_NETWORK)
    assert ready.shape == (2, 1, 16, 16)
    assert ready.dtype == np.float32
    rows = ready[0, 0] * 0.2994 + 0.2471
    assert abs(rows.mean() - np.arange(20).mean() / 20) < 0.01
    assert rows.max() < 1
    assert (np.diff(rows[:, 0]) > 0).all()
    assert_allclose(rows, rows[:, :1].repeat(16, 1), rtol=1e-5)


@pytest.mark.parametrize("normalized", [False, True])
def test_the_built_network_computes_its_layers(normalized: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'halfeven[torch]'")
    nn = torch.nn
    torch.manual_seed(0)
    norm = (lambda n: [nn.BatchNorm2d(n)]) if normalized else (lambda _: [])
    network = nn.ModuleDict(
        {
            "features": nn.Sequential(
                *[nn.Conv2d(1, 4, 3, padding=1), *norm(4), nn.ReLU(), nn.MaxPool2d(2)],
                *[nn.Conv2d(4, 6, 3, padding=1), *norm(6), nn.ReLU(), nn.MaxPool2d(2)],
            ),
            "classifier": nn.Sequential(nn.Flatten(), nn.Linear(6 * 16, 8), nn.ReLU(), nn.Linear(8, 10)),
        }
    )
    x = torch.randn(5, 1, 16, 16)
    with torch.no_grad():
        network["features"](x * 3 + 1)  # in training mode: moves the running statistics off their start
        network.eval()
        expected = network["classifier"](network["features"](x)).numpy()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    content = digits._network_bytes(DigitNetwork("small", USPS_NETWORK.weights, 16, 0, 1), weights)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert_allclose(session.run(["logits"], {"input": x.numpy()})[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", [MNIST_NETWORK, USPS_NETWORK], ids=lambda network: network.name)
def test_no_evaluation_digit_is_a_calibration_digit(network: DigitNetwork, available: Available) -> None:
    task = available(lambda: digit_task(network))
    seen = {image.tobytes() for image in task.calibration}
    assert len(seen) == len(task.calibration) == 128
    assert len(task.evaluation) == len(task.labels) == 500
    assert not seen & {image.tobytes() for image in task.evaluation}


@pytest.mark.parametrize(
    ("network", "accuracy"), [(MNIST_NETWORK, 0.9990), (USPS_NETWORK, 0.8229)], ids=["mnist", "usps"]
)
def test_the_trained_networks_reach_their_accuracy(
    network: DigitNetwork, accuracy: float, available: Available
) -> None:
    task = available(lambda: digit_task(network, evaluation=None))
    session = onnxruntime.InferenceSession(task.model_path, providers=["CPUExecutionProvider"])
    outputs = {"logits": session.run(["logits"], {task.input_name: task.evaluation})[0]}
    assert len(task.labels) == 2004
    assert abs(task.metric(outputs) - accuracy) < 2 / 2004


def test_every_digit_has_its_own_pin() -> None:
    assert len({pinned.sha256 for pinned in DIGIT_IMAGES.files}) == 10
