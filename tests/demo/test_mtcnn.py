"""R-Net and O-Net tell the faces from the other pictures, and no picture is seen before it is judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from halfeven.demo.mtcnn import ONET, RNET, FaceNetwork, face_inputs, face_model

pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install 'halfeven[demo]'")

Available = Callable[[Callable[[], object]], object]
NETWORKS = pytest.mark.parametrize("network", [RNET, ONET], ids=["R-Net", "O-Net"])


@NETWORKS
def test_the_float_network_makes_no_mistake(network: FaceNetwork, available: Available) -> None:
    path = available(lambda: face_model(network))
    assert isinstance(path, Path)
    inputs = available(lambda: face_inputs(network))
    assert isinstance(inputs, tuple)
    _, judged = inputs
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (probability,) = session.run([network.output_name], {network.input_name: judged.inputs})
    np.testing.assert_array_equal(probability.argmax(axis=1), judged.labels)


@NETWORKS
def test_the_split_is_balanced_and_disjoint(network: FaceNetwork, available: Available) -> None:
    inputs = available(lambda: face_inputs(network, calibration=64))
    assert isinstance(inputs, tuple)
    seen, judged = inputs
    assert (len(seen), len(judged.inputs), judged.labels.sum()) == (64, 136, 68)
    assert seen.shape[1:] == judged.inputs.shape[1:] == (network.size, network.size, 3)
    pictures = {picture.tobytes() for picture in seen}
    assert not pictures & {picture.tobytes() for picture in judged.inputs}
